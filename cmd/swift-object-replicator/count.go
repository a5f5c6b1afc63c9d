package main

import (
	"context"
	"io"
	"os"
	"time"

	"understudy/internal/progress"
	"understudy/messages"
)

// countEvery is the time between two looks at how far a pass is.
const countEvery = 250 * time.Millisecond

// count shows on a terminal how far a pass in script mode is, below the log lines.
// Nil: there is none.
//
// Unlike Swift: where a log line every stats_interval is all. Only with --verbose, and
// only where standard error is a terminal.
type count struct {
	line   *progress.Line
	engine teller
}

// teller is an engine that tells how far it is.
type teller interface {
	Snapshot(ctx context.Context) (*messages.Snapshot, error)
}

func newCount(wanted bool) *count {
	if !wanted || !progress.Terminal(os.Stderr) {
		return nil
	}
	return &count{line: progress.New(progress.Options{Out: os.Stderr, Unit: "partitions"})}
}

// beside is where log lines go; nil for where they went anyway.
func (c *count) beside() io.Writer {
	if c == nil {
		return nil
	}
	return c.line.Beside(os.Stderr)
}

func (c *count) of(engine teller) *count {
	c.engine = engine
	return c
}

// Run implements views.
func (c *count) Run(ctx context.Context) {
	tick := time.NewTicker(countEvery)
	defer tick.Stop()
	defer c.line.End()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		s, err := c.engine.Snapshot(ctx)
		if err != nil {
			continue // it ends, or will answer the next time
		}
		done, jobs := 0, 0
		for _, d := range s.Devices {
			done += d.Done
			jobs += d.Jobs
		}
		c.line.Set(int64(done), int64(jobs))
	}
}
