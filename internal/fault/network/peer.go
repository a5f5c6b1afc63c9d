package network

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"understudy/internal/fault"
)

// Answers puts the faults of Peer before a way to connect: requests that they meet are
// answered here and never reach the peer. It belongs above whatever carries several
// exchanges over one connection. Without an injector it is that way itself.
func Answers(faults *fault.Injector, under Dial) Dial {
	if faults == nil {
		return under
	}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		era := faults.Era()
		c, err := under(ctx, network, address)
		if err != nil {
			return nil, err
		}
		a := &answerer{conn: conn{Conn: c, faults: faults, closed: make(chan struct{})}, era: era}
		a.event = fault.Event{Place: fault.Peer, Node: faults.Node()}
		a.event.Peer, a.event.Port = place(faults, address)
		return a, nil
	}
}

// answerer is a connection on which some requests are answered by the plan.
type answerer struct {
	conn
	era      uint64 // of the plan that was in force when it was made
	used     bool   // by an exchange; of the writer
	deciding sync.Mutex
	answer   io.Reader  // nil: the peer's
	quiet    *fault.Hit // there is no answer while it lasts
}

// taken tells what the plan has made of the last request.
func (a *answerer) taken() (io.Reader, *fault.Hit) {
	a.deciding.Lock()
	defer a.deciding.Unlock()
	return a.answer, a.quiet
}

// errBefore is a connection that was kept since another plan. It has not met this one's
// faults of Net, and looks to its user as if the peer had closed it: clients that keep
// connections make another then.
var errBefore = os.NewSyscallError("write", unix.EPIPE)

// Write looks for the beginning of a request: our clients write each head at once.
func (a *answerer) Write(p []byte) (int, error) {
	if answer, quiet := a.taken(); answer != nil || quiet != nil {
		return len(p), nil
	}
	used := a.used
	a.used = true
	if !a.faults.Active() {
		return a.Conn.Write(p)
	}
	e, ok := requested(p)
	if !ok {
		return a.Conn.Write(p)
	}
	if used && a.era != a.faults.Era() {
		return 0, a.failed("write", errBefore)
	}
	e.Place, e.Node, e.Peer, e.Port = fault.Peer, a.event.Node, a.event.Peer, a.event.Port
	h, hit := a.faults.At(&e)
	if !hit {
		return a.Conn.Write(p)
	}
	a.deciding.Lock()
	defer a.deciding.Unlock()
	if h.Verb == "silence" {
		a.quiet = &h
	} else {
		a.answer = bytes.NewReader(answerOf(h))
	}
	// A reader may wait for the peer already; Read looks again when it wakes up.
	return len(p), a.Conn.SetReadDeadline(time.Unix(1, 0))
}

func (a *answerer) Read(p []byte) (int, error) {
	answer, quiet := a.taken()
	if answer == nil && quiet == nil {
		n, err := a.Conn.Read(p)
		if answer, quiet = a.taken(); n > 0 || err == nil || answer == nil && quiet == nil {
			return n, err
		}
	}
	if quiet == nil {
		return answer.Read(p)
	}
	if err := a.hold(&a.reading, *quiet); err != nil {
		return 0, a.failed("read", err)
	}
	return 0, io.EOF // the request is lost, and so is the connection
}

// SetReadDeadline leaves a connection alone that nothing is read from any more.
func (a *answerer) SetReadDeadline(t time.Time) error {
	a.deciding.Lock()
	defer a.deciding.Unlock()
	a.reading.set(t)
	if a.answer != nil || a.quiet != nil {
		return nil
	}
	return a.Conn.SetReadDeadline(t)
}

func (a *answerer) SetDeadline(t time.Time) error {
	return errors.Join(a.SetReadDeadline(t), a.SetWriteDeadline(t))
}

// verbs are the requests that replicators make.
var verbs = []string{"REPLICATE", "SSYNC", "SURVEY"}

// requested reads the first line of a request to an object server.
func requested(p []byte) (e fault.Event, ok bool) {
	line, _, _ := bytes.Cut(p[:min(len(p), 1024)], []byte("\r\n")) // perhaps a long list of suffixes
	verb, rest, ok := strings.Cut(string(line), " /")
	if !ok || !slices.Contains(verbs, verb) {
		return e, false
	}
	path, _, _ := strings.Cut(rest, " ")
	e.Verb = verb
	var tail string
	e.Device, tail, _ = strings.Cut(path, "/")
	e.Partition, _, _ = strings.Cut(tail, "/")
	return e, true
}

// Bodies of answers that are no hashes, in pickle's protocol 2: [1], the beginning of
// {'abc': 'd41d8cd98f00b204e9800998ecf8427e'}, noise, and {}.
var pickles = map[string]string{
	"wrong":     "\x80\x02]q\x00K\x01a.",
	"truncated": "\x80\x02}q\x00X\x03\x00\x00\x00abcq\x01X \x00\x00\x00d41d8cd98f0",
	"garbage":   "\x00\xff\x13\x37no pickle at all\x00\x80",
	"empty":     "\x80\x02}q\x00.",
}

func answerOf(h fault.Hit) []byte {
	status, body := http.StatusOK, ""
	switch h.Verb {
	case "garbage":
		noise := make([]byte, 512)
		for i := range noise {
			noise[i] = byte((h.Draw + uint64(i)) * 0x9e3779b97f4a7c15 >> 56)
		}
		return noise
	case "answer":
		status = int(h.Int())
		body = "<html><h1>" + http.StatusText(status) + "</h1></html>"
	case "pickle":
		body = pickles[h.Word(0)]
	}
	head := "HTTP/1.1 " + strconv.Itoa(status) + " " + http.StatusText(status) + "\r\n" +
		"Content-Type: application/octet-stream\r\nContent-Length: " + strconv.Itoa(len(body)) +
		"\r\nDate: " + time.Now().UTC().Format(http.TimeFormat) + "\r\nConnection: close\r\n\r\n"
	return []byte(head + body)
}
