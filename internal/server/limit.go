package server

import (
	"context"
	"net"
	"sync"
	"time"
)

// slots bounds the requests at work on each device, so that a disk that hangs
// takes no more than its share of connections and threads.
type slots struct {
	limit int
	mu    sync.Mutex
	used  map[string]*slot
}

// slot is one device's places. It exists as long as somebody holds or awaits one.
type slot struct {
	places chan struct{}
	users  int
}

// take waits for a place on a device. It fails when that takes too long.
func (s *slots) take(ctx context.Context, device string, wait time.Duration) (release func(), ok bool) {
	slot := s.enter(device)
	release = func() {
		<-slot.places
		s.leave(device, slot)
	}
	select {
	case slot.places <- struct{}{}:
		return release, true
	default:
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case slot.places <- struct{}{}:
		return release, true
	case <-timer.C:
	case <-ctx.Done():
	}
	s.leave(device, slot)
	return nil, false
}

func (s *slots) enter(device string) *slot {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.used == nil {
		s.used = map[string]*slot{}
	}
	if s.used[device] == nil {
		s.used[device] = &slot{places: make(chan struct{}, s.limit)}
	}
	s.used[device].users++
	return s.used[device]
}

func (s *slots) leave(device string, slot *slot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if slot.users--; slot.users == 0 {
		delete(s.used, device)
	}
}

// limitListener accepts a connection only when there is a place for it.
type limitListener struct {
	net.Listener
	places chan struct{}
	done   chan struct{}
	close  sync.Once
}

func newLimitListener(l net.Listener, limit int) *limitListener {
	return &limitListener{Listener: l, places: make(chan struct{}, limit), done: make(chan struct{})}
}

func (l *limitListener) Accept() (net.Conn, error) {
	select {
	case l.places <- struct{}{}:
	case <-l.done:
		return nil, net.ErrClosed
	}
	c, err := l.Listener.Accept()
	if err != nil {
		<-l.places
		return nil, err
	}
	return &limitedConn{Conn: c, release: func() { <-l.places }}, nil
}

func (l *limitListener) Close() error {
	l.close.Do(func() { close(l.done) })
	return l.Listener.Close()
}

// limitedConn gives its place back when it is closed.
type limitedConn struct {
	net.Conn
	once    sync.Once
	release func()
}

func (c *limitedConn) Close() error {
	defer c.once.Do(c.release)
	return c.Conn.Close()
}

// CloseWrite lets an answer be ended without being reset.
func (c *limitedConn) CloseWrite() error { return closeWrite(c.Conn) }

// closeWrite ends the stream of bytes to the other side, if the connection can.
func closeWrite(c net.Conn) error {
	if half, ok := c.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}
