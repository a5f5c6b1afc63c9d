package sim

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

var (
	seeds = flag.Uint64("sim.seeds", 3, "how many seeds TestCampaign runs, after those that have failed once")
	from  = flag.Uint64("sim.from", 1, "the first of them")
	trace = flag.String("sim.trace", "", "a file for the steps and the logs of each run")
)

// play runs a seed in a bubble of its own.
func play(t *testing.T, seed uint64, trace, logs io.Writer) (r Result) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var err error
		if r, err = Run(seed, trace, logs); err != nil {
			t.Fatal(err)
		}
	})
	return r
}

// regressions are seeds that have found something.
func regressions(t *testing.T) (seeds []uint64) {
	t.Helper()
	f, err := os.Open("testdata/regressions.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		word, _, _ := strings.Cut(strings.TrimSpace(lines.Text()), " ")
		if word == "" || word[0] == '#' {
			continue
		}
		seed, err := strconv.ParseUint(word, 10, 64)
		if err != nil {
			t.Fatalf("regressions.txt: %v", err)
		}
		seeds = append(seeds, seed)
	}
	return seeds
}

// TestCampaign runs seeds: each a world with faults, after which all must be in its
// place, with nothing lost at any moment. It prints what the seeds have gone through.
func TestCampaign(t *testing.T) {
	var out io.Writer
	if *trace != "" {
		f, err := os.Create(*trace)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		out = f
	}
	var list []uint64
	if *from == 1 {
		list = regressions(t)
	}
	for seed := *from; seed < *from+*seeds; seed++ {
		list = append(list, seed)
	}
	total := newTotals()
	for _, seed := range list {
		begun := time.Now()
		r := play(t, seed, out, out)
		total.add(r)
		if testing.Verbose() {
			fmt.Printf("seed %d: %d steps, %s virtual, settled in %s, %d requests, %d checks, sum %016x, %s\n", seed, r.Steps,
				r.Virtual.Round(time.Second), r.Settled.Round(time.Second), r.Requests, r.Checks, r.Sum, time.Since(begun).Round(time.Millisecond))
		}
		for _, p := range r.Problems {
			t.Errorf("seed %d: %s", seed, p)
		}
		if len(r.Problems) > 0 {
			t.Logf("seed %d: %s", seed, r.Plan)
		}
	}
	t.Log(total.String())
}

// totals add up what seeds have gone through.
type totals struct {
	seeds, failed, objects, requests, checks int
	steps                                    uint64
	longest                                  time.Duration
	faults, edges                            map[string]int
}

func newTotals() *totals { return &totals{faults: map[string]int{}, edges: map[string]int{}} }

func (s *totals) add(r Result) {
	s.seeds++
	if len(r.Problems) > 0 {
		s.failed++
	}
	s.objects += r.Objects
	s.requests += r.Requests
	s.checks += r.Checks
	s.steps += r.Steps
	s.longest = max(s.longest, r.Settled)
	for k, n := range r.Faults {
		s.faults[k] += n
	}
	for k, n := range r.Edges {
		s.edges[k] += n
	}
}

func (s *totals) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d seeds, %d with problems; %d steps, %d objects, %d requests, %d removals checked, settled within %s\n",
		s.seeds, s.failed, s.steps, s.objects, s.requests, s.checks, s.longest.Round(time.Second))
	for _, part := range []struct {
		title string
		of    map[string]int
	}{{"faults", s.faults}, {"edges", s.edges}} {
		fmt.Fprintf(&b, "%s:\n", part.title)
		for _, k := range Keys(part.of) {
			fmt.Fprintf(&b, "  %8d %s\n", part.of[k], k)
		}
	}
	return b.String()
}

// The same seed is the same world, plan and faults. Where a run takes the same number
// of steps to the end of its faults, it also was the same run: see docs/experiments.md
// for what is not decided by the seed yet.
func TestSameSeedSameWorld(t *testing.T) {
	a, b := play(t, 3, nil, nil), play(t, 3, nil, nil)
	if a.Plan != b.Plan || a.Requests != b.Requests {
		t.Errorf("two runs of one seed: %s, %d requests; %s, %d requests", a.Plan, a.Requests, b.Plan, b.Requests)
	}
	if a.Sum != b.Sum {
		t.Logf("the runs were not the same: sums %x and %x", a.Sum, b.Sum)
	}
}
