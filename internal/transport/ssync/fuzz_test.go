package ssync

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	wire "understudy/internal/swift/ssync"
	"understudy/messages"
)

// fixedConn answers with what it holds, whatever it is told.
type fixedConn struct{ io.Reader }

func (fixedConn) Write(p []byte) (int, error)      { return len(p), nil }
func (fixedConn) Close() error                     { return nil }
func (fixedConn) LocalAddr() net.Addr              { return nil }
func (fixedConn) RemoteAddr() net.Addr             { return nil }
func (fixedConn) SetDeadline(time.Time) error      { return nil }
func (fixedConn) SetReadDeadline(time.Time) error  { return nil }
func (fixedConn) SetWriteDeadline(time.Time) error { return nil }

// FuzzResponse: whatever a receiver answers ends the sync, and nothing is proven
// without the lines that say so.
func FuzzResponse(f *testing.F) {
	const head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n\r\n\r\n"
	chunks := func(texts ...string) string {
		var b strings.Builder
		for _, text := range texts {
			b.WriteString(chunkOf(text))
		}
		return b.String()
	}
	f.Add([]byte(head + chunks(":MISSING_CHECK: START\r\n", fakeHash(1)+" dm\r\n"+fakeHash(2), "\r\n", ":MISSING_CHECK: END\r\n", ":UPDATES: START\r\n", ":UPDATES: END\r\n") + "0\r\n\r\n"))
	f.Add([]byte(head + chunks(":MISSING_CHECK: START\r\n", "\r\n", ":MISSING_CHECK: END\r\n", ":UPDATES: START\r\n:UPDATES: END\r\n")))
	f.Add([]byte(head + chunks(":ERROR: 503 b'busy'\n")))
	f.Add([]byte("HTTP/1.1 507 Insufficient Storage\r\nContent-Length: 3\r\n\r\nfulfull"))
	f.Add([]byte("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked, gzip\r\n\r\n"))
	f.Fuzz(func(t *testing.T, response []byte) {
		objects := &fakeObjects{all: []*wire.Object{fakePost(1, "body"), fakeTombstone(2), fakeData(3, "")}}
		tr := mustNew(t, Config{
			ConnTimeout: 1, NodeTimeout: 1, HTTPTimeout: 1, LineLimit: 256, Log: zerolog.Nop(),
			Open: func(context.Context, messages.SyncJob) (Objects, error) { return objects, nil },
			Dial: func(context.Context, string, string) (net.Conn, error) {
				return fixedConn{bytes.NewReader(response)}, nil
			},
		})
		job := messages.SyncJob{
			Partition: messages.Partition{Device: "sda", Number: 7}, Suffixes: []string{"abc"}, Handoff: true,
			Node: messages.Node{ReplicationIP: "10.0.0.1", ReplicationPort: 6200, Device: "sdb"},
		}
		res, err := tr.Sync(t.Context(), job)
		if err != nil {
			t.Fatal(err)
		}
		if !res.OK && res.Proven != nil {
			t.Fatalf("a failure proves %v", res.Proven)
		}
		if res.OK && !saysAll(response) {
			t.Fatalf("%q is a success", response)
		}
	})
}

// saysAll looks for the four lines of a good answer, in order.
func saysAll(response []byte) bool {
	answer, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(response)), nil)
	if err != nil || answer.StatusCode != 200 {
		return false
	}
	text, _ := io.ReadAll(answer.Body)
	next := []string{wire.MissingStart, wire.MissingEnd, wire.UpdatesStart, wire.UpdatesEnd}
	for line := range bytes.Lines(text) {
		if len(next) > 0 && string(wire.Strip(line)) == next[0] {
			next = next[1:]
		}
	}
	return len(next) == 0
}

func chunkOf(text string) string {
	s := &session{}
	s.chunk([]byte(text))
	return string(s.out)
}
