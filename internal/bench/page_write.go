package bench

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// markdown is the whole page.
func (p *page) markdown() string {
	var b strings.Builder
	p.write(&b, p.plots())
	b.WriteString(notes)
	return b.String()
}

// write writes what was measured. The plots are beside it, or there are none.
func (p *page) write(w io.Writer, plots map[string]string) {
	fmt.Fprint(w, "# Benchmarks\n\nWritten by `make bench` from [benchmarks.json](benchmarks.json). Do not edit: run it again.\n\n")
	p.writePlaces(w)
	fmt.Fprint(w, `- The machine is shared and its load is said with each figure: what counts are ratios of neighbouring runs and CPU times
- Each ratio is ours ÷ the other's of neighbouring runs (AB BA AB …): median (lowest to highest). Times are medians.
  CPU is user + system time of a program and its children
- One benchmark alone: `+"`understudy bench --only B1 --out docs/benchmarks.md`"+`; the rest of the page stays. All: `+"`make bench`"+`.
  `+"`--profile`"+` adds profiles of ours, `+"`--render`"+` writes this page again from its results

`)
	p.writeGoals(w, plots)
	for _, t := range tables {
		t.write(w, p.Entries)
		writePlot(w, plots, t.plot, t.shows)
	}
	p.writeProfiles(w)
}

// writePlot writes the line that shows a plot, if there is one of that name.
func writePlot(w io.Writer, plots map[string]string, name, shows string) {
	if plots[name] != "" {
		fmt.Fprintf(w, "![%s](%s)\n\n", shows, name)
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
func (p *page) writeGoals(w io.Writer, plots map[string]string) {
	if !slices.ContainsFunc(p.Entries, func(e entry) bool { return len(e.Goals) > 0 }) {
		return
	}
	fmt.Fprint(w, "## Goals\n\n")
	writePlot(w, plots, goalsPlot, "what was measured, divided by its goal")
	fmt.Fprint(w, "| # | what | goal | measured | | why it is missed |\n|---|---|---|---|---|---|\n")
	for _, e := range p.Entries {
		for _, g := range e.Goals {
			verdict, why := "met", ""
			if g.missed() {
				verdict, why = "**missed**", misses[e.Name+" "+g.What]
			}
			fmt.Fprintf(w, "| %s | %s | %s | %s | %s | %s |\n", e.Name, g.What, g.want(), g.got(), verdict, why)
		}
	}
	fmt.Fprintln(w)
	writePlot(w, plots, timesPlot, "wall and CPU time of both programs, B1 to B7")
}

// writeProfiles writes the profiles of benchmarks that miss a goal.
func (p *page) writeProfiles(w io.Writer) {
	title := "## Profiles of what misses a goal\n\n" +
		"CPU time of ours in one more run, in percent of all samples of `perf record -g`: the functions that take most with what they call,\n" +
		"without those that hardly do more than call the next one.\n\n"
	for _, e := range p.Entries {
		if e.Profile == nil || !slices.ContainsFunc(e.Goals, goal.missed) {
			continue
		}
		fmt.Fprintf(w, "%s%s, %s, ours %s:\n\n| with callees | alone | function |\n|---|---|---|\n",
			title, e.Name, e.Profile.Measured, e.Profile.Version)
		title = ""
		for _, f := range e.Profile.Frames {
			fmt.Fprintf(w, "| %.1f %% | %.1f %% | `%s` |\n", f.All, f.Self, f.Func)
		}
		fmt.Fprintln(w)
	}
}
