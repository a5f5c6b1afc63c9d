package remoteapi

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"understudy/messages/controlpb"
)

var (
	errNobody     = errors.New("reserve: there is nobody to ask")
	errUnasked    = errors.New("reserve: the node did not answer a moment ago")
	errNotOffered = errors.New("reserve: the node keeps no account of pushes")
)

// session is an admission while it is served: whom it has asked, and what it holds.
type session struct {
	system   *actor.ActorSystem
	patience time.Duration
	peers    peers
	ends     context.Context
	cancel   context.CancelFunc

	mu     sync.Mutex
	closed bool
	work   sync.WaitGroup
}

func newSession(system *actor.ActorSystem, patience, quiet time.Duration) *session {
	s := &session{system: system, patience: patience, peers: peers{rest: quiet, by: map[string]*peerState{}}}
	s.ends, s.cancel = context.WithCancel(context.Background())
	return s
}

// later runs f on a goroutine that close waits for, unless the session has been closed.
func (s *session) later(f func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.work.Go(f)
	}
	return !s.closed
}

// close has all leases given back, and waits for that: as long as one owner may take.
func (s *session) close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.cancel()
	s.work.Wait()
}

func (s *session) ask(ctx context.Context, address string, m *controlpb.Request) (*controlpb.Reply, error) {
	return Ask(ctx, s.system, actor.NewPID(address, FacadeName), m)
}

// reserve asks an owner. One that does not answer in time, or says that it has no such
// service, is left alone for a while, and whoever waits for it waits no more.
func (s *session) reserve(ctx context.Context, address string, m *controlpb.Request) (*controlpb.Reply, error) {
	caller := ctx
	ctx, cancel := context.WithTimeout(ctx, s.patience)
	defer cancel()
	peer, known := s.peers.enter(address)
	if !known {
		return nil, errUnasked
	}
	defer context.AfterFunc(peer.given, cancel)()
	r, err := s.ask(ctx, address, m)
	if err != nil {
		if end, some := caller.Deadline(); caller.Err() == nil && (!some || time.Now().Before(end)) {
			s.peers.leave(address, peer)
		}
		return nil, err
	}
	if e := r.GetError(); e != nil {
		if e.Code != controlpb.Error_UNKNOWN_NAME { // that is one disk, by another ring than ours
			s.peers.leave(address, peer)
		}
		return nil, fmt.Errorf("%w: %s", errNotOffered, e.Message)
	}
	if r.GetReserved() == nil {
		s.peers.leave(address, peer)
		return nil, fmt.Errorf("%w: %s answers %T", errNotOffered, address, r.Answer)
	}
	return r, nil
}

// peers remembers who is not worth asking.
type peers struct {
	rest time.Duration

	mu sync.Mutex
	by map[string]*peerState // by address
}

type peerState struct {
	given context.Context // ends when the peer is given up
	up    context.CancelFunc
	until time.Time // given up until then; zero: it is not
}

// mostPeers bounds what is remembered.
const mostPeers = 4096

// quiet tells whether a peer has been given up.
func (p *peers) quiet(address string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.by[address]
	return s != nil && time.Now().Before(s.until)
}

// enter is called before a question; false: it is not worth one.
func (p *peers) enter(address string) (*peerState, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.by[address]
	switch {
	case s != nil && time.Now().Before(s.until):
		return nil, false
	case s != nil && s.until.IsZero():
		return s, true
	}
	if len(p.by) >= mostPeers {
		clear(p.by)
	}
	s = &peerState{}
	s.given, s.up = context.WithCancel(context.Background())
	p.by[address] = s
	return s, true
}

// leave gives a peer up for a while.
func (p *peers) leave(address string, s *peerState) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.by[address] == s && s.until.IsZero() {
		s.until = time.Now().Add(p.rest)
		s.up()
	}
}
