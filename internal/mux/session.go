package mux

import (
	"net"
	"sync"
	"time"

	"github.com/hashicorp/yamux"
)

// session is a connection with streams, at the side that opens them. It ends by
// itself when it has had none for a while.
type session struct {
	ys   *yamux.Session
	idle time.Duration

	mu      sync.Mutex
	streams int
	ended   bool        // for want of streams
	timer   *time.Timer // of the time without streams; nil before the first is closed
}

// newSession begins a session for somebody who opens a stream now: its idle time does
// not begin before that is closed.
func newSession(ys *yamux.Session, idle time.Duration) *session {
	return &session{ys: ys, idle: idle}
}

func (s *session) alive() bool { return !s.ys.IsClosed() }

func (s *session) close() {
	s.mu.Lock()
	s.awake()
	s.mu.Unlock()
	s.ys.Close()
}

// awake ends the time without streams. The caller holds the lock.
func (s *session) awake() {
	if s.timer != nil {
		s.timer.Stop()
	}
}

// open opens a stream.
func (s *session) open() (net.Conn, error) {
	s.mu.Lock()
	if s.ended {
		s.mu.Unlock()
		return nil, yamux.ErrSessionShutdown
	}
	s.streams++
	s.awake()
	s.mu.Unlock()
	stream, err := s.ys.OpenStream()
	if err != nil {
		s.gone()
		return nil, err
	}
	return &conn{Stream: stream, closed: s.gone}, nil
}

// gone counts a stream that has been closed.
func (s *session) gone() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.streams--; s.streams == 0 {
		s.timer = time.AfterFunc(s.idle, s.rest)
	}
}

// retire ends the session with its last stream.
func (s *session) retire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.idle = 0
	if s.streams == 0 && s.timer != nil {
		s.timer.Reset(0)
	}
}

// rest ends a session that nobody uses.
func (s *session) rest() {
	s.mu.Lock()
	s.ended = s.streams == 0 // whoever opens one from now on makes another connection
	ended := s.ended
	s.mu.Unlock()
	if ended {
		s.ys.Close()
	}
}

// conn is a stream that tells when it is closed.
type conn struct {
	*yamux.Stream
	once   sync.Once
	closed func()
}

func (c *conn) Close() error {
	err := c.Stream.Close()
	c.once.Do(c.closed)
	return err
}
