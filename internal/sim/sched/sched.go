// Package sched decides in a simulation what happens next. Whatever could happen at
// the same time is an item: a message of an actor, the next call of a goroutine on a
// disk, the delivery of a packet. One item runs at a time, chosen by a seed, and when
// nothing can, virtual time goes on to the next timer. So a seed is a whole schedule.
//
// It runs in a bubble of testing/synctest: after each item it waits until every
// goroutine that the item has woken is at its next gate, or sleeps. Each step takes
// some nanoseconds of virtual time, drawn from the seed: so two timers that were set in
// different steps are hardly ever due at the same instant, and wake their goroutines one
// after the other.
package sched

import (
	"cmp"
	"container/heap"
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"testing/synctest"
	"time"
)

// Item is something that can happen. Its name tells it from others in the trace and
// orders those that became possible at once.
type Item struct {
	Name string
	Run  func() // on the scheduler's goroutine; must not block
	seq  uint64
}

// Sched is a scheduler. Post, Gate, After and Note may be called by any goroutine of
// the bubble, Run by one.
type Sched struct {
	rng   *rand.Rand
	out   io.Writer
	ready []Item
	steps uint64

	mu      sync.Mutex
	sum     uint64
	trace   []byte // not written to out yet
	pending []Item
	timers  timers
	seq     uint64
	wake    chan struct{}
}

// New makes a scheduler. trace gets a line for each step; it may be nil. Call it in
// the bubble.
func New(rng *rand.Rand, trace io.Writer) *Sched {
	return &Sched{rng: rng, out: trace, sum: fnvOffset, wake: make(chan struct{}, 1)}
}

// Post adds an item.
func (s *Sched) Post(name string, run func()) {
	s.mu.Lock()
	s.seq++
	s.pending = append(s.pending, Item{name, run, s.seq})
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Go starts a goroutine by a step of its own.
func (s *Sched) Go(name string, f func()) { s.Post(name, func() { go f() }) }

// Gate blocks a goroutine until its turn has come.
func (s *Sched) Gate(name string) {
	turn := make(chan struct{})
	s.Post(name, func() { close(turn) })
	<-turn
}

// After posts an item when some virtual time has gone by.
func (s *Sched) After(d time.Duration, name string, run func()) (stop func() bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seq++
	t := &timer{at: time.Now().Add(max(0, d)), item: Item{name, run, s.seq}}
	heap.Push(&s.timers, t)
	select {
	case s.wake <- struct{}{}:
	default:
	}
	return func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		if t.index < 0 {
			return false
		}
		heap.Remove(&s.timers, t.index)
		return true
	}
}

// Fence lets a goroutine that a timer has woken see what the steps before have done.
func (s *Sched) Fence() {
	s.mu.Lock()
	defer s.mu.Unlock()
}

// Steps is how many items have run.
func (s *Sched) Steps() uint64 { return s.steps }

// Sum is a hash over all steps so far: two runs that agree in it were the same.
func (s *Sched) Sum() uint64 { return s.sum }

const (
	fnvOffset = 14695981039346656037
	fnvPrime  = 1099511628211
)

// Note adds something to the hash and the trace that is no step.
func (s *Sched) Note(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range len(text) {
		s.sum = (s.sum ^ uint64(text[i])) * fnvPrime
	}
	s.sum = (s.sum ^ s.steps) * fnvPrime
	if s.out != nil {
		s.trace = fmt.Appendf(s.trace, "%7d %s %s\n", s.steps, time.Now().Format("15:04:05.000000000"), text)
	}
}

// Write puts lines of a log into the trace. They get to its file when all goroutines
// rest: a system call would let others run before its caller.
func (s *Sched) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.out != nil {
		s.trace = append(s.trace, p...)
	}
	return len(p), nil
}

// rest waits until every goroutine is at a gate or sleeps. Those that sleep until then
// wake one after the other; one that wakes with this one, in an order that the runtime
// draws, comes to its gate first.
func (s *Sched) rest() {
	time.Sleep(time.Duration(1 + s.rng.Uint64N(999)))
	synctest.Wait()
	if s.out == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.trace) > 0 {
		_, _ = s.out.Write(s.trace)
		s.trace = s.trace[:0]
	}
}

// Run runs items until done says so, which is asked between steps, or until virtual
// time has come to an end, or most steps have been made. It returns whether done was
// true.
func (s *Sched) Run(done func() bool, end time.Time, most uint64) bool {
	for most += s.steps; ; {
		s.rest()
		s.gather()
		over := done()
		s.Fence()
		switch {
		case over:
			return true
		case s.steps >= most || !time.Now().Before(end):
			return false
		case len(s.ready) == 0:
			s.sleep(end)
			continue
		}
		i := s.rng.IntN(len(s.ready))
		item := s.ready[i]
		last := len(s.ready) - 1
		s.ready[i] = s.ready[last]
		s.ready[last] = Item{}
		s.ready = s.ready[:last]
		s.steps++
		s.Note(item.Name)
		item.Run()
		s.Fence()
	}
}

// gather moves what has become possible to what can be chosen, in an order that does
// not depend on which goroutine was faster.
func (s *Sched) gather() {
	s.mu.Lock()
	now := time.Now()
	for len(s.timers) > 0 && !s.timers[0].at.After(now) {
		s.pending = append(s.pending, heap.Pop(&s.timers).(*timer).item)
	}
	fresh := s.pending
	s.pending = nil
	s.mu.Unlock()
	if len(fresh) > 1 {
		slices.SortStableFunc(fresh, func(a, b Item) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.seq, b.seq)) })
	}
	s.ready = append(s.ready, fresh...)
}

// sleep lets virtual time go on until something can happen.
func (s *Sched) sleep(end time.Time) {
	s.mu.Lock()
	if len(s.timers) > 0 && s.timers[0].at.Before(end) {
		end = s.timers[0].at
	}
	s.mu.Unlock()
	t := time.NewTimer(time.Until(end))
	defer t.Stop()
	select {
	case <-s.wake:
	case <-t.C:
	}
}

// timer is an item of later.
type timer struct {
	at    time.Time
	item  Item
	index int // in the heap; -1 outside
}

type timers []*timer

func (t timers) Len() int { return len(t) }
func (t timers) Less(i, j int) bool {
	if !t[i].at.Equal(t[j].at) {
		return t[i].at.Before(t[j].at)
	}
	return t[i].item.seq < t[j].item.seq
}
func (t timers) Swap(i, j int) { t[i], t[j] = t[j], t[i]; t[i].index, t[j].index = i, j }
func (t *timers) Push(x any)   { e := x.(*timer); e.index = len(*t); *t = append(*t, e) }
func (t *timers) Pop() any {
	old := *t
	e := old[len(old)-1]
	old[len(old)-1] = nil
	*t = old[:len(old)-1]
	e.index = -1
	return e
}

// Source makes a source of randomness from a seed and a name, so that another use
// of chance does not change this one.
func Source(seed uint64, name string) *rand.Rand {
	h := fnv.New64a()
	_, _ = io.WriteString(h, name)
	return rand.New(rand.NewPCG(seed, h.Sum64()))
}
