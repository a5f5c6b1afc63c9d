package sim

import (
	"flag"
	"fmt"
	"io"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

var (
	seeds = flag.Uint64("sim.seeds", 4, "how many seeds TestCampaign runs")
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

// TestCampaign runs seeds: each a world with faults, after which all must be in its
// place, with nothing lost at any moment.
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
	for seed := *from; seed < *from+*seeds; seed++ {
		begun := time.Now()
		r := play(t, seed, out, out)
		t.Logf("seed %d: %d steps, %s virtual, settled in %s, %d requests, %d checks, sum %x, %s", seed, r.Steps,
			r.Virtual.Round(time.Second), r.Settled.Round(time.Second), r.Requests, r.Checks, r.Sum, time.Since(begun).Round(time.Millisecond))
		for _, p := range r.Problems {
			t.Errorf("seed %d: %s", seed, p)
		}
		if len(r.Problems) > 0 {
			t.Logf("seed %d: %s", seed, r.Plan)
			fmt.Fprintln(os.Stderr)
		}
	}
}
