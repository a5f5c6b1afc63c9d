package mux

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"
)

const patience = 30 * time.Second

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// node is a TCP listener that upgrades every connection and echoes on every stream.
type node struct {
	net.Listener
	streams *Listener
	made    atomic.Int32 // connections
	open    sync.Map
	running sync.WaitGroup
}

func newNode(t *testing.T, limit int, answer func(net.Conn, *bufio.Reader) bool) *node {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n := &node{Listener: l, streams: NewListener(l.Addr(), limit, zerolog.Nop())}
	n.running.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			n.made.Add(1)
			n.open.Store(c, nil)
			n.running.Go(func() { n.serve(c, answer) })
		}
	})
	n.running.Go(func() {
		for {
			c, err := n.streams.Accept()
			if err != nil {
				return
			}
			n.running.Go(func() {
				defer c.Close()
				_, _ = io.Copy(c, c)
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		n.cut()
		n.streams.End()
		n.running.Wait()
	})
	return n
}

// serve reads the request; answer tells whether the connection is to be upgraded.
func (n *node) serve(c net.Conn, answer func(net.Conn, *bufio.Reader) bool) {
	defer c.Close()
	in := bufio.NewReader(c)
	r, err := http.ReadRequest(in)
	if err != nil {
		return
	}
	if answer != nil && !answer(c, in) {
		return
	}
	if !Asked(r) {
		_, _ = io.Copy(c, in)
		return
	}
	n.streams.Adopt(c, in)
}

// cut breaks all connections.
func (n *node) cut() {
	n.open.Range(func(c, _ any) bool { return c.(net.Conn).Close() != nil || true })
}

func dialer(t *testing.T, change func(*DialerConfig)) *Dialer {
	cfg := DialerConfig{Ours: func(string) bool { return true }, Log: zerolog.Nop()}
	if change != nil {
		change(&cfg)
	}
	d := NewDialer(cfg)
	t.Cleanup(d.Close)
	return d
}

func dial(t *testing.T, d *Dialer, n *node) (net.Conn, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, err := d.DialContext(ctx, "tcp", n.Addr().String())
	if err == nil {
		_ = c.SetDeadline(time.Now().Add(patience))
		t.Cleanup(func() { c.Close() })
	}
	return c, err
}

// echoes wants an echo of a connection.
func echoes(t *testing.T, c net.Conn) {
	t.Helper()
	got := make([]byte, 5)
	if _, err := io.WriteString(c, "hello"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(c, got); err != nil || string(got) != "hello" {
		t.Fatalf("%q, %v", got, err)
	}
}

// A connection that has broken is made anew; its streams say that they are broken.
func TestBrokenConnection(t *testing.T) {
	n := newNode(t, 10, nil)
	d := dialer(t, nil)
	first, err := dial(t, d, n)
	if err != nil {
		t.Fatal(err)
	}
	echoes(t, first)
	n.cut()
	if _, err := first.Read(make([]byte, 1)); err == nil {
		t.Error("a stream of a broken connection still reads")
	}
	second, err := dial(t, d, n)
	if err != nil {
		t.Fatal(err)
	}
	echoes(t, second)
	if n.made.Load() != 2 {
		t.Errorf("%d connections", n.made.Load())
	}
}

// A peer that does not grant the upgrade gets a connection for each exchange, and is
// not asked again for a while.
func TestRefused(t *testing.T) {
	for _, refusal := range []string{
		"HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 101 Switching Protocols\r\nUpgrade: understudy-streams/2\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
	} {
		asked := atomic.Int32{}
		n := newNode(t, 10, func(c net.Conn, in *bufio.Reader) bool {
			if asked.Add(1) == 1 {
				_, _ = io.WriteString(c, refusal)
				return false
			}
			return true
		})
		d := dialer(t, nil)
		for range 3 {
			c, err := dial(t, d, n)
			if err != nil {
				t.Fatal(err)
			}
			if IsStream(c) {
				t.Errorf("%q: a stream", refusal)
			}
			if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
				t.Fatal(err)
			}
			echoes(t, c)
		}
		if n.made.Load() != 4 {
			t.Errorf("%q: %d connections", refusal, n.made.Load())
		}
	}
}

// A peer that hangs up, says nothing that is HTTP, or nothing at all, is an error that
// is over with the caller's patience.
func TestBadPeers(t *testing.T) {
	for name, answer := range map[string]func(net.Conn, *bufio.Reader) bool{
		"hangs up": func(net.Conn, *bufio.Reader) bool { return false },
		"garbage": func(c net.Conn, _ *bufio.Reader) bool {
			_, _ = io.WriteString(c, strings.Repeat("what\r\n", 1000))
			return false
		},
		"silence": func(_ net.Conn, in *bufio.Reader) bool {
			_, _ = in.ReadByte()
			return false
		},
	} {
		n := newNode(t, 10, answer)
		ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
		c, err := dialer(t, nil).DialContext(ctx, "tcp", n.Addr().String())
		cancel()
		if err == nil {
			t.Errorf("%s: %v", name, c)
		}
	}
}

// After an upgrade anything may come. Streams fail, nothing hangs.
func TestGarbageAfterUpgrade(t *testing.T) {
	n := newNode(t, 10, func(c net.Conn, _ *bufio.Reader) bool {
		_, _ = io.WriteString(c, accepted+strings.Repeat("\xff", 4096))
		return false
	})
	c, err := dial(t, dialer(t, nil), n)
	if err == nil {
		_, err = c.Read(make([]byte, 1))
	}
	if err == nil {
		t.Error("garbage was taken for a stream")
	}
	// The same towards the side that accepts.
	n = newNode(t, 10, nil)
	raw, err := net.Dial("tcp", n.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	_ = raw.SetDeadline(time.Now().Add(patience))
	if _, err := raw.Write(append(request("x"), strings.Repeat("\xff", 4096)...)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, raw); err != nil && !errors.Is(err, net.ErrClosed) && !strings.Contains(err.Error(), "reset") {
		t.Error(err)
	}
}

// Who has no streams for a while keeps no connection.
func TestIdle(t *testing.T) {
	n := newNode(t, 10, nil)
	d := dialer(t, func(c *DialerConfig) { c.Idle = time.Millisecond })
	c, err := dial(t, d, n)
	if err != nil {
		t.Fatal(err)
	}
	echoes(t, c) // it is not idle as long as this is open
	c.Close()
	d.mu.Lock()
	s := d.peers[n.Addr().String()].session
	d.mu.Unlock()
	select {
	case <-s.ys.CloseChan():
	case <-time.After(patience):
		t.Fatal("the connection stays")
	}
}

// Who finds a connection that has just ended for want of streams gets a stream of
// another, and never one that is dead.
func TestIdleRace(t *testing.T) {
	n := newNode(t, 10, nil)
	d := dialer(t, func(c *DialerConfig) { c.Idle = time.Microsecond })
	for range 200 {
		c, err := dial(t, d, n)
		if err != nil {
			t.Fatal(err)
		}
		echoes(t, c)
		c.Close()
	}
}

// More streams than the limit wait; none is lost.
func TestLimit(t *testing.T) {
	n := newNode(t, 2, nil)
	d := dialer(t, nil)
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			c, err := d.DialContext(ctx, "tcp", n.Addr().String())
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			_ = c.SetDeadline(time.Now().Add(patience))
			got := make([]byte, 1)
			if _, err := c.Write([]byte("x")); err != nil {
				t.Error(err)
			}
			if _, err := io.ReadFull(c, got); err != nil {
				t.Error(err)
			}
			if open := len(n.streams.places); open > 2 {
				t.Errorf("%d streams open", open)
			}
		})
	}
	all.Wait()
}

