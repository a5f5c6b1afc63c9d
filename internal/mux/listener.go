package mux

import (
	"bufio"
	"net"
	"sync"

	"github.com/hashicorp/yamux"
	"github.com/rs/zerolog"
)

// Listener accepts the streams of connections that were upgraded. It bounds how many
// of them are open; the others wait.
type Listener struct {
	address net.Addr
	log     zerolog.Logger
	streams chan net.Conn
	places  chan struct{}
	done    chan struct{}
	close   sync.Once

	mu       sync.Mutex
	sessions map[*yamux.Session]struct{}
	ended    bool
}

// NewListener makes a Listener of at most limit streams. The address is the one that
// the upgraded connections were made to.
func NewListener(address net.Addr, limit int, log zerolog.Logger) *Listener {
	return &Listener{
		address: address, log: log, streams: make(chan net.Conn), places: make(chan struct{}, limit),
		done: make(chan struct{}), sessions: map[*yamux.Session]struct{}{},
	}
}

// Adopt grants an upgrade on a connection that was taken from its HTTP server, and
// serves it until it ends. in holds what was already read of it.
func (l *Listener) Adopt(c net.Conn, in *bufio.Reader) {
	defer c.Close()
	if _, err := c.Write([]byte(accepted)); err != nil {
		return
	}
	session, err := yamux.Server(unread(c, in), config(l.log))
	if err != nil {
		l.log.Error().Err(err).Stringer("peer", c.RemoteAddr()).Msg("streams not begun")
		return
	}
	defer session.Close()
	if !l.enter(session) {
		return
	}
	defer l.leave(session)
	for l.next(session) {
	}
}

// next passes one stream on.
func (l *Listener) next(session *yamux.Session) bool {
	stream, err := session.AcceptStream()
	if err != nil {
		return false
	}
	select {
	case l.places <- struct{}{}:
	case <-l.done:
		stream.Close() // no more are taken, but what has begun goes on
		return true
	case <-session.CloseChan():
		return false
	}
	c := &conn{Stream: stream, closed: func() { <-l.places }}
	select {
	case l.streams <- c:
	case <-l.done:
		c.Close()
	}
	return true
}

func (l *Listener) enter(s *yamux.Session) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.ended {
		l.sessions[s] = struct{}{}
	}
	return !l.ended
}

func (l *Listener) leave(s *yamux.Session) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.sessions, s)
}

// Accept returns the next stream: a net.Conn that IsStream knows.
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.streams:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

// Close takes no more streams. Those that are open go on.
func (l *Listener) Close() error {
	l.close.Do(func() { close(l.done) })
	return nil
}

// End closes all connections, with the streams in them.
func (l *Listener) End() {
	_ = l.Close()
	l.mu.Lock()
	l.ended = true
	var all []*yamux.Session
	for s := range l.sessions {
		all = append(all, s)
	}
	l.mu.Unlock()
	for _, s := range all {
		s.Close()
	}
}

// Addr is where the upgraded connections were made to.
func (l *Listener) Addr() net.Addr { return l.address }

// IsStream tells whether a connection is a stream of another.
func IsStream(c net.Conn) bool {
	_, ok := c.(*conn)
	return ok
}
