package server

import (
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"understudy/internal/mux"
)

// gate looks at the head of each request before net/http sees a byte of it. What
// is foreign never reaches net/http: it is told that the peer has hung up, and the
// connection is given away with the bytes as they came. All that follows on such a
// connection is its new owner's. What is ours goes on to net/http, and the next
// request of the connection is looked at again.
type gate struct {
	net.Listener
	foreign func(head) bool
	take    func(c net.Conn, read []byte) // owns c from then on
	limit   int                           // bytes of a head; net/http refuses longer ones
}

func (g *gate) Accept() (net.Conn, error) {
	c, err := g.Listener.Accept()
	if err != nil {
		return nil, err
	}
	w := &gatedConn{Conn: c, gate: g}
	w.changed.L = &w.mu
	return w, nil
}

// state is a http.Server's ConnState: an answer is out when its connection is idle.
func (g *gate) state(c net.Conn, s http.ConnState) {
	if w, ok := c.(*gatedConn); ok && s == http.StateIdle {
		w.mu.Lock()
		w.busy--
		w.mu.Unlock()
	}
}

// gatedConn is a connection as net/http sees it. One goroutine at a time reads.
type gatedConn struct {
	net.Conn
	gate *gate

	in   []byte // read, not yet looked at in whole
	out  []byte // for net/http
	open bool   // nothing is looked at any more: there was a body, or no sense
	gone bool   // given away

	mu      sync.Mutex
	changed sync.Cond
	busy    int  // requests that net/http has and has not answered
	past    bool // reads have been told to end
	closed  bool
	given   bool
}

// Read hands on heads and, after a head with a body or one that asks for streams,
// whatever comes. The server
// closes a connection after a body, so no request follows unseen.
func (c *gatedConn) Read(p []byte) (int, error) {
	for {
		switch {
		case c.gone:
			return 0, io.EOF
		case len(c.out) > 0:
			n := copy(p, c.out)
			c.out = c.out[n:]
			return n, nil
		case c.open:
			return c.Conn.Read(p)
		}
		if end := headEnd(c.in); end > 0 || len(c.in) > c.gate.limit {
			if err := c.decide(end); err != nil {
				return 0, err
			}
			continue
		}
		if err := c.more(); err != nil {
			return 0, err
		}
	}
}

// more reads what is there. What has come is kept over a deadline; before the end
// of the stream it is net/http's to judge.
func (c *gatedConn) more() error {
	var buf [4096]byte
	n, err := c.Conn.Read(buf[:])
	c.in = append(c.in, buf[:n]...)
	if errors.Is(err, io.EOF) && len(c.in) > 0 && headEnd(c.in) == 0 {
		c.open, c.out, c.in = true, c.in, nil
		return nil
	}
	if n > 0 {
		return nil // an error comes again
	}
	return err
}

// decide says who gets a head; end is 0 for one that is too long.
func (c *gatedConn) decide(end int) error {
	h, ok := parseHead(c.in[:end])
	switch {
	case !ok || (h.bodied() || h.path == mux.Path) && !c.gate.foreign(h):
		c.open, c.out, c.in = true, c.in, nil
	case !c.gate.foreign(h):
		c.out, c.in = c.in[:end:end], c.in[end:]
		c.mu.Lock()
		c.busy++
		c.mu.Unlock()
	default:
		return c.giveAway()
	}
	return nil
}

// giveAway is called with a foreign head. One that came before the last answer is
// out has to wait: then it is net/http's look-out for a peer that hangs up that
// reads here.
func (c *gatedConn) giveAway() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.busy > 0 && !c.past && !c.closed {
		c.changed.Wait()
	}
	switch {
	case c.closed:
		return net.ErrClosed
	case c.busy > 0:
		return os.ErrDeadlineExceeded
	}
	c.given = true
	c.gate.take(c.Conn, c.in)
	c.in, c.gone = nil, true
	return io.EOF
}

// Close leaves a connection alone that has been given away.
func (c *gatedConn) Close() error {
	c.mu.Lock()
	c.closed = true
	c.changed.Broadcast()
	given := c.given
	c.mu.Unlock()
	if given {
		return nil
	}
	return c.Conn.Close()
}

func (c *gatedConn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// SetReadDeadline also ends the wait in giveAway: a time that is over is how
// net/http calls its look-out back.
func (c *gatedConn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.past = !t.IsZero() && !t.After(time.Now())
	c.changed.Broadcast()
	if c.given {
		return nil
	}
	return c.Conn.SetReadDeadline(t)
}

func (c *gatedConn) SetWriteDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.given {
		return nil
	}
	return c.Conn.SetWriteDeadline(t)
}

// CloseWrite lets net/http end an answer without resetting it.
func (c *gatedConn) CloseWrite() error { return closeWrite(c.Conn) }
