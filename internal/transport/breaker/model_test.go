package breaker

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"understudy/messages"
)

// pretend is a clock that is set by hand.
type pretend struct{ now time.Time }

func (p *pretend) Now() time.Time { return p.now }

// rule is the model of one breaker.
type rule struct {
	open   bool
	retry  time.Time
	trial  *call
	away   int
	quiet  string
	missed int // silences in a row
}

// machine runs calls against a Set and the same rules written down again: a map
// instead of bounds and lists, one step at a time.
type machine struct {
	set     *Set
	clock   *pretend
	rules   map[key]*rule
	running []*call
	silent  map[key]bool // has ever been part of a silence
}

func TestModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		clock := &pretend{now: time.Unix(1700000000, 0)}
		m := &machine{clock: clock, rules: map[key]*rule{}, silent: map[key]bool{}}
		m.set = New(Config{Clock: clock, Rand: dice(rapid.Float64Range(0, 0.999).Draw(t, "jitter"))})
		t.Repeat(map[string]func(*rapid.T){
			"begin":      m.begin,
			"one more":   m.begin,
			"another":    m.begin,
			"answer":     func(t *rapid.T) { m.end(t, answer, messages.Answered) },
			"no answer":  func(t *rapid.T) { m.end(t, silence, messages.Unanswered) },
			"no way":     func(t *rapid.T) { m.end(t, silence, messages.Unreachable) },
			"no word":    func(t *rapid.T) { m.end(t, nothing, messages.Answered) },
			"a moment":   func(t *rapid.T) { m.pass(t, 10*time.Millisecond) },
			"a while":    func(t *rapid.T) { m.pass(t, 3*time.Second) },
			"a long one": func(t *rapid.T) { m.pass(t, 15*time.Minute) },
			"":           m.check,
		})
	})
}

func (m *machine) pass(t *rapid.T, most time.Duration) {
	m.clock.now = m.clock.now.Add(time.Duration(rapid.Int64Range(0, int64(most)).Draw(t, "time")))
}

func (m *machine) begin(t *rapid.T) {
	node := messages.Node{ // mostly the same one, so that something happens to it
		ReplicationIP: "10.0.0.1", ReplicationPort: rapid.SampledFrom([]int{1, 1, 1, 1, 2}).Draw(t, "node"),
		Device: rapid.SampledFrom([]string{"a", "a", "b"}).Draw(t, "device"),
	}
	lane := rapid.SampledFrom([]string{Replicate, Replicate, Replicate, Replicate, Sync}).Draw(t, "lane")
	nk, dk := keys(lane, node)
	refuse := false
	for _, k := range []key{nk, dk} {
		r := m.rules[k]
		refuse = refuse || r != nil && r.open && (r.trial != nil || m.clock.now.Before(r.retry))
	}
	c, refused := m.set.enter(context.Background(), lane, node)
	if refuse != (refused != nil) {
		t.Fatalf("a call to %s: refused %v, want %v", dk, refused != nil, refuse)
	}
	if refuse {
		if refused.silence == messages.Answered {
			t.Fatalf("a refusal repeats %+v", refused)
		}
		return
	}
	for _, k := range []key{nk, dk} {
		if r := m.rules[k]; r != nil && r.open {
			r.trial = c
		}
	}
	m.running = append(m.running, c)
}

func (m *machine) end(t *rapid.T, v verdict, quiet messages.Silence) {
	if len(m.running) == 0 {
		t.Skip("nothing runs")
	}
	i := rapid.IntRange(0, len(m.running)-1).Draw(t, "call")
	c := m.running[i]
	m.running = slices.Delete(m.running, i, i+1)
	c.judge(v, failure{silence: quiet})
	c.leave()
	took := m.clock.now.Sub(c.begun)
	switch {
	case v == answer:
		delete(m.rules, c.node)
		delete(m.rules, c.device)
	case quiet == messages.Unreachable:
		if n := m.rule(c.node); !n.open || n.trial == c {
			n.away++
			n.missed++
			if n.open || n.away == 3 || took > time.Second {
				m.opens(t, c.node, n, took)
			}
		}
	case quiet == messages.Unanswered:
		d, n := m.rule(c.device), m.rule(c.node)
		if !d.open || d.trial == c {
			d.missed++
			m.opens(t, c.device, d, took)
		}
		if !n.open || n.trial == c {
			n.missed++
			if n.open || n.quiet != "" && n.quiet != c.device.device {
				m.opens(t, c.node, n, took)
			}
		}
		n.quiet, n.away = c.device.device, 0
	}
	for _, r := range m.rules {
		if r.trial == c {
			r.trial = nil
		}
	}
}

func (m *machine) rule(k key) *rule {
	if m.rules[k] == nil {
		m.rules[k] = &rule{}
	}
	m.silent[k] = true
	return m.rules[k]
}

// opens takes the wait over from the Set, after a look at its bounds.
func (m *machine) opens(t *rapid.T, k key, r *rule, took time.Duration) {
	for _, s := range m.set.States() {
		if s.Lane != k.lane || s.Peer != k.String() {
			continue
		}
		wait := s.Retry.Sub(m.clock.now)
		if wait < min(took, 10*time.Minute) || wait < time.Second || wait > 10*time.Minute || wait > max(75*time.Second, 10*took) {
			t.Fatalf("%s waits %s after %s", k, wait, took)
		}
		r.open, r.retry, r.trial = true, s.Retry, nil
		return
	}
	t.Fatalf("%s %s is not open", k.lane, k)
}

// check compares what is open, what is tried, and how often each was silent.
func (m *machine) check(t *rapid.T) {
	var want, got []string
	for k, r := range m.rules {
		if !r.open {
			continue
		}
		name := "open"
		if r.trial != nil {
			name = "half-open"
		}
		want = append(want, fmt.Sprintf("%s %s %s %d %d", k.lane, k, name, r.missed, r.retry.UnixNano()))
		if !m.silent[k] {
			t.Fatalf("%s is open and was never silent", k)
		}
	}
	for _, s := range m.set.States() {
		got = append(got, fmt.Sprintf("%s %s %s %d %d", s.Lane, s.Peer, s.Breaker, s.Failures, s.Retry.UnixNano()))
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Fatalf("the set says  %q\nthe model says %q", got, want)
	}
	trials := map[key]int{}
	for _, c := range m.running {
		for _, k := range []key{c.node, c.device} {
			if b := m.set.known[k]; b != nil && b.trying == c {
				trials[k]++
			}
		}
	}
	for k, n := range trials {
		if n > 1 {
			t.Fatalf("%d calls try %s", n, k)
		}
	}
	if len(m.set.known) != len(m.rules) || m.set.ages.Len() != len(m.rules) {
		t.Fatalf("%d breakers are kept (%d in the list), want %d", len(m.set.known), m.set.ages.Len(), len(m.rules))
	}
}
