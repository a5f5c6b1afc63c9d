package fault

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Injector decides what happens at the seams. One serves any number of nodes and
// goroutines. A nil *Injector never does anything.
//
// Whether a fault with a chance fires is drawn from the seed of the plan, the text of
// the fault, the stream of the event (its place and all of its keys) and the event's
// place in its stream, and from nothing else: neither other faults nor the order of
// goroutines change it. What is counted (nth, every, times) is counted per fault, over
// all streams, in the order of arrival.
type Injector struct {
	node  string
	names func(host, port string) string
	*shared
}

// shared is what all seats of an injector have in common.
type shared struct {
	now func() time.Duration
	cur atomic.Pointer[loaded]
	era atomic.Uint64
	mu  sync.Mutex // one Load or Clear at a time
}

// NewInjector makes one that follows a plan from now on. now tells the time since the
// experiment began; nil is the real time.
func NewInjector(p Plan, now func() time.Duration) *Injector {
	if now == nil {
		begin := time.Now()
		now = func() time.Duration { return time.Since(begin) }
	}
	i := &Injector{shared: &shared{now: now}}
	i.cur.Store(load(p, now()))
	return i
}

// Seat is the same injector as one node uses it: its events are of this node when they
// do not say so themselves, and names tells the node that has an address (nil or "":
// the host stands for itself).
func (i *Injector) Seat(node string, names func(host, port string) string) *Injector {
	if i == nil {
		return nil
	}
	return &Injector{node: node, names: names, shared: i.shared}
}

// Node is the node of a seat.
func (i *Injector) Node() string { return i.node }

// NameOf is what plans call the node at an address.
func (i *Injector) NameOf(host, port string) string {
	if i.names != nil {
		if n := i.names(host, port); n != "" {
			return n
		}
	}
	return host
}

// Load replaces the plan. Its time and counts begin now; hangs of the one before are
// let go.
func (i *Injector) Load(p Plan) {
	i.mu.Lock()
	defer i.mu.Unlock()
	before := i.cur.Swap(load(p, i.now()))
	i.era.Add(1)
	before.end()
}

// Era is how many plans have been loaded after the first. What was made in another era
// has not met the plan in force.
func (i *Injector) Era() uint64 {
	if i == nil {
		return 0
	}
	return i.era.Load()
}

// Clear ends all faults for good, until the next Load: hangs are let go. Counts stay.
func (i *Injector) Clear() {
	if i == nil {
		return
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.cur.Load().end()
}

// Plan is the plan that was loaded last, also when it has been cleared.
func (i *Injector) Plan() Plan { return i.cur.Load().plan }

// Active tells whether there is a fault that may still happen.
func (i *Injector) Active() bool { return i != nil && i.cur.Load().active() }

// Has tells whether the plan in force names a verb at a place.
func (i *Injector) Has(place Place, verb string) bool {
	return i != nil && slices.ContainsFunc(i.cur.Load().plan.Faults, func(f Fault) bool { return f.Place == place && f.Do.Verb == verb })
}

// Hit is a fault that happens.
type Hit struct {
	Action
	Draw uint64 // a random number of this one event, from the same sources as its chance

	of    *loaded
	until time.Duration // when the fault is over, since the experiment began; 0: never by itself
}

// At tells what goes wrong with an event, if anything. It has to be asked exactly once
// for each. When several faults of the plan would happen, the first does; that the
// others would have is not counted.
func (i *Injector) At(e *Event) (Hit, bool) {
	if i == nil {
		return Hit{}, false
	}
	cur := i.cur.Load()
	if cur.at[e.Place] == nil || cur.ended() {
		return Hit{}, false
	}
	if e.Node == "" && i.node != "" {
		named := *e
		named.Node = i.node
		e = &named
	}
	return cur.decide(e, i.now())
}
