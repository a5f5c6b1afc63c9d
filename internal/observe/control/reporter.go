package control

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/singleflight"

	"understudy/internal/observe/status"
)

// reporter asks the engine for reports. However many ask at once, the engine is
// asked once: they share the answer, and one that never comes costs one goroutine.
type reporter struct {
	engine status.Engine
	limit  time.Duration
	flight singleflight.Group
}

func (r *reporter) get(ctx context.Context) (*status.Report, error) {
	ctx, cancel := context.WithTimeout(ctx, r.limit)
	defer cancel()
	select {
	case answer := <-r.flight.DoChan("", r.ask):
		if answer.Err != nil {
			return nil, answer.Err
		}
		return answer.Val.(*status.Report), nil
	case <-ctx.Done():
		return nil, fmt.Errorf("ask the engine for a report: %w", ctx.Err())
	}
}

// ask turns a panic, which is a bug, into an error: nobody's look at an engine may
// end it.
func (r *reporter) ask() (answer any, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("ask the engine for a report: panic: %v", p)
		}
	}()
	ctx, cancel := context.WithTimeout(context.Background(), r.limit)
	defer cancel()
	report, err := r.engine.Report(ctx)
	if err == nil && report == nil {
		err = fmt.Errorf("ask the engine for a report: there is none")
	}
	return report, err
}
