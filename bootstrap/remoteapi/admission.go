package remoteapi

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"google.golang.org/protobuf/types/known/durationpb"

	"understudy/actors"
	"understudy/internal/admission"
	"understudy/messages"
	"understudy/messages/controlpb"
)

// AdmissionConfig says how pushes are admitted. Zero values stand for defaults.
type AdmissionConfig struct {
	In  int // pushes that a disk of this node receives at a time; 0: 2
	Out int // pushes that a disk of this node sends at a time; 0: 2

	Term     time.Duration // how long a lease lasts whose holder is not heard of; 0: 1 min
	Again    time.Duration // the shortest time after which one that was refused asks again; 0: 5 s
	Patience time.Duration // how long a peer may take to answer; 0: 1 s, at most 1.5 s: the engine waits for 2 s
	Quiet    time.Duration // how long one that does not answer, or keeps no account, is not asked again; 0: 30 s

	// Find tells where the facade of a node of the ring is, ip:port, or "" if there is
	// none. It must not block. In a fleet nil stands for the member whose address is the
	// node's replication address, or else its other one.
	Find func(messages.Node) string
}

// Admission asks the owners of disks before pushes, and answers for the disks of its own
// node: the bootstrap.Parts.Admission of an engine. It does so while its engine is served
// (Node.ServeWith); before, and when that has stopped, every push begins at once.
type Admission struct {
	c     AdmissionConfig
	epoch uint64
	try   atomic.Uint64

	mu      sync.RWMutex
	session *session // nil: nobody is asked

	leases *leases
	owner  atomic.Pointer[Owner]
}

// Owner knows which disks are its node's: a bootstrap.Engine. Owns must not block.
type Owner interface{ Owns(device string) bool }

var _ actors.Admission = (*Admission)(nil)

// NewAdmission makes one, for one engine.
func NewAdmission(c AdmissionConfig) (*Admission, error) {
	if c.In < 0 || c.Out < 0 || c.Term < 0 || c.Again < 0 || c.Patience < 0 || c.Quiet < 0 {
		return nil, errors.New("admit pushes: a setting is less than nothing")
	}
	rules := admission.DefaultRules()
	rules.In, rules.Out, rules.Term = cmp.Or(c.In, rules.In), cmp.Or(c.Out, rules.Out), cmp.Or(c.Term, rules.Term)
	rules.Least = cmp.Or(c.Again, rules.Least)
	rules.Most = max(rules.Most, rules.Least)
	if rules.Term < leastTerm || rules.Term > mostTerm {
		return nil, fmt.Errorf("admit pushes: leases of %v, not %v to %v", rules.Term, leastTerm, mostTerm)
	}
	if c.Patience > mostPatience {
		return nil, fmt.Errorf("admit pushes: a patience of %v, more than %v", c.Patience, mostPatience)
	}
	c.Patience, c.Quiet = cmp.Or(c.Patience, time.Second), cmp.Or(c.Quiet, 30*time.Second)
	a := &Admission{c: c, epoch: uint64(time.Now().UnixNano())}
	a.leases = newLeases(rules, a.owns)
	return a, nil
}

// The bounds of how long a lease may last.
const (
	leastTerm = 300 * time.Millisecond
	mostTerm  = time.Hour

	mostPatience = 1500 * time.Millisecond // the engine's own limit is 2 s
)

// FindBy says where facades are, unless AdmissionConfig did. Call it before ServeWith.
func (a *Admission) FindBy(find func(messages.Node) string) {
	if a.c.Find == nil {
		a.c.Find = find
	}
}

func (a *Admission) owns(device string) bool {
	owner := a.owner.Load()
	return owner != nil && (*owner).Owns(device)
}

// open begins to ask from a system, in which an engine's facade is served.
func (a *Admission) open(system *actor.ActorSystem, e Engine) error {
	owner, ok := e.(Owner)
	switch {
	case !ok:
		return fmt.Errorf("admit pushes: %T does not tell its disks", e)
	case a.c.Find == nil:
		return errors.New("admit pushes: nobody tells where the nodes of the ring are asked")
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.session != nil {
		return errors.New("admit pushes: it serves an engine already")
	}
	a.owner.Store(&owner)
	a.session = newSession(system, a.c.Patience, a.c.Quiet)
	return nil
}

// close gives back what is held, and lets every push begin at once from now on.
func (a *Admission) close() {
	a.mu.Lock()
	s := a.session
	a.session = nil
	a.mu.Unlock()
	if s != nil {
		s.close()
	}
}

func (a *Admission) at() *session {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.session
}

// Asks implements actors.Admission.
func (a *Admission) Asks(n messages.Node) bool {
	s := a.at()
	if s == nil {
		return false
	}
	address := a.c.Find(n)
	return address != "" && !s.peers.quiet(address)
}

// Reserve implements actors.Admission: the own disk first, then that of the peer. Nothing
// is kept of the one when the other is busy.
func (a *Admission) Reserve(ctx context.Context, ask messages.PushAsk) (func(), error) {
	s := a.at()
	if s == nil {
		return nil, errNobody
	}
	address := a.c.Find(ask.Node)
	if address == "" {
		return nil, errNobody
	}
	p := ask.Partition
	lease := admission.Lease{
		Holder: s.system.Address(), Epoch: a.epoch, Try: a.try.Add(1), Job: fmt.Sprintf("%s/%d/%d", p.Device, p.Policy, p.Number),
	}
	out := admission.Slot{Device: p.Device, Direction: admission.Out}
	r := admission.Request{Lease: lease, Slot: out, Waited: ask.Waited}
	if ask.Degraded {
		r.Priority = admission.Degraded
	}
	if own := a.leases.reserve(r); !own.Granted {
		return nil, &messages.BusyError{Device: p.Device + " of this node", After: own.After}
	}
	h := &hold{admission: a, session: s, address: address, device: ask.Node.Device, lease: lease, out: out, over: make(chan struct{})}
	reserve := &controlpb.Reserve{Device: h.device, Lease: h.id(), Degraded: ask.Degraded, Waited: durationpb.New(max(0, ask.Waited))}
	reply, err := s.reserve(ctx, address, &controlpb.Request{Command: &controlpb.Request_Reserve{Reserve: reserve}})
	if err != nil {
		a.leases.release(out, lease)
		if !errors.Is(err, errNotOffered) && !errors.Is(err, errUnasked) {
			s.later(h.giveBack) // it may have been granted all the same
		}
		return nil, err
	}
	if !reply.GetReserved().GetGranted() {
		a.leases.release(out, lease)
		return nil, &messages.BusyError{Device: ask.Node.String(), After: reply.GetReserved().GetRetryAfter().AsDuration()}
	}
	h.term, h.life = reply.GetReserved().GetTerm().AsDuration(), reply.GetReserved().GetLedger()
	if !s.later(h.keep) {
		a.leases.release(out, lease)
		return nil, errNobody // the service has just been stopped
	}
	return h.end, nil
}
