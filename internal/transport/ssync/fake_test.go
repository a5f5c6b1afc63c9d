package ssync

import (
	"bufio"
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"understudy/internal/swift/metadata"
	wire "understudy/internal/swift/ssync"
	"understudy/internal/swift/timestamp"
	"understudy/messages"
)

// fakeObjects are objects in memory, all of suffix abc.
type fakeObjects struct {
	all      []*wire.Object
	verified []string
	eachErr  error
}

func (f *fakeObjects) Suffixes(_ context.Context, suffixes []string) ([]string, error) {
	return slices.DeleteFunc(slices.Clone(suffixes), func(s string) bool { return s != "abc" }), nil
}

func (f *fakeObjects) Each(_ context.Context, suffix string, yield func(wire.Entry) error) error {
	for _, o := range f.all {
		if suffix != "abc" {
			break
		}
		if err := yield(o.Entry); err != nil {
			return err
		}
	}
	return f.eachErr
}

func (f *fakeObjects) Open(_ context.Context, hash string) (*wire.Object, error) {
	for _, o := range f.all {
		if o.Hash == hash {
			c := *o
			return &c, nil
		}
	}
	return nil, fs.ErrNotExist
}

func (f *fakeObjects) Verify(_ context.Context, hash string) error {
	f.verified = append(f.verified, hash)
	return nil
}

func (f *fakeObjects) Close() {}

type memoryBody struct{ *bytes.Reader }

func (memoryBody) Descriptor() (int, bool) { return 0, false }
func (memoryBody) Close() error            { return nil }

// fakeHash is the i'th object's hash.
func fakeHash(i int) string { return fmt.Sprintf("%029xabc", i) }

// fakeData makes an object with a body, fakePost one with metadata besides.
func fakeData(i int, body string) *wire.Object {
	sum := md5.Sum([]byte(body))
	return &wire.Object{
		Entry: wire.Entry{Offer: wire.Offer{Hash: fakeHash(i), Data: timestamp.Timestamp{Raw: 170000000000000}}, Files: []string{t0 + ".data"}},
		Name:  fmt.Sprintf("/a/c/o%d", i), DataMeta: metadata.Metadata{{Name: "X-Timestamp", Value: t0}},
		Size: int64(len(body)), ETag: hex.EncodeToString(sum[:]), Body: memoryBody{bytes.NewReader([]byte(body))},
	}
}

func fakePost(i int, body string) *wire.Object {
	o := fakeData(i, body)
	o.Meta = timestamp.Timestamp{Raw: 170000000100000}
	o.Files = append(o.Files, t1+".meta")
	o.PostMeta = metadata.Metadata{{Name: "X-Timestamp", Value: t1}}
	return o
}

func fakeTombstone(i int) *wire.Object {
	o := fakeData(i, "")
	o.Deleted, o.Body, o.Files = true, nil, []string{t0 + ".ts"}
	return o
}

// receiver is the scripted other end of a connection.
type receiver struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader // the raw request
	body *bufio.Reader // its body without chunks
	gone chan struct{} // closed when the sender hangs up
}

// play runs a job against a script. The connection is a pipe: nothing is ever
// buffered on the way, and what the script does not read blocks the sender.
func play(t *testing.T, objects *fakeObjects, script func(*receiver), change func(*Config, *messages.SyncJob)) (messages.SyncResult, *logLines) {
	t.Helper()
	log := &logLines{}
	var scripts sync.WaitGroup // one for each session
	cfg := Config{
		ConnTimeout: patience, NodeTimeout: patience, HTTPTimeout: patience, LineLimit: 1024, Log: zerolog.New(log),
		Open: func(context.Context, messages.SyncJob) (Objects, error) { return objects, nil },
		Dial: func(context.Context, string, string) (net.Conn, error) {
			near, far := net.Pipe()
			_ = far.SetDeadline(time.Now().Add(patience))
			r := &receiver{t: t, conn: far, in: bufio.NewReader(far), gone: make(chan struct{})}
			scripts.Go(func() {
				script(r)
				_ = far.Close()
			})
			return &watched{Conn: near, gone: r.gone}, nil
		},
	}
	job := messages.SyncJob{
		Partition: messages.Partition{Device: "sda", Number: 7}, Suffixes: []string{"abc"}, Handoff: true,
		Node: messages.Node{ReplicationIP: "10.0.0.1", ReplicationPort: 6200, Device: "sdb"},
	}
	if change != nil {
		change(&cfg, &job)
	}
	res, err := mustNew(t, cfg).Sync(t.Context(), job)
	if err != nil {
		t.Errorf("sync: %v", err)
	}
	ended := make(chan struct{})
	go func() { scripts.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-time.After(patience):
		t.Fatal("the receiver's script does not end")
	}
	return res, log
}

