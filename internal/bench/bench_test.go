package bench

import (
	"slices"
	"strings"
	"testing"
	"time"

	"understudy/internal/cluster"
)

func TestOptions(t *testing.T) {
	fine := Options{Runs: 1, Base: DefaultBase}
	for want, change := range map[string]func(*Options){
		"":                        func(*Options) {},
		"0 runs":                  func(o *Options) { o.Runs = 0 },
		"a smoke run":             func(o *Options) { o.Smoke, o.Out = true, "x.md" },
		"ends in .md":             func(o *Options) { o.Out = "x.txt" },
		`no benchmark "B13"`:      func(o *Options) { o.Only = []string{"B1", "B13"} },
		"they are start, B1, B2,": func(o *Options) { o.Only = []string{""} },
	} {
		o := fine
		change(&o)
		err := o.Check()
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", o, err, want)
		}
	}
}

func TestChosen(t *testing.T) {
	names := func(o Options) (names []string) {
		all, err := o.chosen()
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range all {
			names = append(names, w.name)
		}
		return names
	}
	if all := names(Options{}); slices.Contains(all, million) || len(all) != len(Names())-1 {
		t.Errorf("without --full: %v", all)
	}
	if all := names(Options{Full: true}); !slices.Equal(all, Names()) {
		t.Errorf("with --full: %v", all)
	}
	if some := names(Options{Only: []string{"B12", million, "B1"}}); !slices.Equal(some, []string{"B1", million, "B12"}) {
		t.Errorf("chosen: %v", some)
	}
}

// What is missing is named with the packages that bring it.
func TestLacking(t *testing.T) {
	no, yes := func(string) bool { return false }, func(string) bool { return true }
	swift := lacking([]need{{"/a", no, "swift-object"}, {"/b", no, "swift-object"}, {"here", yes, "x"}, {"strace", no, "strace"}})
	const want = "Swift is not installed, and the benchmarks compare with it: there is no /a, /b, strace\n" +
		"on Debian or Ubuntu: apt-get install --no-install-recommends swift-object strace"
	if swift == nil || swift.Error() != want {
		t.Errorf("Swift is missing: %v", swift)
	}
	if err := lacking([]need{{fuseDevice, no, ""}}); err == nil || err.Error() != "the benchmarks lack /dev/fuse" {
		t.Errorf("a device is missing: %v", err)
	}
	if err := lacking([]need{{"here", yes, "x"}}); err != nil {
		t.Errorf("nothing is missing: %v", err)
	}
}

// Every tool that a benchmark needs can be looked for.
func TestToolsAreKnown(t *testing.T) {
	for _, w := range works(false) {
		if w.tool != "" && extras[w.tool].there == nil {
			t.Errorf("%s needs %s, which nothing looks for", w.name, w.tool)
		}
	}
}

// Swift's replicator has the name of ours, and may lie beside us.
func TestIsOurs(t *testing.T) {
	for _, path := range []string{cluster.Stock.Path, "/nowhere", "/proc/self/exe"} {
		if isOurs(path) {
			t.Errorf("%s is taken for our replicator", path)
		}
	}
}

// A size that runs less often than the others does so evenly.
func TestDue(t *testing.T) {
	for _, c := range []struct {
		runs, rounds int
		want         []int
	}{
		{1, 7, []int{3}},
		{2, 7, []int{1, 5}},
		{7, 7, []int{0, 1, 2, 3, 4, 5, 6}},
		{1, 1, []int{0}},
	} {
		var got []int
		for round := range c.rounds {
			if (size{runs: c.runs}).due(round, c.rounds) {
				got = append(got, round)
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%d runs in %d rounds: %v, not %v", c.runs, c.rounds, got, c.want)
		}
	}
}

func samplesOf(ms ...int) (all []sample) {
	for _, m := range ms {
		all = append(all, sample{wall: time.Duration(m) * time.Millisecond})
	}
	return all
}

func TestPairs(t *testing.T) {
	p := pairs{theirs: samplesOf(1000, 2000, 4000), ours: samplesOf(900, 400, 2000)}
	if got := p.ratio(wall); got != "**0.50** (0.20 to 0.90)" {
		t.Errorf("ratio: %s", got)
	}
	if got := spread(p.speeds(), "%.1f"); got != "**2.0** (1.1 to 5.0)" {
		t.Errorf("speeds: %s", got)
	}
	if g := p.goal("wall", 0.45, wall); !g.missed() || g.got() != "0.50" {
		t.Errorf("goal: %+v", g)
	}
	if got := p.atMost(0.5, wall); got != "≤ 0.50" {
		t.Errorf("a goal that is just met: %s", got)
	}
}

func TestGoals(t *testing.T) {
	for _, c := range []struct {
		goal
		missed    bool
		want, got string
	}{
		{goal{Limit: 0.15, Got: 0.3}, true, "≤ 0.15", "0.30"},
		{goal{Limit: 64, Got: 30.84, Unit: mibUnit}, false, "≤ 64.0 MiB", "30.8 MiB"},
		{goal{Limit: 20, Got: 20, AtLeast: true}, false, "≥ 20.00", "20.00"},
		{goal{Limit: 20, Got: 19.9, AtLeast: true, Note: "once"}, true, "≥ 20.00", "19.90 (once)"},
	} {
		if c.goal.missed() != c.missed || c.goal.want() != c.want || c.goal.got() != c.got {
			t.Errorf("%+v: missed %v, %s, %s", c.goal, c.goal.missed(), c.goal.want(), c.goal.got())
		}
	}
}

// All sides run as often; each round turns their order round, and the first counts not.
func TestInTurn(t *testing.T) {
	var ran []string
	r := rig{Options: Options{Progress: &strings.Builder{}}}
	samples, err := r.inTurn("B0", 2, []side{{name: "a"}, {name: "b"}}, func(s side) (sample, error) {
		ran = append(ran, s.name)
		return sample{wall: time.Duration(len(ran))}, nil
	})
	if err != nil || !slices.Equal(ran, []string{"b", "a", "a", "b", "b", "a"}) {
		t.Errorf("ran %v, %v", ran, err)
	}
	if a := samples["a"]; len(a) != 2 || a[0].wall != 3 || a[1].wall != 6 || len(samples["b"]) != 2 {
		t.Errorf("samples: %v", samples)
	}
}
