package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"understudy/config"
	"understudy/internal/observe/status"
	"understudy/messages"
)

// The words of a host and of operators. Engine.Do and Engine.Report take and give them as
// values; an Order to the PID of the supervisor does the same by message.
type (
	Report        = status.Report
	Command       = status.Command
	Scope         = status.Scope
	PauseCommand  = status.PauseCommand
	ResumeCommand = status.ResumeCommand
	RunPass       = status.RunPass
	Front         = status.Front
	Retry         = status.Retry
	SetLimits     = status.SetLimits
	SetProfile    = status.SetProfile
	Done          = status.Done
	Refusal       = status.Refusal
)

// The scopes of a pause.
const (
	ScopeNode   = status.ScopeNode
	ScopeDevice = status.ScopeDevice
	ScopePolicy = status.ScopePolicy
	ScopePeer   = status.ScopePeer
)

// Order has a command carried out. Sender: the host. Receiver: supervisor, which answers
// *Answer.
type Order struct{ Command Command }

// GetReport asks for the Report. Sender: the host. Receiver: supervisor, which answers
// *Answer.
type GetReport struct{}

// Drain pauses the node and waits until no job is in flight. Sender: the host. Receiver:
// supervisor, which answers *Answer when the node is quiet, or after Limit with an error;
// the pause stays either way.
type Drain struct{ Limit time.Duration }

// Reconfigure has the engine go on with another configuration, as Engine.Reload. Sender: the
// host. Receiver: supervisor, which answers *Answer.
type Reconfigure struct{ Config *config.Config }

// Answer is the one answer to each of them. An Err that is a *Refusal has changed nothing.
type Answer struct {
	Done   *Done   // of an Order
	Report *Report // of GetReport
	Err    error
}

// maxOrders is how many orders may be at work; one more is refused.
const maxOrders = 32

var errTooManyOrders = errors.New("too many commands are at work")

// operate takes a host's message, if it is one. The work is done elsewhere: it asks the
// supervisor itself.
func (e *Engine) operate(c actor.ReceiverContext, m *actor.MessageEnvelope) bool {
	work, ok := e.orderOf(m.Message)
	if !ok {
		return false
	}
	root, sender := c.ActorSystem().Root, m.Sender
	answer := func(a *Answer) {
		if sender != nil {
			root.Send(sender, a)
		}
	}
	if e.orders.Add(1) > maxOrders {
		e.orders.Add(-1)
		answer(&Answer{Err: errTooManyOrders})
		return true
	}
	e.crew.Go(func() {
		defer e.orders.Add(-1)
		answer(shielded(work))
	})
	return true
}

func (e *Engine) orderOf(message any) (work func(context.Context) *Answer, ok bool) {
	switch m := message.(type) {
	case *Order:
		return func(ctx context.Context) *Answer {
			done, err := e.Do(ctx, m.Command)
			return &Answer{Done: done, Err: err}
		}, true
	case *GetReport:
		return func(ctx context.Context) *Answer {
			report, err := e.Report(ctx)
			return &Answer{Report: report, Err: err}
		}, true
	case *Drain:
		return func(ctx context.Context) *Answer {
			ctx, cancel := context.WithTimeout(ctx, m.Limit)
			defer cancel()
			return &Answer{Err: e.Drain(ctx)}
		}, true
	case *Reconfigure:
		return func(context.Context) *Answer {
			if m.Config == nil {
				return &Answer{Err: status.Refuse("no configuration")}
			}
			return &Answer{Err: e.Reload(m.Config)}
		}, true
	}
	return nil, false
}

// shielded does work that must not end the host's process.
func shielded(work func(context.Context) *Answer) (a *Answer) {
	defer func() {
		if r := recover(); r != nil {
			a = &Answer{Err: fmt.Errorf("carry a command out: panic: %v\n%s", r, debug.Stack())}
		}
	}()
	return work(context.Background())
}

// quietLook is how often a node that is to become quiet is looked at.
const quietLook = 100 * time.Millisecond

// Drain pauses the node and waits until no job is in flight; jobs that are stuck in the
// kernel are not waited for. The pause stays. Its error is that ctx ended first.
func (e *Engine) Drain(ctx context.Context) error {
	if _, err := e.Do(ctx, PauseCommand{Scope: ScopeNode}); err != nil {
		return fmt.Errorf("drain the node: %w", err)
	}
	if err := e.heard(ctx); err != nil {
		return fmt.Errorf("drain the node: %w", err)
	}
	look := time.NewTicker(quietLook)
	defer look.Stop()
	for {
		report, err := e.Report(ctx)
		if err != nil {
			return fmt.Errorf("drain the node: %w", err)
		}
		n := report.Busy()
		if n == 0 {
			return nil
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			return fmt.Errorf("drain the node: jobs still in flight: %d: %w", n, ctx.Err())
		}
	}
}

// heard returns once every device keeps to the newest course and the recorder knows of the
// jobs that have begun before: an empty word to each comes back behind both.
func (e *Engine) heard(ctx context.Context) error {
	s, err := e.Snapshot(ctx)
	if err != nil {
		return err
	}
	return e.toDevices(ctx, s, "", func() any { return &messages.Front{} }, func(string, *messages.Forwarded) {})
}
