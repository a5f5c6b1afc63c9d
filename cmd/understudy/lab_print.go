package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"understudy/internal/lab/stage"
	"understudy/internal/scenario"
)

// labColumns is how wide the output is at most.
const labColumns = 80

// shownProblems are printed of each run.
const shownProblems = 8

// timeColumns are those before what happened: when, and on which node.
const timeColumns = 14

// labPrinter prints runs of scenarios.
type labPrinter struct {
	out   io.Writer
	json  bool
	short bool // one line a run, and the problems of those that break
	mute  bool
}

func (p *labPrinter) printf(format string, args ...any) {
	if !p.mute && !p.json {
		fmt.Fprintf(p.out, format+"\n", args...)
	}
}

func (p *labPrinter) note(format string, args ...any) { p.printf(format, args...) }

// wrapped prints a text whose later lines begin in some column.
func (p *labPrinter) wrapped(first, text string, indent int) {
	for len(text) > 0 {
		line := text
		if room := labColumns - indent; utf8.RuneCountInString(text) > room {
			runes := []rune(text)
			cut := strings.LastIndexByte(string(runes[:room]), ' ')
			if cut <= 0 {
				cut = len(string(runes[:room]))
			}
			line = text[:cut]
		}
		text = strings.TrimLeft(text[len(line):], " ")
		p.printf("%s", strings.TrimRight(first+line, " "))
		first = strings.Repeat(" ", indent)
	}
}

func (p *labPrinter) head(s *scenario.Scenario) {
	p.printf("%s: %s", s.Name, s.Title)
	p.wrapped("  ", strings.Join(s.Story, " "), 2)
	p.printf("")
}

// event prints one line of the time line.
func (p *labPrinter) event(e stage.Event) {
	if p.short {
		return
	}
	what := e.What
	if step, ok := strings.CutPrefix(what, "▶ "); ok {
		p.printf("%8.3f ── %s", e.At.Seconds(), step)
		return
	}
	p.wrapped(fmt.Sprintf("%8.3f %-5s", e.At.Seconds(), e.Node), strings.TrimLeft(what, " "), timeColumns)
}

// result prints the verdict of a run.
func (p *labPrinter) result(s *scenario.Scenario, r *stage.Result) {
	if p.json && !p.mute {
		p.line(s, r)
		return
	}
	verdict := "HELD"
	if !r.Held() {
		verdict = "DID NOT HOLD"
	}
	if p.short {
		p.printf("seed %-6d %s in %.1f s", r.Seed, verdict, r.Elapsed.Seconds())
	} else {
		p.checks(r)
	}
	if !r.Held() {
		for _, problem := range r.Problems[:min(shownProblems, len(r.Problems))] {
			p.wrapped("  - ", problem, 4)
		}
		if more := len(r.Problems) - shownProblems; more > 0 {
			p.printf("  - … and %d more (--json has them)", more)
		}
	}
	if !p.short {
		p.printf("%s: %s, seed %d, %s, %.1f s.", verdict, s.Name, r.Seed, plural(r.Objects, "object"), r.Elapsed.Seconds())
	}
}

// checks prints what was expected: what is 0 as it always has to be on one line.
func (p *labPrinter) checks(r *stage.Result) {
	p.printf("")
	var plain []string
	for _, c := range r.Checks {
		if c.Held && c.Got == 0 && c.Expect.N == 0 {
			plain = append(plain, c.Expect.What)
		}
	}
	if len(plain) > 0 {
		p.wrapped("ok   0 ", strings.Join(plain, ", "), 7)
	}
	for _, c := range r.Checks {
		switch {
		case !c.Held:
			p.printf("BAD  %-44s got %d", c.Expect, c.Got)
		case c.Got != 0 || c.Expect.N != 0:
			p.printf("ok   %-44s got %d", c.Expect, c.Got)
		}
	}
	var fired []string
	for _, k := range slices.Sorted(maps.Keys(r.Coverage)) {
		if r.Coverage[k] == 0 {
			continue
		}
		fired = append(fired, fmt.Sprintf("%s %d", k, r.Coverage[k]))
	}
	if len(fired) > 0 {
		p.wrapped("faults that happened: ", strings.Join(fired, ", "), 22)
	}
}

// labResult is a run in JSON.
type labResult struct {
	Scenario string         `json:"scenario"`
	Seed     uint64         `json:"seed"`
	Held     bool           `json:"held"`
	Seconds  float64        `json:"seconds"`
	Objects  int            `json:"objects"`
	Checks   []labCheck     `json:"checks"`
	Problems []string       `json:"problems"`
	Faults   map[string]int `json:"faults"`
	Events   []labEvent     `json:"events"`
}

type labCheck struct {
	Expect string `json:"expect"`
	Got    int    `json:"got"`
	Held   bool   `json:"held"`
}

type labEvent struct {
	Seconds float64 `json:"seconds"`
	Node    string  `json:"node,omitempty"`
	What    string  `json:"what"`
}

func (p *labPrinter) line(s *scenario.Scenario, r *stage.Result) {
	out := labResult{
		Scenario: s.Name, Seed: r.Seed, Held: r.Held(), Seconds: r.Elapsed.Seconds(), Objects: r.Objects,
		Problems: append([]string{}, r.Problems...), Faults: r.Coverage,
	}
	for _, c := range r.Checks {
		out.Checks = append(out.Checks, labCheck{c.Expect.String(), c.Got, c.Held})
	}
	for _, e := range r.Events {
		out.Events = append(out.Events, labEvent{e.At.Seconds(), e.Node, strings.TrimLeft(e.What, " ")})
	}
	text, err := json.Marshal(out)
	if err == nil {
		fmt.Fprintf(p.out, "%s\n", text)
	}
}

func (p *labPrinter) sum(runs, failed int) {
	p.printf("%s, %d did not hold.", plural(runs, "run"), failed)
}

// shrunk prints what became of one attempt.
func (p *labPrinter) shrunk(tried int, s *scenario.Scenario, fails bool) {
	objects, faults := 0, 0
	for _, o := range s.Data {
		objects += o.Count
	}
	for _, f := range s.Faults {
		faults += strings.Count(f.Text, "\n")
	}
	word := "holds"
	if fails {
		word = "fails"
	}
	p.printf("try %-3d %s, %s, %s: %s", tried, plural(objects, "object"), plural(faults, "fault"), plural(len(s.Steps), "step"), word)
}

func (p *labPrinter) smaller(tried int, seed uint64, s *scenario.Scenario) {
	p.printf("\n# Smaller, after %s; fails with --seed %d:\n%s", plural(tried, "run"), seed, s)
}
