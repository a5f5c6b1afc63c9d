package admission

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// model is what must be true of one slot: who can still believe to hold a lease.
type model struct {
	held     map[Lease]time.Time // until when
	released map[Lease]time.Time // until when its name is not granted again
	epochs   map[string]uint64   // the latest process of each holder that has asked
}

// sure is how many leases are held for certain: of the latest processes.
func (m *model) sure() (n int) {
	for l := range m.held {
		if l.Epoch >= m.epochs[l.Holder] {
			n++
		}
	}
	return n
}

func (m *model) asks(l Lease) Lease {
	m.epochs[l.Holder] = max(m.epochs[l.Holder], l.Epoch)
	return l
}

func (m *model) sweep(now time.Time) {
	for l, until := range m.held {
		if !now.Before(until) {
			delete(m.held, l)
		}
	}
}

// grant notes a lease, which ends those of the same job and of earlier processes.
func (m *model) grant(l Lease, until time.Time) {
	for o := range m.held {
		if o != l && (o.same(l) || l.outlives(o)) {
			delete(m.held, o)
		}
	}
	m.held[l] = until
}

// Whatever is sent in whatever order, no slot ever has more leases than its limit, what
// was given back is not granted again, and without renewals all runs out.
func TestLedgerAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rules := Rules{
			In: rapid.IntRange(1, 4).Draw(t, "in"), Waiting: rapid.IntRange(1, 6).Draw(t, "waiting"),
			Term: time.Minute, Most: 2 * time.Minute,
		}
		l := NewLedger(rules, all)
		m := &model{held: map[Lease]time.Time{}, released: map[Lease]time.Time{}, epochs: map[string]uint64{}}
		now, newcomers := start, 0
		leases := rapid.Custom(func(t *rapid.T) Lease {
			return Lease{
				Holder: rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "holder"), Epoch: rapid.Uint64Range(1, 3).Draw(t, "epoch"),
				Job: rapid.SampledFrom([]string{"x", "y", "z"}).Draw(t, "job"), Try: rapid.Uint64Range(1, 5).Draw(t, "try"),
			}
		})
		t.Repeat(map[string]func(*rapid.T){
			"reserve": func(t *rapid.T) {
				le := m.asks(leases.Draw(t, "lease"))
				waited := time.Duration(rapid.Int64().Draw(t, "waited"))
				a := l.Reserve(now, Request{Lease: le, Slot: in, Priority: Priority(rapid.IntRange(0, 1).Draw(t, "priority")), Waited: waited})
				if a.Granted {
					if until, ok := m.released[le]; ok && now.Before(until) {
						t.Fatalf("%v was given back and granted again", le)
					}
					m.grant(le, now.Add(a.Term))
				} else if a.After < DefaultRules().Least || a.After > rules.Most {
					t.Fatalf("told to ask again after %v", a.After)
				}
			},
			"newcomer": func(t *rapid.T) { // where there is room and nobody waits, there is a lease
				newcomers++
				le := Lease{Holder: "new", Epoch: 1, Job: fmt.Sprint(newcomers), Try: 1}
				before := l.Look(now, in)
				a := l.Reserve(now, Request{Lease: le, Slot: in})
				if free := before.Held < rules.In && before.Waiting == 0; free && !a.Granted || before.Held == rules.In && a.Granted {
					t.Fatalf("%+v, and got %+v", before, a)
				}
				if a.Granted {
					m.grant(le, now.Add(a.Term))
				}
			},
			"renew": func(t *rapid.T) {
				le := m.asks(leases.Draw(t, "lease"))
				if l.Renew(now, in, le) {
					m.grant(le, now.Add(rules.Term))
				}
			},
			"release": func(t *rapid.T) {
				le := leases.Draw(t, "lease")
				l.Release(now, in, le)
				delete(m.held, le)
				m.released[le] = now.Add(rules.Term)
			},
			"wait": func(t *rapid.T) {
				now = now.Add(time.Duration(rapid.Int64Range(0, int64(3*time.Minute)).Draw(t, "for")))
			},
			"": func(t *rapid.T) {
				m.sweep(now)
				load := l.Look(now, in)
				if load.Held > rules.In || m.sure() > rules.In || load.Waiting > rules.Waiting {
					t.Fatalf("%+v, model %v, limit %d", load, m.held, rules.In)
				}
				if load.Held < m.sure() || load.Held > len(m.held) {
					t.Fatalf("ledger holds %d, model %v", load.Held, m.held)
				}
			},
		})
		now = now.Add(rules.Term + rules.Most + DefaultRules().Grace)
		if got := l.Look(now, in); got != (Load{}) {
			t.Fatalf("at the end: %+v", got)
		}
	})
}

// Nodes push to each other over a network that loses, repeats and delays every kind of
// message, and some die in the middle. Each takes its own slot first. Whoever lives has
// done all its pushes in the end, and no disk ever had more than its limit.
func TestNobodyIsStuck(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newTown(rapid.Uint64().Draw(t, "seed"), rapid.IntRange(2, 6).Draw(t, "nodes"), rapid.IntRange(1, 2).Draw(t, "limit"))
		for range 4 * 3600 {
			if w.second(t); w.over() {
				return
			}
		}
		t.Fatalf("after four hours: %v", w.left())
	})
}

