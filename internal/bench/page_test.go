package bench

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const docs = "../../docs"

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
	p.put(entry{Name: "B11", Table: "first", Rows: row("17.00 s"), Profile: &profile{Measured: "then", Frames: []frame{{"main.work", 50, 10}}}})
	p.put(entry{Name: "B8", Table: "memory", Rows: [][]string{{"ours", "1", "11", "**30.0 MiB**", "0.75 s"}}})
	if err := p.save(out); err != nil {
		t.Fatal(err)
	}
	if p, err = loadPage(out); err != nil {
		t.Fatal(err)
	}
	p.put(entry{Name: "B11", Table: "first", Rows: row("18.00 s"), Goals: []goal{{What: "wall", Limit: 0.1, Got: 0.5}}})
	if err := p.save(out); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"18.00 s", "**30.0 MiB**", "| B11 | wall | ≤ 0.10 | 0.50 | **missed** |",
		"B11, then, ours", "| 50.0 % | 10.0 % | `main.work` |", "](benchmarks-goals.svg)",
	} {
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

// docs/benchmarks.md and its plots are what its results say, and every miss is explained.
func TestPageIsRendered(t *testing.T) {
	p, err := loadPage(docs + "/benchmarks.md")
	if err != nil {
		t.Fatal(err)
	}
	files := p.plots()
	files["benchmarks.md"] = p.markdown()
	for name, want := range files {
		text, err := os.ReadFile(filepath.Join(docs, name))
		if err != nil {
			t.Fatal(err)
		}
		if string(text) != want {
			t.Errorf("docs/%s is not what benchmarks.json says: run `go run ./cmd/understudy bench --render --out docs/benchmarks.md`", name)
		}
	}
	for _, e := range p.Entries {
		for _, g := range e.Goals {
			if g.missed() && misses[e.Name+" "+g.What] == "" && e.Profile == nil {
				t.Errorf("%s: %s is missed, and nothing says why", e.Name, g.What)
			}
		}
	}
}

// A page of results that cannot be read is not written over.
func TestPageOfOtherMaking(t *testing.T) {
	out := filepath.Join(t.TempDir(), "page.md")
	if err := os.WriteFile(jsonPath(out), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := loadPage(out); err == nil || !strings.Contains(err.Error(), jsonPath(out)) {
		t.Errorf("results that are no JSON: %v", err)
	}
	if err := Render(filepath.Join(t.TempDir(), "none.md")); err == nil {
		t.Error("a page without results was rendered")
	}
}

// Plots are XML, and hold the names and figures that they are about.
func TestPlots(t *testing.T) {
	entries := []entry{{
		Name: "B4", Goals: []goal{{What: "wall <&>", Limit: 0.5, Got: 0.4}, {What: "speed", Limit: 20, Got: 5, AtLeast: true}},
		Samples: map[string][]float64{
			"ours" + wallKey: {0.5}, "ours" + timeKey: {0.25}, "cp -a" + wallKey: {0.125}, "cp -a" + timeKey: {0}, "Swift, rsync" + wallKey: {2},
			"Swift, rsync" + timeKey: {1},
		},
	}}
	var order []string
	for _, times := range entries[0].times() {
		order = append(order, times.program)
	}
	if !slices.Equal(order, []string{"Swift, rsync", "cp -a", "ours"}) {
		t.Errorf("order of the bars: %v", order)
	}
	for plot, wants := range map[string][]string{
		plotGoals(entries): {"0.40 (≤ 0.50)", "5.00 (≥ 20.00) missed"},
		plotTimes(entries): {"Swift, rsync", "cp -a", "2.00"},
		plotGrowth([]point{{10, 5, 2}, {1000, 9, 1.5}}): {"1,000", "goal: at most 256"},
	} {
		for d := xml.NewDecoder(strings.NewReader(plot)); ; {
			if _, err := d.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%v:\n%s", err, plot)
			}
		}
		for _, want := range wants {
			if !strings.Contains(plot, want) {
				t.Errorf("the plot lacks %q:\n%s", want, plot)
			}
		}
	}
	if plotGoals(nil) != "" || plotTimes(nil) != "" || plotGrowth(nil) != "" {
		t.Error("a plot of nothing")
	}
}
