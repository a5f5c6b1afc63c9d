// Package statustest has what the tests of the views share: an engine that reports
// what it is told to, and reports of nodes that could be real.
package statustest

import (
	"context"
	"sync"

	"understudy/internal/observe/status"
)

// Engine is a status.Engine for tests. It is safe for concurrent use.
type Engine struct {
	mu       sync.Mutex
	report   *status.Report
	err      error
	asked    int
	commands []status.Command
}

// NewEngine reports r until it is told otherwise.
func NewEngine(r *status.Report) *Engine { return &Engine{report: r} }

// Show makes the engine report r, which nobody changes afterwards.
func (e *Engine) Show(r *status.Report) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.report, e.err = r, nil
}

// Fail makes the engine answer with an error.
func (e *Engine) Fail(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.err = err
}

// Report is the last one shown.
func (e *Engine) Report(ctx context.Context) (*status.Report, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.asked++
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return e.report, e.err
}

// Asked is how many reports have been asked for.
func (e *Engine) Asked() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.asked
}

// Do notes the command.
func (e *Engine) Do(_ context.Context, c status.Command) (*status.Done, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.commands = append(e.commands, c)
	return &status.Done{}, nil
}

// Commands are those that were asked for.
func (e *Engine) Commands() []status.Command {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]status.Command(nil), e.commands...)
}
