package replicate

import (
	"bufio"
	"errors"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"understudy/internal/swift/hashes"
	"understudy/messages"
)

// peer answers the n'th request of each connection (from 1) with answer's text
// and closes the connection after an empty one. It counts connections and
// requests.
type peer struct {
	node            messages.Node
	conns, requests atomic.Int64
}

func newPeer(t *testing.T, answer func(n int) string) *peer {
	p := &peer{}
	p.node = serving(t, "127.0.0.1:0", func(c net.Conn) {
		p.conns.Add(1)
		r := bufio.NewReader(c)
		for n := 1; ; n++ {
			if _, err := readRequest(r); err != nil {
				return
			}
			p.requests.Add(1)
			text := answer(n)
			if _, err := io.WriteString(c, text); err != nil || text == "" {
				return
			}
		}
	})
	return p
}

func TestConnectionsAreKept(t *testing.T) {
	good := ok(hashes.EncodeWire(someHashes(3)))
	with := func(header string) string { return strings.Replace(good, "\r\n\r\n", "\r\n"+header+"\r\n\r\n", 1) }
	tests := []struct {
		name   string
		answer string
		conns  int64 // for four requests
	}{
		{"by default", good, 1},
		{"when told so", with("Connection: keep-alive"), 1},
		{"not when the peer closes", with("Connection: foo, Close"), 4},
		{"not with HTTP/1.0", strings.Replace(good, "HTTP/1.1", "HTTP/1.0", 1), 4},
		{"not after more than was announced", good + "more", 4},
		{"not with two lengths of the body", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n6\r\n\x80\x02}q\x00.\r\n0\r\n\r\n", 4},
		{"chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\n\x80\x02}q\x00.\r\n0\r\n\r\n", 1},
		{"after another status", "HTTP/1.1 507 Insufficient Storage\r\nContent-Length: 2\r\n\r\nno", 1},
		{"after a bad pickle", ok([]byte("junk")), 1},
		{"not after a bad head", "HTTP/1.1 200 OK\r\nbad\r\n\r\n", 4},
		{"not after a long body", ok(make([]byte, 1<<20)), 4},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := newPeer(t, func(int) string { return tt.answer })
			c := client(t, nil)
			for range 4 {
				_, _ = c.Hashes(t.Context(), p.node, 0, 7)
			}
			if p.conns.Load() != tt.conns || p.requests.Load() != 4 {
				t.Errorf("%d connections for %d requests, want %d", p.conns.Load(), p.requests.Load(), tt.conns)
			}
		})
	}
}

// A kept connection that the peer gives up is replaced; a fresh one is not.
func TestStaleConnections(t *testing.T) {
	good := ok(hashes.EncodeWire(someHashes(3)))
	p := newPeer(t, func(n int) string {
		if n == 1 {
			return good
		}
		return "" // closes on seeing a second request
	})
	c := client(t, nil)
	for range 3 {
		if _, err := c.Hashes(t.Context(), p.node, 0, 7); err != nil {
			t.Fatal(err)
		}
	}
	if p.conns.Load() != 3 || p.requests.Load() != 5 {
		t.Errorf("%d connections, %d requests; want 3 and 5", p.conns.Load(), p.requests.Load())
	}

	p = newPeer(t, func(int) string { return "" })
	_, err := c.Hashes(t.Context(), p.node, 0, 7)
	if !errors.Is(err, errNoAnswer) || p.requests.Load() != 1 {
		t.Errorf("%d requests, %v; want one and no answer", p.requests.Load(), err)
	}

	p = newPeer(t, func(n int) string {
		if n == 1 {
			return good
		}
		return "HTTP"
	})
	c = client(t, func(cfg *Config) { cfg.HTTPTimeout = 300 * time.Millisecond })
	_, _ = c.Hashes(t.Context(), p.node, 0, 7)
	_, err = c.Hashes(t.Context(), p.node, 0, 7)
	if Why(err) != "" || err == nil || p.conns.Load() != 1 {
		var pe *messages.PeerError
		if !errors.As(err, &pe) || pe.Why != "Timeout (0.3s)" || p.conns.Load() != 1 {
			t.Errorf("%d connections, %v; want one and a time-out", p.conns.Load(), err)
		}
	}
}

// What a peer sends unasked is never taken for the next answer.
func TestUnaskedBytes(t *testing.T) {
	good := ok(hashes.EncodeWire(someHashes(3)))
	sent := make(chan struct{})
	more := make(chan struct{})
	var first atomic.Bool
	node := serving(t, "127.0.0.1:0", func(c net.Conn) {
		r := bufio.NewReader(c)
		if _, err := readRequest(r); err != nil {
			return
		}
		_, _ = io.WriteString(c, good)
		if first.CompareAndSwap(false, true) {
			<-more
			_, _ = io.WriteString(c, "HTTP/1.1 500 Unasked\r\nContent-Length: 0\r\n\r\n")
			close(sent)
		}
		_, _ = readRequest(r)
	})
	c := client(t, nil)
	if _, err := c.Hashes(t.Context(), node, 0, 7); err != nil {
		t.Fatal(err)
	}
	close(more)
	<-sent
	// Loopback delivers within the write.
	if _, err := c.Hashes(t.Context(), node, 0, 7); err != nil {
		t.Error(err)
	}
}

func TestIdleConnectionsAreBounded(t *testing.T) {
	var p pool
	defer p.close()
	pairs := func(address string, n int) {
		for range n {
			a, b := net.Pipe()
			t.Cleanup(func() { _ = a.Close(); _ = b.Close() })
			p.put(newConn(address, a))
		}
	}
	pairs("one", idlePerPeer+3)
	if p.count != idlePerPeer {
		t.Errorf("%d idle to one peer, want %d", p.count, idlePerPeer)
	}
	p.reap(time.Now())
	if p.count != idlePerPeer {
		t.Errorf("%d left after reaping at once", p.count)
	}
	for i := range 2 * idleInAll {
		pairs(string(rune('A'+i)), 1)
	}
	if p.count != idleInAll {
		t.Errorf("%d idle in all, want %d", p.count, idleInAll)
	}
	p.reap(time.Now().Add(idleFor))
	if p.count != 0 || len(p.idle) != 0 || p.reaper != nil {
		t.Errorf("%d left, %d peers after reaping later", p.count, len(p.idle))
	}
	p.close()
	pairs("late", 1)
	if p.count != 0 {
		t.Error("kept a connection after close")
	}
}
