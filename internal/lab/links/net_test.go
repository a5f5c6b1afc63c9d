package links

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// network makes one. CI has root and ip: there it must not fail.
func network(t *testing.T, nodes int) *Net {
	t.Helper()
	n, err := New(t.Context(), nodes)
	if errors.Is(err, ErrNone) && os.Getenv("CI") == "" && os.Geteuid() != 0 {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

// echo serves a node: what comes goes back.
func echo(t *testing.T, n *Net, node int) {
	t.Helper()
	var l net.Listener
	err := n.At(node, func() (err error) {
		l, err = net.Listen("tcp4", net.JoinHostPort(IP(node), "6200"))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.Copy(c, c) // one at a time
			_ = c.Close()
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-served })
}

func dial(t *testing.T, n *Net, from, to int, patience time.Duration) (net.Conn, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var c net.Conn
	err := n.At(from, func() (err error) {
		c, err = (&net.Dialer{}).DialContext(ctx, "tcp4", net.JoinHostPort(IP(to), "6200"))
		return err
	})
	return c, err
}

// says tells whether something comes back on a connection within a time.
func says(t *testing.T, c net.Conn, patience time.Duration) bool {
	t.Helper()
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write([]byte("x")); err != nil {
		return false
	}
	_, err := io.ReadFull(c, make([]byte, 1))
	return err == nil
}

const (
	long   = 20 * time.Second       // for what must come
	moment = 300 * time.Millisecond // for what must not
)

// A cut is silent, is one of a connection that there is as well, concerns nobody else,
// and ends.
func TestCut(t *testing.T) {
	n := network(t, 3)
	echo(t, n, 2)
	c, err := dial(t, n, 1, 2, long)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if !says(t, c, long) {
		t.Fatal("nothing passes on a link that is whole")
	}
	if err := n.Cut(t.Context(), []int{1}, []int{2}); err != nil {
		t.Fatal(err)
	}
	if says(t, c, moment) {
		t.Error("a connection goes on over a link that is cut")
	}
	if _, err := dial(t, n, 1, 2, moment); !errors.Is(err, context.DeadlineExceeded) && !os.IsTimeout(err) {
		t.Errorf("a new connection: %v, not silence", err)
	}
	if n.Broken() != 1 {
		t.Errorf("%d links are cut", n.Broken())
	}
	if err := n.Heal(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := c.SetDeadline(time.Now().Add(long)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(c, make([]byte, 1)); err != nil { // what was sent meanwhile is sent again
		t.Errorf("after the cut: %v", err)
	}
	_ = c.Close()
	third, err := n.Dial(t.Context(), "tcp4", net.JoinHostPort(IP(2), "6200"))
	if err != nil {
		t.Fatal(err)
	}
	if !says(t, third, long) {
		t.Error("nobody answers the hub")
	}
	_ = third.Close()
}

func TestNodeAt(t *testing.T) {
	for ip, want := range map[string]int{"10.77.0.7": 7, "10.77.0.254": 0, "10.77.0.": 0, "127.0.0.1": 0, "10.77.1.3": 0, "": 0} {
		if got := NodeAt(ip); got != want {
			t.Errorf("%q: node %d, not %d", ip, got, want)
		}
	}
}
