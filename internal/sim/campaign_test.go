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
	seeds = flag.Uint64("sim.seeds", 2, "how many seeds TestCampaign runs, after those that have failed once")
	from  = flag.Uint64("sim.from", 1, "the first of them")
	trace = flag.String("sim.trace", "", "a file for the steps and the logs of each run; those of second runs go to FILE.again")
	first = flag.Bool("sim.first", false, "end with the first seed that does not hold")
	twice = flag.Uint64("sim.twice", 5, "percent of the seeds that are run twice, and must be the same run")
)

// play runs a seed in a bubble of its own.
func play(t *testing.T, seed uint64, trace io.Writer) (r Result) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var err error
		if r, err = Run(seed, trace); err != nil {
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

// traces are the files for steps and logs of the first and the second run of each seed,
// or nil.
func traces(t *testing.T) (first, second io.Writer) {
	t.Helper()
	if *trace == "" {
		return nil, nil
	}
	var files [2]*os.File
	for i, name := range []string{*trace, *trace + ".again"} {
		f, err := os.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		files[i] = f
	}
	return files[0], files[1]
}

// TestCampaign runs seeds: each a world with faults, after which all must be in its
// place, with nothing lost at any moment. It prints what the seeds have gone through.
func TestCampaign(t *testing.T) {
	out, out2 := traces(t)
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
		r := play(t, seed, out)
		total.add(r)
		if seed%100 >= 100-min(*twice, 100) {
			total.repeated++
			if again := play(t, seed, out2); again.Sum != r.Sum {
				total.differed++
				t.Errorf("seed %d: two runs differ: sums %016x and %016x, %d and %d steps", seed, r.Sum, again.Sum, r.Steps, again.Steps)
			}
		}
		if testing.Verbose() {
			fmt.Printf("seed %d: %d steps, %s virtual, settled in %s and %d passes, %d requests, %d checks, sum %016x, %s\n", seed, r.Steps,
				r.Virtual.Round(time.Second), r.Settled.Round(time.Second), r.Passes, r.Requests, r.Checks, r.Sum, time.Since(begun).Round(time.Millisecond))
		}
		for _, p := range r.Problems {
			t.Errorf("seed %d: %s", seed, p)
		}
		if len(r.Problems) > 0 {
			t.Logf("seed %d: %s", seed, r.Plan)
			if *first {
				break
			}
		}
	}
	t.Log(total.String())
}

// totals add up what seeds have gone through.
type totals struct {
	seeds, failed, objects, requests, checks int
	repeated, differed                       int
	steps                                    uint64
	hashed, passes                           int
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
	s.longest, s.passes = max(s.longest, r.Settled), max(s.passes, r.Passes)
	s.hashed += r.Hashed
	for k, n := range r.Faults {
		s.faults[k] += n
	}
	for k, n := range r.Edges {
		s.edges[k] += n
	}
}

func (s *totals) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d seeds, %d with problems; %d steps, %d objects, %d requests, %d removals checked, %d hashes.pkl judged, settled within %s and %d passes\n",
		s.seeds, s.failed, s.steps, s.objects, s.requests, s.checks, s.hashed, s.longest.Round(time.Second), s.passes)
	fmt.Fprintf(&b, "%d seeds run twice, %d differed\n", s.repeated, s.differed)
	for _, part := range []struct {
		title string
		of    map[string]int
	}{{"faults", s.faults}, {"edges", s.edges}} {
		fmt.Fprintf(&b, "%s:\n", part.title)
		for _, k := range Keys(part.of) {
			fmt.Fprintf(&b, "  %8d %s\n", part.of[k], k)
		}
	}
	for _, k := range Edges {
		if s.edges[k] == 0 {
			fmt.Fprintf(&b, "NEVER REACHED: %s\n", k)
		}
	}
	return b.String()
}

// The same seed is the same run, to the last step.
func TestSameSeedSameRun(t *testing.T) {
	for _, seed := range []uint64{3, 30002} {
		a, b := play(t, seed, nil), play(t, seed, nil)
		if a.Sum != b.Sum || a.Steps != b.Steps || a.Plan != b.Plan {
			t.Errorf("two runs of seed %d: %x after %d steps, %x after %d", seed, a.Sum, a.Steps, b.Sum, b.Steps)
		}
	}
}
