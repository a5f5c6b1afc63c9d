package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// One benchmark measured again replaces its own figures and leaves the others'.
func TestPageKeepsTheRest(t *testing.T) {
	out := filepath.Join(t.TempDir(), "page.md")
	p, err := loadPage(out)
	if err != nil {
		t.Fatal(err)
	}
	row := func(wall string) [][]string {
		return [][]string{{"Swift", "5", wall, "0.10 s", "**0.01**", "≤ 0.10"}}
	}
	p.put(entry{Name: "B11", Table: "first", Rows: row("17.00 s")})
	p.put(entry{Name: "B8", Table: "memory", Rows: [][]string{{"ours", "1", "11", "**30.0 MiB**", "0.75 s"}}})
	if err := p.save(out); err != nil {
		t.Fatal(err)
	}
	if p, err = loadPage(out); err != nil {
		t.Fatal(err)
	}
	p.put(entry{
		Name: "B11", Table: "first", Rows: row("18.00 s"),
		Goals: []goal{{What: "wall", Want: "≤ 0.10", Got: "0.50", Missed: true}},
	})
	if err := p.save(out); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"18.00 s", "**30.0 MiB**", "| B11 | wall | ≤ 0.10 | 0.50 | **missed** |"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the page lacks %q:\n%s", want, text)
		}
	}
	if strings.Contains(string(text), "17.00 s") {
		t.Error("the page still has the old figure")
	}
	if names := []string{p.Entries[0].Name, p.Entries[1].Name}; !slices.Equal(names, []string{"B8", "B11"}) {
		t.Errorf("order of the entries: %v", names)
	}
}

// docs/benchmarks.md is what its results say.
func TestPageIsRendered(t *testing.T) {
	const out = "../../docs/benchmarks.md"
	p, err := loadPage(out)
	if err != nil {
		t.Fatal(err)
	}
	var want strings.Builder
	p.write(&want)
	want.WriteString(notes)
	text, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	if string(text) != want.String() {
		t.Errorf("%s is not what benchmarks.json says: run `go run ./internal/bench -render -out docs/benchmarks.md`", out)
	}
	for _, e := range p.Entries {
		for _, g := range e.Goals {
			if g.Missed && misses[e.Name+" "+g.What] == "" {
				t.Errorf("%s: %s is missed, and nothing says why", e.Name, g.What)
			}
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

func TestPairs(t *testing.T) {
	s := func(ms ...int) (all []sample) {
		for _, m := range ms {
			all = append(all, sample{wall: time.Duration(m) * time.Millisecond})
		}
		return all
	}
	p := pairs{theirs: s(1000, 2000, 4000), ours: s(900, 400, 2000)}
	if got := p.ratio(wall); got != "**0.50** (0.20 to 0.90)" {
		t.Errorf("ratio: %s", got)
	}
	if g := p.goal("wall", 0.45, wall); !g.Missed || g.Got != "0.50" {
		t.Errorf("goal: %+v", g)
	}
	if got := p.atMost(0.5, wall); got != "≤ 0.50" {
		t.Errorf("a goal that is just met: %s", got)
	}
}
