package mux

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/yamux"
	"github.com/rs/zerolog"
)

// DialerConfig is what a Dialer needs. Ours is required.
type DialerConfig struct {
	// Ours tells whether the peer at an address is known to run this program. Others
	// are given connections of their own, and never asked. It must not block.
	Ours func(address string) bool
	// Dial connects; a net.Dialer's DialContext when nil.
	Dial  func(ctx context.Context, network, address string) (net.Conn, error)
	Idle  time.Duration // how long a connection without streams is kept; one minute when 0
	Retry time.Duration // how long a peer that refused is not asked again; ten minutes when 0
	Log   zerolog.Logger

	// Era is what connections that are kept belong to: one of another era gets no more
	// streams, and ends with those that it has. Nil: all are of one.
	Era func() uint64
}

// Dialer gives out streams: to each peer over one connection, which is made when the
// first is needed. It is safe for concurrent use.
type Dialer struct {
	cfg DialerConfig

	mu     sync.Mutex
	peers  map[string]*peer
	closed bool
}

// peer is the connection to one address.
type peer struct {
	turn    chan struct{} // who connects has it
	session *session      // nil: there is none
	era     uint64        // of session
	retired []*session    // of other eras, perhaps with streams
	refused time.Time
}

// ErrClosed is the answer of a Dialer that has been closed.
var ErrClosed = errors.New("dialer of streams is closed")

// errRefused says that the peer speaks HTTP but does not grant the upgrade.
var errRefused = errors.New("peer takes no streams")

// NewDialer makes a Dialer. It connects to nobody.
func NewDialer(cfg DialerConfig) *Dialer {
	if cfg.Dial == nil {
		cfg.Dial = (&net.Dialer{KeepAlive: -1}).DialContext // yamux has its own
	}
	if cfg.Idle <= 0 {
		cfg.Idle = time.Minute
	}
	if cfg.Retry <= 0 {
		cfg.Retry = 10 * time.Minute
	}
	if cfg.Era == nil {
		cfg.Era = func() uint64 { return 0 }
	}
	return &Dialer{cfg: cfg, peers: map[string]*peer{}}
}

// DialContext connects to an address: by a stream if its node runs this program and
// grants one, else by a connection of its own.
func (d *Dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	if !d.cfg.Ours(address) {
		return d.cfg.Dial(ctx, network, address)
	}
	conn, err := d.stream(ctx, network, address)
	if errors.Is(err, errRefused) {
		return d.cfg.Dial(ctx, network, address)
	}
	return conn, err
}

// stream opens a stream. A connection that has died meanwhile is made anew, once.
func (d *Dialer) stream(ctx context.Context, network, address string) (net.Conn, error) {
	for again := false; ; again = true {
		s, err := d.session(ctx, network, address)
		if err != nil {
			return nil, err
		}
		conn, err := s.open()
		if err == nil {
			return conn, nil
		}
		s.close()
		if again {
			return nil, fmt.Errorf("open a stream to %s: %w", address, err)
		}
	}
}

// session is the living connection to an address.
func (d *Dialer) session(ctx context.Context, network, address string) (*session, error) {
	p, err := d.peer(address)
	if err != nil {
		return nil, err
	}
	select {
	case p.turn <- struct{}{}:
		defer func() { <-p.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	era := d.cfg.Era()
	if p.session != nil && p.session.alive() {
		if p.era == era {
			return p.session, nil
		}
		d.retire(p)
	}
	if time.Since(p.refused) < d.cfg.Retry {
		return nil, errRefused
	}
	s, err := d.connect(ctx, network, address)
	if errors.Is(err, errRefused) {
		p.refused = time.Now()
		d.cfg.Log.Debug().Err(err).Str("peer", address).Msg("no streams")
	}
	if err != nil {
		return nil, err
	}
	return s, d.keep(p, s, era)
}

// retire lets the streams of a peer's connection be its last.
func (d *Dialer) retire(p *peer) {
	d.mu.Lock()
	defer d.mu.Unlock()
	p.retired = slices.DeleteFunc(p.retired, func(s *session) bool { return !s.alive() })
	p.retired = append(p.retired, p.session)
	p.session.retire()
	p.session = nil
}

func (d *Dialer) peer(address string) (*peer, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil, ErrClosed
	}
	p := d.peers[address]
	if p == nil {
		p = &peer{turn: make(chan struct{}, 1)}
		d.peers[address] = p
	}
	return p, nil
}

// keep makes a session known, so that Close finds it.
func (d *Dialer) keep(p *peer, s *session, era uint64) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		s.close()
		return ErrClosed
	}
	p.session, p.era = s, era
	return nil
}

// connect makes a connection and has it upgraded.
func (d *Dialer) connect(ctx context.Context, network, address string) (*session, error) {
	conn, err := d.cfg.Dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	// A closed connection ends every read and write.
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	upgraded, err := upgrade(conn, address)
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		conn.Close()
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return nil, err
	}
	ys, err := yamux.Client(upgraded, config(d.cfg.Log))
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("begin streams to %s: %w", address, err)
	}
	return newSession(ys, d.cfg.Idle), nil
}

// upgrade asks for streams. errRefused: the peer does not know them.
func upgrade(conn net.Conn, address string) (net.Conn, error) {
	if err := conn.SetDeadline(time.Now().Add(writeTimeout)); err != nil {
		return nil, err
	}
	if _, err := conn.Write(request(address)); err != nil {
		return nil, err
	}
	in := bufio.NewReader(conn)
	r, err := http.ReadResponse(in, nil)
	if err != nil {
		return nil, fmt.Errorf("read the answer of %s: %w", address, err)
	}
	if r.StatusCode != http.StatusSwitchingProtocols || r.Header.Get("Upgrade") != Protocol {
		return nil, fmt.Errorf("%w: %s answers %s", errRefused, address, r.Status)
	}
	return unread(conn, in), conn.SetDeadline(time.Time{})
}

// Close ends all connections, with the streams in them.
func (d *Dialer) Close() {
	d.mu.Lock()
	d.closed = true
	var all []*session
	for _, p := range d.peers {
		all = append(all, p.retired...)
		if p.session != nil {
			all = append(all, p.session)
		}
	}
	d.mu.Unlock()
	for _, s := range all {
		s.close()
	}
}
