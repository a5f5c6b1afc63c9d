package simnet

import (
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// window is how many bytes may be under way or unread in one direction.
const window = 128 << 10

// Conn is one end of a connection. It implements net.Conn as a *net.TCPConn would.
type Conn struct {
	net           *Net
	name          string
	local, remote *net.TCPAddr
	peer          *Conn
	in, out       *half
	reads, writes *deadline
	lost          atomic.Bool // this end is broken, whatever the other knows
	once          sync.Once
}

// half is one direction of a connection.
type half struct {
	net      *Net
	name     string
	from, to string

	mu      sync.Mutex
	rng     *rand.Rand
	weather Weather
	queue   [][]byte // under way; nil is the end of the stream
	flying  int      // bytes in queue
	buf     []byte   // has come
	ended   bool     // the end has come
	shut    bool     // nothing more is written
	err     error    // both ends are broken by it
	deaf    bool     // the reader has closed
	passed  int      // bytes written

	swallowed bool // the reader has seen the end, but the writer does not know it
	breaks    int  // breaks after so many bytes; 0: never
	stalls    int  // nothing is delivered after so many bytes; 0: never
	shuts     int  // the reader sees the end after so many bytes; 0: never
	noise     int  // bytes are noise after so many; 0: never
	rate      int  // bytes a second; 0: as many as come
	busy      bool // a delivery is posted or held
	changed   chan struct{}
}

func (n *Net) pair(name string, local, remote *net.TCPAddr, rng *rand.Rand, w Weather) (here, there *Conn) {
	make1 := func(suffix, from, to string) *half {
		h := &half{
			net: n, name: name + suffix, from: from, to: to, weather: w, changed: make(chan struct{}),
			rng: rand.New(rand.NewPCG(rng.Uint64(), 1)),
		}
		for _, fate := range []struct {
			chance int
			after  *int
		}{{w.Reset, &h.breaks}, {w.Stall, &h.stalls}, {w.HalfShut, &h.shuts}, {w.Noise, &h.noise}} {
			if rng.IntN(1000) < fate.chance {
				*fate.after = 1 + rng.IntN(1<<(1+rng.IntN(14)))
			}
		}
		if rng.IntN(1000) < w.Slow {
			h.rate = 512 << rng.IntN(8)
			n.count("net: slow")
		}
		return h
	}
	a, b := local.IP.String(), remote.IP.String()
	go1, back := make1(" >", a, b), make1(" <", b, a)
	end := func(name string, local, remote *net.TCPAddr, in, out *half) *Conn {
		return &Conn{
			net: n, name: name, local: local, remote: remote, in: in, out: out,
			reads: newDeadline(n.sched, name+" read deadline"), writes: newDeadline(n.sched, name+" write deadline"),
		}
	}
	here, there = end(name, local, remote, back, go1), end(name+"'", remote, local, go1, back)
	here.peer, there.peer = there, here
	n.conns[here], n.conns[there] = true, true
	return here, there
}

// tell wakes whoever waits for a change. The lock is held.
func (h *half) tell() {
	close(h.changed)
	h.changed = make(chan struct{})
}

// post asks for the next delivery. The lock is not held.
func (h *half) post() {
	h.mu.Lock()
	d := h.net.delay(h.rng, h.weather)
	if h.rate > 0 && len(h.queue) > 0 {
		d += time.Duration(len(h.queue[0])) * time.Second / time.Duration(h.rate)
	}
	h.mu.Unlock()
	if d > 0 {
		h.net.sched.After(d, h.name, h.deliver)
	} else {
		h.net.sched.Post(h.name, h.deliver)
	}
}

// deliver brings the next piece to its reader.
func (h *half) deliver() {
	h.net.mu.Lock()
	if h.net.blocked(h.from, h.to) {
		h.net.held = append(h.net.held, h)
		h.net.mu.Unlock()
		return
	}
	h.net.mu.Unlock()
	h.mu.Lock()
	if h.err != nil || len(h.queue) == 0 {
		h.busy = false
		h.mu.Unlock()
		return
	}
	piece := h.queue[0]
	h.queue = h.queue[1:]
	h.flying -= len(piece)
	switch {
	case h.deaf && piece != nil:
		h.err = syscall.ECONNRESET // nobody reads any more
	case piece == nil:
		h.ended = true
	default:
		h.buf = append(h.buf, piece...)
	}
	h.tell()
	h.busy = len(h.queue) > 0 && h.err == nil
	again := h.busy
	h.mu.Unlock()
	if again {
		h.post()
	}
}

// send puts bytes under way, as many as the window lets through.
func (h *half) send(p []byte) (n int, post bool) {
	n = min(len(p), window-h.flying-len(h.buf))
	if n <= 0 {
		return 0, false
	}
	if h.breaks > 0 && h.passed+n >= h.breaks {
		n = max(0, h.breaks-h.passed)
		h.err = syscall.ECONNRESET
		h.net.count("net: reset")
		h.tell()
		return n, false
	}
	if h.swallowed {
		return n, false
	}
	whole := n
	if h.shuts > 0 && h.passed+n >= h.shuts {
		n = max(0, h.shuts-h.passed)
		h.swallowed = true
		h.net.count("net: half-shut")
	}
	rest := append([]byte(nil), p[:n]...)
	h.spoil(rest)
	for len(rest) > 0 {
		k := len(rest)
		if h.weather.Fragment && k > 1 {
			k = 1 + h.rng.IntN(k)
		}
		h.queue = append(h.queue, rest[:k:k])
		rest = rest[k:]
	}
	h.passed += n
	h.flying += n
	if h.swallowed {
		h.queue = append(h.queue, nil)
	}
	if h.stalls > 0 && h.passed >= h.stalls {
		if !h.busy {
			h.net.count("net: stall")
		}
		h.busy = true // and stays so: nothing is ever posted
		return whole, false
	}
	post = !h.busy && len(h.queue) > 0
	h.busy = h.busy || post
	return whole, post
}

// spoil makes noise of what comes late enough.
func (h *half) spoil(p []byte) {
	if h.noise == 0 || h.passed+len(p) <= h.noise {
		return
	}
	if h.passed <= h.noise {
		h.net.count("net: noise")
	}
	for i := max(0, h.noise-h.passed); i < len(p); i++ {
		p[i] = byte(h.rng.Uint64())
	}
}

// Write implements net.Conn.
func (c *Conn) Write(p []byte) (done int, err error) {
	c.net.sched.Gate(c.name + " write")
	h := c.out
	for {
		h.mu.Lock()
		switch {
		case c.lost.Load():
			err = syscall.ECONNRESET
		case h.err != nil:
			err = h.err
		case h.shut:
			err = net.ErrClosed
		case c.writes.passed():
			err = os.ErrDeadlineExceeded
		}
		if err != nil || len(p) == 0 {
			h.mu.Unlock()
			if err != nil {
				err = c.fail("write", err)
			}
			return done, err
		}
		n, post := h.send(p)
		wait := h.changed
		h.mu.Unlock()
		if post {
			h.post()
		}
		done += n
		p = p[n:]
		switch {
		case len(p) == 0:
			return done, nil
		case n > 0:
			continue
		}
		select {
		case <-wait:
		case <-c.writes.wait():
		}
		c.net.sched.Gate(c.name + " write goes on")
	}
}

// Read implements net.Conn. Who gets an error goes on by a step of its own: others have
// been woken by the same thing, or make it happen.
func (c *Conn) Read(p []byte) (int, error) {
	h := c.in
	for {
		h.mu.Lock()
		var err error
		switch {
		case h.deaf:
			err = net.ErrClosed
		case c.lost.Load():
			err = syscall.ECONNRESET
		case c.reads.passed():
			err = os.ErrDeadlineExceeded
		case len(h.buf) > 0:
			n := copy(p, h.buf)
			h.buf = h.buf[n:]
			h.tell()
			h.mu.Unlock()
			return n, nil
		case h.err != nil:
			err = h.err
		case h.ended:
			h.mu.Unlock()
			return 0, io.EOF
		case len(p) == 0:
			h.mu.Unlock()
			return 0, nil
		}
		wait := h.changed
		h.mu.Unlock()
		if err != nil {
			c.net.sched.Gate(c.name + " read fails")
			return 0, c.fail("read", err)
		}
		select {
		case <-wait:
		case <-c.reads.wait():
		}
	}
}

func (c *Conn) fail(op string, err error) error {
	return &net.OpError{Op: op, Net: "tcp", Source: c.local, Addr: c.remote, Err: err}
}

// CloseWrite ends the stream to the other side.
func (c *Conn) CloseWrite() error {
	h := c.out
	h.mu.Lock()
	if h.shut || h.err != nil || c.lost.Load() {
		h.mu.Unlock()
		return nil
	}
	h.shut = true
	post := !h.busy && !h.swallowed
	if !h.swallowed {
		h.queue = append(h.queue, nil)
		h.busy = true
	}
	h.tell()
	h.mu.Unlock()
	if post {
		h.post()
	}
	return nil
}

// Close implements net.Conn. Bytes that nobody has read make it a reset.
func (c *Conn) Close() error {
	c.once.Do(func() {
		h := c.in
		h.mu.Lock()
		unread := len(h.buf) > 0
		h.deaf = true
		h.tell()
		h.mu.Unlock()
		if unread && !c.lost.Load() {
			peer := c.peer
			c.net.sched.Post(c.name+" reset", func() { peer.broken() })
		}
		_ = c.CloseWrite()
		c.forget()
		c.reads.end()
		c.writes.end()
	})
	return nil
}

func (c *Conn) forget() {
	c.net.mu.Lock()
	delete(c.net.conns, c)
	c.net.mu.Unlock()
}

// broken ends this end by a reset. The other learns of it by its own packet, if at all.
func (c *Conn) broken() {
	c.lost.Store(true)
	for _, h := range []*half{c.in, c.out} {
		h.mu.Lock()
		h.tell()
		h.mu.Unlock()
	}
}

// LocalAddr implements net.Conn.
func (c *Conn) LocalAddr() net.Addr { return c.local }

// RemoteAddr implements net.Conn.
func (c *Conn) RemoteAddr() net.Addr { return c.remote }

// SetDeadline implements net.Conn.
func (c *Conn) SetDeadline(t time.Time) error {
	c.reads.set(t)
	c.writes.set(t)
	return nil
}

// SetReadDeadline implements net.Conn.
func (c *Conn) SetReadDeadline(t time.Time) error { c.reads.set(t); return nil }

// SetWriteDeadline implements net.Conn.
func (c *Conn) SetWriteDeadline(t time.Time) error { c.writes.set(t); return nil }
