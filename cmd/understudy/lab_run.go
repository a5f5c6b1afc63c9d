package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"understudy/internal/lab/links"
	"understudy/internal/lab/stage"
	"understudy/internal/scenario"
)

// shrinkRuns bounds --shrink.
const shrinkRuns = 150

// once runs the scenario with one seed in a folder of its own.
func (l *labRun) once(ctx context.Context, s *scenario.Scenario, seed uint64, p *labPrinter) (r *stage.Result, err error) {
	dir, err := folderIn(l.dir, "lab")
	if err != nil {
		return nil, err
	}
	keep := false
	defer func() {
		if keep {
			p.note("kept: %s", dir)
		} else if rmErr := os.RemoveAll(dir); rmErr != nil {
			err = errors.Join(err, rmErr)
		}
	}()
	o := stage.Options{Dir: dir, Seed: seed, Tell: p.event}
	if l.apart {
		program, err := os.Executable()
		if err != nil {
			return nil, err
		}
		o.Process, o.Networks = []string{program, "lab", "node"}, !l.loopback
	}
	r, err = stage.Run(ctx, s, o)
	if ctx.Err() != nil {
		return nil, errors.New("interrupted")
	}
	if errors.Is(err, links.ErrNone) {
		return nil, usageError{fmt.Errorf("%w; or use --loopback", err)}
	}
	if errors.Is(err, stage.ErrScenario) {
		return nil, usageError{err}
	}
	if err != nil {
		return nil, err
	}
	p.result(s, r)
	keep = l.keep && !r.Held()
	return r, nil
}

// smaller prints a smaller scenario that breaks as well.
func (l *labRun) smaller(ctx context.Context, s *scenario.Scenario, broken *stage.Result, p *labPrinter) error {
	blamed := broken.Blamed()
	quiet := &labPrinter{out: p.out, mute: true}
	tried := 0
	small := stage.Shrink(ctx, stage.Only(s, blamed), shrinkRuns, func(ctx context.Context, s *scenario.Scenario) bool {
		tried++
		r, err := l.once(ctx, s, broken.Seed, quiet)
		fails := err == nil && r.Fails(blamed)
		p.shrunk(tried, s, fails)
		return fails
	})
	if ctx.Err() != nil {
		return errors.New("interrupted")
	}
	p.smaller(tried, broken.Seed, small)
	return nil
}
