package replicate

import (
	"bufio"
	"errors"
	"net"
	"sync"
	"syscall"
	"time"
)

// Bounds of the idle connections. The time is short because a stock object
// server keeps one of its max_clients places for each.
const (
	idlePerPeer = 4
	idleInAll   = 256
	idleFor     = 5 * time.Second
)

// conn is a connection to one peer. It belongs to one exchange at a time.
type conn struct {
	net.Conn
	address  string
	r        *bufio.Reader
	out      []byte // the request, kept for its memory
	raw      syscall.RawConn
	answered bool      // a byte of the present response has come
	since    time.Time // idle since
}

func newConn(address string, nc net.Conn) *conn {
	c := &conn{Conn: nc, address: address, r: bufio.NewReaderSize(nc, maxLine)}
	if sc, ok := nc.(syscall.Conn); ok {
		c.raw, _ = sc.SyscallConn() // nil on error: then the connection is never kept
	}
	return c
}

// quiet tells whether the peer has neither closed the connection nor sent
// anything on it that nobody asked for. It does not wait.
func (c *conn) quiet() bool {
	if c.raw == nil {
		return false
	}
	quiet := false
	err := c.raw.Read(func(fd uintptr) bool {
		var b [1]byte
		_, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		quiet = errors.Is(err, syscall.EAGAIN)
		return true
	})
	return err == nil && quiet
}

// abort makes all I/O of the connection fail from now on.
func (c *conn) abort() { _ = c.SetDeadline(time.Unix(1, 0)) }

// pool keeps idle connections, the latest used first to be used again. Its zero
// value is an empty pool.
type pool struct {
	mu     sync.Mutex
	idle   map[string][]*conn
	count  int
	reaper *time.Timer // runs while there are idle connections
	closed bool
}

// get takes the connection to address that was idle for the shortest time and is
// still good, or nil.
func (p *pool) get(address string) *conn {
	for {
		c := p.take(address)
		if c == nil {
			return nil
		}
		if c.SetDeadline(time.Time{}) == nil && c.quiet() {
			return c
		}
		_ = c.Close()
	}
}

func (p *pool) take(address string) *conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := p.idle[address]
	if len(list) == 0 {
		return nil
	}
	c := list[len(list)-1]
	list[len(list)-1] = nil
	p.idle[address] = list[:len(list)-1]
	p.count--
	c.answered = false
	return c
}

func (p *pool) put(c *conn) {
	if !p.keep(c) {
		_ = c.Close()
	}
}

func (p *pool) keep(c *conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.count >= idleInAll || len(p.idle[c.address]) >= idlePerPeer {
		return false
	}
	if p.idle == nil {
		p.idle = map[string][]*conn{}
	}
	c.since = time.Now()
	p.idle[c.address] = append(p.idle[c.address], c)
	p.count++
	if p.reaper == nil {
		p.reaper = time.AfterFunc(idleFor, func() { p.reap(time.Now()) })
	}
	return true
}

// reap closes the connections that have been idle for too long by now.
func (p *pool) reap(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for address, list := range p.idle {
		old := 0
		for old < len(list) && now.Sub(list[old].since) >= idleFor {
			_ = list[old].Close()
			old++
		}
		p.count -= old
		if old == len(list) {
			delete(p.idle, address)
			continue
		}
		p.idle[address] = append([]*conn(nil), list[old:]...)
	}
	p.reaper = nil
	if p.count > 0 {
		p.reaper = time.AfterFunc(idleFor, func() { p.reap(time.Now()) })
	}
}

func (p *pool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	if p.reaper != nil {
		p.reaper.Stop()
		p.reaper = nil
	}
	for _, list := range p.idle {
		for _, c := range list {
			_ = c.Close()
		}
	}
	p.idle, p.count = nil, 0
}