// A reader that stops stops its own stream only.
func TestSlowReader(t *testing.T) {
	n := newNode(t, 10, nil)
	d := dialer(t, nil)
	slow, err := dial(t, d, n)
	if err != nil {
		t.Fatal(err)
	}
	_ = slow.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
	for err == nil { // both windows fill up, for nobody reads the echo
		_, err = slow.Write(make([]byte, 64<<10))
	}
	var timeout net.Error
	if !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("%v", err)
	}
	quick, err := dial(t, d, n)
	if err != nil {
		t.Fatal(err)
	}
	echoes(t, quick)
}

// A closed dialer ends what it has given out and gives no more.
func TestClose(t *testing.T) {
	n := newNode(t, 10, nil)
	d := dialer(t, nil)
	c, err := dial(t, d, n)
	if err != nil {
		t.Fatal(err)
	}
	d.Close()
	if _, err := c.Read(make([]byte, 1)); err == nil {
		t.Error("a stream outlives its dialer")
	}
	if _, err := dial(t, d, n); !errors.Is(err, ErrClosed) {
		t.Errorf("%v", err)
	}
}

// In another era streams have another connection; those of the one before go on, and it
// ends with them.
func TestEras(t *testing.T) {
	n := newNode(t, 10, nil)
	var era atomic.Uint64
	d := dialer(t, func(c *DialerConfig) { c.Era, c.Idle = era.Load, time.Hour })
	streams := make([]net.Conn, 3)
	for i := range streams {
		era.Store(uint64(i / 2))
		var err error
		if streams[i], err = dial(t, d, n); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range streams {
		echoes(t, c)
	}
	if streams[0].LocalAddr().String() != streams[1].LocalAddr().String() || streams[0].LocalAddr().String() == streams[2].LocalAddr().String() {
		t.Errorf("streams come from %s %s %s", streams[0].LocalAddr(), streams[1].LocalAddr(), streams[2].LocalAddr())
	}
	p, _ := d.peer(n.Addr().String())
	before := p.retired[0]
	streams[0].Close()
	if !before.alive() {
		t.Error("the connection has ended before its last stream")
	}
	streams[1].Close()
	select {
	case <-before.ys.CloseChan():
	case <-time.After(patience):
		t.Error("the connection of the era before is kept")
	}
	echoes(t, streams[2])
}
