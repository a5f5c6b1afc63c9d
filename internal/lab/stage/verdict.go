package stage

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"understudy/internal/lab"
	"understudy/internal/scenario"
)

// Check is one expectation and what has come of it.
type Check struct {
	Expect scenario.Expect
	Got    int
	Held   bool
}

// Result is what a run has come to.
type Result struct {
	Seed     uint64
	Events   []Event
	Dropped  int // events that found no room
	Checks   []Check
	Problems []string // what is wrong, the worst first; as far as there is room
	Coverage map[string]int
	Objects  int
	Elapsed  time.Duration

	counts map[string]int
	world  *lab.World // for tests: the disks can be judged again while they are there
}

// Held tells whether all that was expected is so.
func (r *Result) Held() bool {
	for _, c := range r.Checks {
		if !c.Held {
			return false
		}
	}
	return true
}

const maxProblems = 50

// words of the judge's findings in scenarios.
var words = map[lab.Kind]string{
	lab.Lost: "lost", lab.Wrong: "wrong", lab.Resurrected: "resurrected", lab.Touched: "touched", lab.Short: "short",
	lab.Left: "handoffs", lab.Stale: "stale", lab.Mismatch: "mismatch",
}

// judge looks at all disks and asks all servers.
func (st *stage) judge(ctx context.Context) (*Result, error) {
	st.diary.turn("the verdict")
	if st.options.Spoil != nil {
		st.options.Spoil()
	}
	r := &Result{Seed: st.options.Seed, counts: map[string]int{}, world: st.world, Objects: len(st.world.Objects)}
	found, err := st.world.Judge(st.options.Dir)
	if err != nil {
		return nil, err
	}
	for _, n := range st.cluster.Nodes { // who is to be asked has to be there
		n.Thaw()
		if err := n.Revive(); err != nil {
			return nil, err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, scenario.Patience)
	defer cancel()
	hashes, err := st.world.JudgeHashes(ctx, st.options.Dir, st.cluster.Address)
	if err != nil {
		return nil, err
	}
	for _, f := range append(found, hashes...) {
		r.counts[words[f.Kind]]++
		r.problem(strings.TrimPrefix(f.String(), fmt.Sprintf("seed %d: ", f.Seed)))
	}
	quarantined, err := filepath.Glob(filepath.Join(st.options.Dir, "srv", "*", "*", "quarantined", "objects*", "*"))
	if err != nil {
		return nil, err
	}
	st.tally.quarantined = len(quarantined)
	return r, nil
}

func (r *Result) problem(text string) {
	if len(r.Problems) < maxProblems {
		r.Problems = append(r.Problems, text)
	}
}

// finish adds what is known only when all is closed, and compares.
func (r *Result) finish(st *stage) {
	t := &st.tally
	r.counts["touched"] += len(t.touched)
	r.counts["stuck"], r.counts["leaked"] = len(t.stuck), len(t.leaked)
	r.counts["passes"], r.counts["removed"], r.counts["pushed"] = t.passes, t.removed, t.pushed
	r.counts["failures"], r.counts["quarantined"], r.counts["written"] = t.failures, t.quarantined, t.written
	r.counts["crashes"], r.counts["restarts"] = st.diary.crashes, st.tally.restarts
	r.Coverage = st.coverage()
	for _, e := range st.told.Expected() {
		got := st.measure(r, e)
		held := e.Holds(got)
		r.Checks = append(r.Checks, Check{e, got, held})
		if !held {
			st.diary.say("", "✗ %s, not %s", fmt.Sprintf("%s %d", e.What, got), e)
		}
	}
	for _, all := range [][]string{t.touched, t.stuck, t.leaked} {
		for _, text := range all {
			r.problem(text)
		}
	}
	r.Events, r.Dropped = st.diary.events, st.diary.dropped
	r.Elapsed = time.Since(st.begun)
}

func (st *stage) measure(r *Result, e scenario.Expect) int {
	switch e.What {
	case "coverage":
		return r.Coverage[e.Of]
	case "state":
		return st.diary.was(func(device string) bool { return scenario.Match(e.Of, device) }, e.Is)
	case "log":
		return st.diary.logged(e.Of)
	}
	return r.counts[e.What]
}
