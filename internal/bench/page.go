package bench

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// notes explain the figures; they are of the dates that they bear.
//
//go:embed notes.md
var notes string

// page is docs/benchmarks.md as data. It is kept as JSON beside it, so that one
// benchmark can be measured again and the others stay as they are.
type page struct {
	Entries []entry `json:"entries"`
}

// entry is what one benchmark has left for the page.
type entry struct {
	Name string `json:"name"`
	stamp
	Table   string               `json:"table"`
	Rows    [][]string           `json:"rows"`
	Below   []string             `json:"below,omitempty"` // sentences under the table
	Goals   []goal               `json:"goals,omitempty"`
	Samples map[string][]float64 `json:"samples,omitempty"` // what the rows and plots were made from
	Profile *profile             `json:"profile,omitempty"`
}

// stamp says when, where and how an entry was measured.
type stamp struct {
	Measured string `json:"measured"`
	Machine  string `json:"machine"`
	Programs string `json:"programs"`
	Command  string `json:"command"`
	Load     string `json:"load"` // before the start: 1, 5 and 15 minutes
}

// DefaultBase is where trees are built when nobody says otherwise.
const DefaultBase = "/dev/shm"

func (r rig) stamp(name string) stamp {
	command := "understudy bench --only " + name
	switch {
	case r.Smoke:
		command += " --smoke"
	case r.Runs != DefaultRuns:
		command += fmt.Sprintf(" --runs %d", r.Runs)
	}
	if r.Base != DefaultBase {
		command += " --base " + r.Base
	}
	if r.Out != "" {
		command += " --out " + r.Out
	}
	return stamp{
		Measured: now(), Machine: thisMachine(), Programs: r.versions(), Command: command, Load: load(),
	}
}

func now() string { return time.Now().UTC().Format("2006-01-02 15:04 MST") }

func jsonPath(out string) string { return strings.TrimSuffix(out, ".md") + ".json" }

// loadPage reads what an earlier run has left; nothing is an empty page.
func loadPage(out string) (*page, error) {
	p := &page{}
	if out == "" {
		return p, nil
	}
	text, err := os.ReadFile(jsonPath(out))
	if errors.Is(err, os.ErrNotExist) {
		return p, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read earlier results: %w", err)
	}
	if err := json.Unmarshal(text, p); err != nil {
		return nil, fmt.Errorf("read earlier results: %s: %w", jsonPath(out), err)
	}
	return p, nil
}

// put replaces the entry of that name or adds it, in the order of the benchmarks. A
// profile stays until another is taken: it bears its own date.
func (p *page) put(e entry) {
	if old := p.find(e.Name); old != nil {
		if e.Profile == nil {
			e.Profile = old.Profile
		}
		*old = e
		return
	}
	p.Entries = append(p.Entries, e)
	names := Names()
	slices.SortStableFunc(p.Entries, func(a, b entry) int {
		return slices.Index(names, a.Name) - slices.Index(names, b.Name)
	})
}

// find is the entry of a name, or nil.
func (p *page) find(name string) *entry {
	if i := slices.IndexFunc(p.Entries, func(e entry) bool { return e.Name == name }); i >= 0 {
		return &p.Entries[i]
	}
	return nil
}

// save writes the page, the JSON that it is made from, and the plots.
func (p *page) save(out string) error {
	text, err := json.MarshalIndent(p, "", " ")
	if err != nil {
		return fmt.Errorf("write the results: %w", err)
	}
	files := p.plots()
	files[filepath.Base(jsonPath(out))] = string(text) + "\n"
	files[filepath.Base(out)] = p.markdown()
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(filepath.Dir(out), name), []byte(content), 0o644); err != nil {
			return fmt.Errorf("write the page: %w", err)
		}
	}
	return nil
}

// plots are the pictures for which there are figures, by file name.
func (p *page) plots() map[string]string {
	all := map[string]string{
		goalsPlot: plotGoals(p.Entries), timesPlot: plotTimes(p.Entries), growthPlot: plotGrowth(p.points()),
	}
	maps.DeleteFunc(all, func(_, plot string) bool { return plot == "" })
	return all
}
