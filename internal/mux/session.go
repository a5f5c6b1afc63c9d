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
	timer   *time.Timer
}

func newSession(ys *yamux.Session, idle time.Duration) *session {
	s := &session{ys: ys, idle: idle}
	s.timer = time.AfterFunc(idle, s.rest)
	return s
}

func (s *session) alive() bool { return !s.ys.IsClosed() }

func (s *session) close() {
	s.timer.Stop()
	s.ys.Close()
}

// open opens a stream.
func (s *session) open() (net.Conn, error) {
	s.mu.Lock()
	s.streams++
	s.timer.Stop()
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
		s.timer.Reset(s.idle)
	}
}

// rest ends a session that nobody uses.
func (s *session) rest() {
	s.mu.Lock()
	unused := s.streams == 0
	s.mu.Unlock()
	if unused {
		s.ys.Close() // a stream that is just being opened fails, and is opened on another
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
