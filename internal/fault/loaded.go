package fault

import (
	"sync"
	"sync/atomic"
	"time"
)

// streams is how many ordinals are kept. Two streams whose hashes meet share one,
// which keeps a plan's memory bounded and costs nothing but the exact repetition.
const streams = 1 << 15

// loaded is a plan at work.
type loaded struct {
	plan    Plan
	began   time.Duration
	at      map[Place][]*rule
	rules   []*rule
	ordinal [streams]atomic.Uint32
	over    chan struct{} // closed when the plan is

	mu     sync.Mutex // guards the counts of the rules and recent
	recent []Fired    // a ring
	fired  int        // of all rules
}

// rule is a fault at work.
type rule struct {
	Fault
	text string
	ops  []string // of its verb
	seed hash     // of plan and text

	seen, fired int
}

func load(p Plan, now time.Duration) *loaded {
	l := &loaded{plan: p, began: now, at: map[Place][]*rule{}, over: make(chan struct{})}
	for _, f := range p.Faults {
		r := &rule{Fault: f, text: f.String()}
		r.seed = hashStart.number(p.Seed).text(r.text)
		if known := wordsOf(f.Place); known != nil {
			if v := known.verb(f.Do.Verb); v != nil {
				r.ops = v.Ops
			}
		}
		l.rules = append(l.rules, r)
		l.at[f.Place] = append(l.at[f.Place], r)
	}
	return l
}

func (l *loaded) end() {
	if !l.ended() {
		close(l.over)
	}
}

func (l *loaded) ended() bool {
	select {
	case <-l.over:
		return true
	default:
		return false
	}
}

func (l *loaded) active() bool { return len(l.rules) > 0 && !l.ended() }

// decide asks every rule of the place, so that what one sees does not depend on another.
func (l *loaded) decide(e *Event, now time.Duration) (Hit, bool) {
	since := now - l.began
	stream := e.stream(hashStart)
	ordinal := l.ordinal[stream.sum()%streams].Add(1)
	var hit Hit
	var found bool
	for _, r := range l.at[e.Place] {
		if !r.meant(e) || !r.When.within(since) {
			continue
		}
		draw := r.seed.number(uint64(stream)).number(uint64(ordinal)).sum()
		l.mu.Lock()
		if r.fires(draw) && !found {
			found = true
			hit = Hit{Action: r.Do, Draw: hash(draw).number(1).sum(), of: l, until: l.until(r)}
			l.note(r, e, now)
		}
		l.mu.Unlock()
	}
	return hit, found
}

func (l *loaded) until(r *rule) time.Duration {
	if r.When.For == 0 {
		return 0
	}
	return l.began + r.When.After + r.When.For
}

func (r *rule) meant(e *Event) bool {
	if r.ops != nil && !contains(r.ops, e.Op) {
		return false
	}
	for i := range r.Where {
		if !r.Where[i].fits(e.key(r.Where[i].Key)) {
			return false
		}
	}
	return true
}

func contains(ops []string, op string) bool {
	for _, o := range ops {
		if o == op {
			return true
		}
	}
	return false
}

func (w When) within(since time.Duration) bool {
	return since >= w.After && (w.For == 0 || since < w.After+w.For)
}

// fires counts an event and tells whether the rule happens at it.
func (r *rule) fires(draw uint64) bool {
	r.seen++
	w := r.When
	switch {
	case w.Times > 0 && r.fired >= w.Times,
		w.Nth > 0 && r.seen != w.Nth,
		w.Every > 0 && r.seen%w.Every != 0:
		return false
	}
	return w.Prob == 0 || chance(draw) < w.Prob
}
