package network

import (
	"errors"
	"net"
	"sync"
	"syscall"
	"time"

	"understudy/internal/fault"
)

// conn is a connection with the faults of a plan in it. It hides a *net.TCPConn, so
// bodies go through this process.
type conn struct {
	net.Conn
	faults   *fault.Injector
	event    fault.Event // without the operation
	in, out  string      // operations
	damage   damage
	reading  deadline
	writing  deadline
	closed   chan struct{}
	closing  sync.Once
	incoming []byte // has come, but is not to be seen before a cut is over; of the reader

	mu     sync.Mutex // guards what follows
	queue  []byte     // was written into a cut
	silent *fault.Hit // the cut that is on, or a stall
}

// queued is how much can be written into a cut before the writer has to wait.
const queued = 64 << 10

func newConn(under net.Conn, faults *fault.Injector, e fault.Event, in, out string, h fault.Hit, hit bool) net.Conn {
	c := &conn{Conn: under, faults: faults, event: e, in: in, out: out, closed: make(chan struct{})}
	if hit {
		c.damage.set(h, faults)
	}
	return c
}

// meet asks what happens to a read or write.
func (c *conn) meet(op string, d *deadline) error {
	e := c.event
	e.Op = op
	h, hit := c.faults.At(&e)
	if !hit {
		return nil
	}
	switch h.Verb {
	case "delay":
		return c.pause(d, h, h.Duration())
	case "cut":
		c.silence(h)
	}
	return nil
}

func (c *conn) silence(h fault.Hit) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.silent == nil {
		c.silent = &h
	}
}

// silenced is the fault that lets nothing through, nil when it is over. What was written
// meanwhile is sent then.
func (c *conn) silenced() (*fault.Hit, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.silent == nil {
		return nil, nil
	}
	if c.faults.Lasts(*c.silent) {
		return c.silent, nil
	}
	c.silent = nil
	queue := c.queue
	c.queue = nil
	if len(queue) == 0 {
		return nil, nil
	}
	_, err := c.Conn.Write(queue)
	return nil, err
}

func (c *conn) Read(p []byte) (int, error) {
	for len(c.incoming) == 0 && len(p) > 0 {
		if err := c.receive(p); err != nil {
			return 0, err
		}
	}
	if err := c.meet(c.in, &c.reading); err != nil {
		return 0, c.failed("read", err)
	}
	if err := c.listen(); err != nil {
		return 0, c.failed("read", err)
	}
	n := copy(p, c.incoming)
	c.incoming = c.incoming[n:]
	return n, nil
}

// receive takes in what has come, up to len(p) bytes. Nothing comes while the connection
// is silent. What has come stays, also when the deadline is over before it is to be seen.
func (c *conn) receive(p []byte) error {
	if err := c.listen(); err != nil {
		return c.failed("read", err)
	}
	room, end := c.damage.room(len(p))
	if end && c.damage.hit.Verb != "half-close" {
		return c.end("read", &c.reading)
	} else if end {
		room = len(p)
	}
	n, err := c.Conn.Read(p[:room])
	if n == 0 {
		return err
	}
	c.damage.passed(p[:n], true)
	c.incoming = append(c.incoming[:0], p[:n]...)
	if h, d := c.damage.slow(n); d > 0 {
		if err := c.pause(&c.reading, h, d); err != nil {
			return c.failed("read", err)
		}
	}
	return nil
}

// listen waits as long as the connection is silent.
func (c *conn) listen() error {
	for {
		h, err := c.silenced()
		if h == nil || err != nil {
			return err
		}
		if err := c.hold(&c.reading, *h); err != nil {
			return err
		}
	}
}

func (c *conn) Write(p []byte) (done int, err error) {
	if err := c.meet(c.out, &c.writing); err != nil {
		return 0, c.failed("write", err)
	}
	for done < len(p) {
		n, err := c.send(p[done:])
		done += n
		if err != nil {
			return done, err
		}
	}
	return done, nil
}

func (c *conn) send(p []byte) (int, error) {
	h, err := c.silenced()
	if err != nil {
		return 0, c.failed("write", err)
	}
	if h != nil {
		return c.enqueue(p, *h)
	}
	room, end := c.damage.room(len(p))
	if end {
		if c.damage.hit.Verb == "half-close" {
			return len(p), c.halfClose()
		}
		return 0, c.end("write", &c.writing)
	}
	piece := c.damage.sent(p[:room])
	n, err := c.Conn.Write(piece)
	c.damage.passed(piece[:max(n, 0)], false)
	if h, d := c.damage.slow(n); d > 0 && err == nil {
		err = c.pause(&c.writing, h, d)
	}
	return n, err
}

// enqueue keeps for later what is written into the silence, as a socket buffer does.
func (c *conn) enqueue(p []byte, h fault.Hit) (int, error) {
	c.mu.Lock()
	n := min(len(p), queued-len(c.queue))
	c.queue = append(c.queue, p[:n]...)
	c.mu.Unlock()
	if n > 0 {
		return n, nil
	}
	if err := c.hold(&c.writing, h); err != nil {
		return 0, c.failed("write", err)
	}
	return 0, nil
}

// end is what happens to a connection whose bytes are used up.
func (c *conn) end(op string, d *deadline) error {
	switch c.damage.hit.Verb {
	case "stall":
		c.silence(c.damage.hit)
		err := c.hold(d, c.damage.hit)
		if err == nil {
			c.damage.over()
			return nil
		}
		return c.failed(op, err)
	default:
		return c.failed(op, reset(c.Conn))
	}
}

func (c *conn) halfClose() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok && c.damage.closeOnce() {
		return half.CloseWrite()
	}
	return nil
}

func (c *conn) failed(op string, err error) error {
	var op2 *net.OpError
	if errors.As(err, &op2) {
		return err
	}
	return &net.OpError{Op: op, Net: "tcp", Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: err}
}

func (c *conn) SetDeadline(t time.Time) error {
	c.reading.set(t)
	c.writing.set(t)
	return c.Conn.SetDeadline(t)
}

func (c *conn) SetReadDeadline(t time.Time) error {
	c.reading.set(t)
	return c.Conn.SetReadDeadline(t)
}

func (c *conn) SetWriteDeadline(t time.Time) error {
	c.writing.set(t)
	return c.Conn.SetWriteDeadline(t)
}

func (c *conn) Close() error {
	c.closing.Do(func() { close(c.closed) })
	return c.Conn.Close()
}

// CloseWrite ends what we send.
func (c *conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}

// SyscallConn lets a pool see whether an idle connection is still good.
func (c *conn) SyscallConn() (syscall.RawConn, error) {
	if under, ok := c.Conn.(syscall.Conn); ok {
		return under.SyscallConn()
	}
	return nil, errors.ErrUnsupported
}
