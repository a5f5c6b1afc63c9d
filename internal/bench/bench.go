// Package bench measures our replicator: against Swift's, on the same tree, the
// programs in turn; and against itself, as the work grows or a disk hangs. Ratios are
// medians of neighbouring runs: the machine may be busy, but it is equally busy for
// both. What was measured is kept as JSON, from which the page and its plots are made.
package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"understudy/internal/progress"
)

// DefaultRuns is how often each program runs. Long benchmarks run less often.
const DefaultRuns = 7

// Options say what to measure and where the results go.
type Options struct {
	Runs       int      // of each program, at least 1
	Only       []string // names of benchmarks; none: all but those of Full
	Base       string   // parent of the trees; a tmpfs takes the disk out
	Out        string   // path of the page, with its JSON and plots beside it; empty: to stdout
	Replicator string   // path of ours; empty: found or built
	Smoke      bool     // tiny trees, one run
	Full       bool     // also a million partitions
	Profile    bool     // one more run of ours under perf

	Progress io.Writer // a line for each run, and how far it is
}

// Check tells what makes no sense in the options.
func (o Options) Check() error {
	switch {
	case o.Runs < 1:
		return fmt.Errorf("%d runs: at least one is needed", o.Runs)
	case o.Smoke && o.Out != "":
		return errors.New("what a smoke run measures belongs on no page")
	case o.Out != "" && !strings.HasSuffix(o.Out, ".md"):
		return fmt.Errorf("%s: the page's name ends in .md", o.Out)
	}
	_, err := o.chosen()
	return err
}

// Run measures what the options choose, and writes the page: to Out after every
// benchmark, or else to stdout at the end. It starts many processes and mounts, so the
// caller has asked Missing and called Alone.
func Run(ctx context.Context, o Options, stdout io.Writer) (err error) {
	todo, err := o.chosen()
	if err != nil {
		return err
	}
	p, err := loadPage(o.Out)
	if err != nil {
		return err
	}
	bin, err := os.MkdirTemp("", "understudy-bench-")
	if err != nil {
		return fmt.Errorf("make a folder for programs: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(bin)) }()
	if err := os.Chmod(bin, 0o755); err != nil {
		return fmt.Errorf("make a folder for programs: %w", err)
	}
	if o.Smoke {
		o.Runs = 1
	}
	line := progress.New(progress.Options{Out: o.Progress, Unit: "benchmarks", Total: int64(len(todo))})
	defer line.End()
	o.Progress = line.Beside(o.Progress)
	r := rig{Options: o, folder: bin}
	if r.programs, err = findPrograms(ctx, o, bin); err != nil {
		return err
	}
	for _, w := range todo {
		if err := r.put(ctx, w, p); err != nil {
			return err
		}
		line.Add(1)
	}
	line.End()
	if o.Out == "" {
		p.write(stdout, nil)
	}
	return nil
}

// Render writes the page and its plots again from the JSON beside it.
func Render(out string) error {
	p, err := loadPage(out)
	if err != nil {
		return err
	}
	if len(p.Entries) == 0 {
		return fmt.Errorf("render %s: there are no results in %s", out, jsonPath(out))
	}
	return p.save(out)
}

// rig is what every benchmark is measured with.
type rig struct {
	Options
	programs
	folder string // for files of its own, removed at the end
}

func (r rig) say(format string, args ...any) { fmt.Fprintf(r.Progress, format+"\n", args...) }

// put runs one benchmark and puts what it has found onto the page.
func (r rig) put(ctx context.Context, w work, p *page) error {
	r.say("%s: begins", w.name)
	stamp := r.stamp(w.name)
	e, err := w.measure(ctx, r)
	if err != nil {
		return fmt.Errorf("%s: %w", w.name, err)
	}
	e.Name, e.stamp = w.name, stamp
	if r.Smoke {
		e.Goals = nil // the goals are for the whole trees
	}
	p.put(e)
	if r.Out == "" {
		return nil
	}
	return p.save(r.Out)
}

// chosen are the benchmarks to run, in the order of the page.
func (o Options) chosen() ([]work, error) {
	all := works(o.Smoke)
	if len(o.Only) == 0 {
		return slices.DeleteFunc(all, func(w work) bool { return w.full && !o.Full }), nil
	}
	for _, name := range o.Only {
		if !slices.ContainsFunc(all, func(w work) bool { return w.name == name }) {
			return nil, fmt.Errorf("there is no benchmark %q: they are %s", name, strings.Join(Names(), ", "))
		}
	}
	return slices.DeleteFunc(all, func(w work) bool { return !slices.Contains(o.Only, w.name) }), nil
}

// Names are those of all benchmarks, in the order of the page.
func Names() []string {
	var names []string
	for _, w := range works(false) {
		names = append(names, w.name)
	}
	return names
}