// town is nodes of one disk each, driven second by second.
type town struct {
	rng    *rand.Rand
	limit  int
	now    time.Time
	nodes  []*citizen
	flying []parcel
}

type citizen struct {
	name   string
	ledger *Ledger
	dead   bool
	jobs   []*errand
	try    uint64
}

// errand is one push: own slot, other slot, work, both given back.
type errand struct {
	to       int
	stage    int // 0 at rest, 1 waits for the other side's answer, 2 pushes, 3 done
	until    time.Time
	own, far Lease
	first    time.Time
}

type parcel struct {
	at   time.Time
	open func()
}

func newTown(seed uint64, n, limit int) *town {
	w := &town{rng: rand.New(rand.NewPCG(seed, 1)), limit: limit, now: start}
	for i := range n {
		w.nodes = append(w.nodes, &citizen{name: fmt.Sprint("n", i), ledger: NewLedger(Rules{In: limit, Out: limit}, all)})
	}
	for i, c := range w.nodes {
		for range 1 + w.rng.IntN(5) {
			c.jobs = append(c.jobs, &errand{to: (i + 1 + w.rng.IntN(n-1)) % n, first: start})
		}
	}
	return w
}

// send delivers a message late, twice or never.
func (w *town) send(open func()) {
	for range []int{1, 1, 1, 1, 1, 1, 1, 2, 2, 0}[w.rng.IntN(10)] {
		w.flying = append(w.flying, parcel{w.now.Add(time.Duration(w.rng.IntN(4)) * time.Second), open})
	}
}

func (w *town) second(t *rapid.T) {
	w.now = w.now.Add(time.Second)
	flying := w.flying
	w.flying = nil
	for _, p := range flying {
		if p.at.After(w.now) {
			w.flying = append(w.flying, p)
			continue
		}
		p.open()
	}
	for i, c := range w.nodes {
		if w.rng.IntN(3000) == 0 && i > 0 {
			c.dead = true
		}
		if w.rng.IntN(2000) == 0 {
			c.ledger = NewLedger(Rules{In: w.limit, Out: w.limit}, all) // its owner restarted, its pushes went on
		}
		for j, e := range c.jobs {
			if !c.dead {
				w.step(c, e, fmt.Sprint(j))
			}
		}
		for _, d := range []Direction{In, Out} {
			if held := c.ledger.Look(w.now, Slot{"d", d}).Held; held > w.limit {
				t.Fatalf("%s has %d leases", c.name, held)
			}
		}
	}
}

func (w *town) step(c *citizen, e *errand, job string) {
	far := w.nodes[e.to]
	mine, theirs := Slot{"d", Out}, Slot{"d", In}
	switch {
	case e.stage == 2 && !w.now.Before(e.until):
		e.stage = 3
		c.ledger.Release(w.now, mine, e.own)
		w.send(func() { far.ledger.Release(w.now, theirs, e.far) })
	case e.stage == 2 && w.now.Unix()%20 == 0:
		c.ledger.Renew(w.now, mine, e.own)
		lease := e.far
		w.send(func() { far.ledger.Renew(w.now, theirs, lease) })
	case e.stage == 1 && !w.now.Before(e.until): // no answer: go ahead
		e.stage, e.until = 2, w.now.Add(time.Duration(1+w.rng.IntN(60))*time.Second)
	case e.stage == 0 && !w.now.Before(e.until):
		w.begin(c, far, e, job)
	}
}

// begin takes the own slot and then asks the other side.
func (w *town) begin(c, far *citizen, e *errand, job string) {
	mine, theirs := Slot{"d", Out}, Slot{"d", In}
	c.try++
	e.own = Lease{Holder: c.name, Epoch: 1, Job: job, Try: c.try}
	e.far = e.own
	waited := w.now.Sub(e.first)
	a := c.ledger.Reserve(w.now, Request{Lease: e.own, Slot: mine, Waited: waited})
	if !a.Granted {
		e.until = w.now.Add(a.After)
		return
	}
	e.stage, e.until = 1, w.now.Add(5*time.Second)
	lease := e.far
	w.send(func() {
		a := far.ledger.Reserve(w.now, Request{Lease: lease, Slot: theirs, Waited: waited})
		w.send(func() { w.told(c, e, lease, a) })
	})
}

// told takes in the other side's answer, unless it is about an earlier try.
func (w *town) told(c *citizen, e *errand, lease Lease, a Answer) {
	if c.dead || e.stage != 1 || e.far != lease {
		return
	}
	if a.Granted {
		e.stage, e.until = 2, w.now.Add(time.Duration(1+w.rng.IntN(60))*time.Second)
		return
	}
	c.ledger.Release(w.now, Slot{"d", Out}, e.own)
	e.stage, e.until = 0, w.now.Add(a.After)
}

func (w *town) left() (out []string) {
	for _, c := range w.nodes {
		for j, e := range c.jobs {
			if !c.dead && e.stage != 3 {
				out = append(out, fmt.Sprintf("%s job %d stage %d", c.name, j, e.stage))
			}
		}
	}
	return out
}

func (w *town) over() bool { return len(w.left()) == 0 }
