package main

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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
	Samples map[string][]float64 `json:"samples,omitempty"` // what the rows were made from
}

// stamp says when, where and how an entry was measured.
type stamp struct {
	Measured string `json:"measured"`
	Machine  string `json:"machine"`
	Programs string `json:"programs"`
	Command  string `json:"command"`
	Load     string `json:"load"` // before the start: 1, 5 and 15 minutes
}

func stampOf(o options, name string) stamp {
	command := "go run ./internal/bench -only " + name
	if o.runs != 7 {
		command += fmt.Sprintf(" -runs %d", o.runs)
	}
	if o.out != "" {
		command += " -out " + o.out
	}
	return stamp{
		Measured: time.Now().UTC().Format("2006-01-02 15:04 MST"), Machine: thisMachine(), Programs: versions(),
		Command: command, Load: load(),
	}
}

// goal is one goal and what has become of it.
type goal struct {
	What   string `json:"what"`
	Want   string `json:"want"`
	Got    string `json:"got"`
	Missed bool   `json:"missed,omitempty"`
}

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

// put replaces the entry of that name or adds it, in the order of the benchmarks.
func (p *page) put(e entry) {
	if old := p.find(e.Name); old != nil {
		*old = e
		return
	}
	p.Entries = append(p.Entries, e)
	var names []string
	for _, w := range works(options{}) {
		names = append(names, w.name)
	}
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

func (p *page) save(out string) error {
	text, err := json.MarshalIndent(p, "", " ")
	if err != nil {
		return fmt.Errorf("write the results: %w", err)
	}
	var md strings.Builder
	p.write(&md)
	md.WriteString(notes)
	err = errors.Join(
		os.WriteFile(jsonPath(out), append(text, '\n'), 0o644),
		os.WriteFile(out, []byte(md.String()), 0o644),
	)
	if points := p.points(); len(points) > 1 {
		err = errors.Join(err, os.WriteFile(filepath.Join(filepath.Dir(out), plotName), []byte(plot(points)), 0o644))
	}
	if err != nil {
		return fmt.Errorf("write the page: %w", err)
	}
	return nil
}

func (p *page) write(w io.Writer) {
	fmt.Fprintf(w, "# Benchmarks\n\nWritten by `make bench` from [benchmarks.json](benchmarks.json). Do not edit: run it again.\n\n")
	p.writePlaces(w)
	fmt.Fprint(w, `- The machine is shared and its load is said with each figure: what counts are ratios of neighbouring runs and CPU times
- Each ratio is ours ÷ the other's of neighbouring runs (AB BA AB …): median (lowest to highest). Times are medians.
  CPU is user + system time of a program and its children
- One benchmark alone: `+"`go run ./internal/bench -only B1 -out docs/benchmarks.md`"+`; the rest of the page stays. All: `+"`make bench`"+`

`)
	p.writeGoals(w)
	for _, t := range tables {
		t.write(w, p.Entries)
	}
}

// writePlaces writes on which machine and with which programs which figures were made.
func (p *page) writePlaces(w io.Writer) {
	places, names := []string{}, map[string][]string{}
	for _, e := range p.Entries {
		place := e.Machine + "; " + e.Programs
		if names[place] == nil {
			places = append(places, place)
		}
		names[place] = append(names[place], e.Name)
	}
	for _, place := range places {
		fmt.Fprintf(w, "- %s: %s\n", strings.Join(names[place], ", "), place)
	}
}

// writeGoals writes what was aimed at and what was reached, misses with their reasons.
func (p *page) writeGoals(w io.Writer) {
	if !slices.ContainsFunc(p.Entries, func(e entry) bool { return len(e.Goals) > 0 }) {
		return
	}
	fmt.Fprint(w, "## Goals\n\n| # | what | goal | measured | | why it is missed |\n|---|---|---|---|---|---|\n")
	for _, t := range tables {
		for _, e := range p.Entries {
			if e.Table != t.key {
				continue
			}
			for _, g := range e.Goals {
				verdict, why := "met", ""
				if g.Missed {
					verdict, why = "**missed**", misses[e.Name+" "+g.What]
				}
				fmt.Fprintf(w, "| %s | %s | %s | %s | %s | %s |\n", e.Name, g.What, g.Want, g.Got, verdict, why)
			}
		}
	}
	fmt.Fprintln(w)
}