// head reads the request's head.
func (r *receiver) head() {
	for {
		line, err := r.in.ReadString('\n')
		if err != nil || line == "\r\n" {
			break
		}
	}
	r.body = bufio.NewReader(&dechunk{in: r.in})
}

func (r *receiver) say(text string) { _, _ = io.WriteString(r.conn, text) }

// ok answers the head as Swift does.
func (r *receiver) ok() {
	r.head()
	r.say("HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=UTF-8\r\nX-Backend-Accept-No-Commit: True\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n\r\n\r\n")
}

// chunk says something in one chunk.
func (r *receiver) chunk(text string) { r.say(fmt.Sprintf("%x\r\n%s\r\n", len(text), text)) }

// until reads the request up to a line.
func (r *receiver) until(line string) (before string) {
	var text strings.Builder
	for {
		got, err := r.body.ReadString('\n')
		if err != nil || strings.TrimSpace(got) == line {
			return text.String()
		}
		text.WriteString(got)
	}
}

// wants answers the offers.
func (r *receiver) wants(lines ...string) (offers string) {
	r.ok()
	offers = r.until(wire.MissingEnd)
	r.chunk(wire.MissingStart + "\r\n")
	if len(lines) > 0 {
		r.chunk(strings.Join(lines, "\r\n"))
	}
	r.chunk("\r\n")
	r.chunk(wire.MissingEnd + "\r\n")
	return offers
}

// takes reads the updates and is content.
func (r *receiver) takes() (updates string) {
	updates = r.until(wire.UpdatesEnd)
	r.chunk(wire.UpdatesStart + "\r\n")
	r.chunk(wire.UpdatesEnd + "\r\n")
	r.rest()
	return updates
}

func (r *receiver) rest() { _, _ = io.Copy(io.Discard, r.conn) }

// dechunk reads the chunks of the request's body.
type dechunk struct {
	in   *bufio.Reader
	left int
}

func (d *dechunk) Read(p []byte) (int, error) {
	if d.left == 0 {
		line, err := d.in.ReadString('\n')
		if err != nil {
			return 0, err
		}
		if _, err := fmt.Sscanf(strings.TrimSpace(line), "%x", &d.left); err != nil || d.left == 0 {
			return 0, io.EOF
		}
	}
	n, err := d.in.Read(p[:min(len(p), d.left)])
	if d.left -= n; d.left == 0 && err == nil {
		_, err = d.in.Discard(2)
	}
	return n, err
}

// hold keeps the connection open without reading from it, until the sender closes
// its end.
func (r *receiver) hold() { <-r.gone }

// watched is a connection that tells when it is closed.
type watched struct {
	net.Conn
	once sync.Once
	gone chan struct{}
}

// SetReadDeadline is a TCP connection's: that the other side has gone is told by the next
// read. A net.Pipe refuses the deadline then.
func (w *watched) SetReadDeadline(at time.Time) error {
	return unlessGone(w.Conn.SetReadDeadline(at))
}

// SetWriteDeadline is one, too.
func (w *watched) SetWriteDeadline(at time.Time) error {
	return unlessGone(w.Conn.SetWriteDeadline(at))
}

func unlessGone(err error) error {
	if errors.Is(err, io.ErrClosedPipe) {
		return nil
	}
	return err
}

func (w *watched) Close() error {
	w.once.Do(func() { close(w.gone) })
	return w.Conn.Close()
}
