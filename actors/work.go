package actors

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"understudy/internal/zoo"
)

// answer is what a piece of blocking work brings back to the actor that asked
// for it. task and step tell which piece: an answer to an earlier one is dropped.
type answer struct {
	task  *errand // only compared
	step  uint64
	value any
	err   error
}

// IgnoreDeadLetterLogging: late answers to actors that are gone are expected.
func (*answer) IgnoreDeadLetterLogging() {}

// overdue tells an actor that its work has not come back in time.
type overdue struct {
	task *errand
	step uint64
}

// IgnoreDeadLetterLogging: the actor may have ended meanwhile.
func (*overdue) IgnoreDeadLetterLogging() {}

// errand sends one actor's blocking work out, one piece at a time.
type errand struct {
	deps    *Deps
	timeout time.Duration // deadline of each piece
	grace   time.Duration // how much later a piece may still come back
	step    uint64        // of the piece that is out, or of the last one
	out     bool
	calm    func() bool // stops the overdue timer
}

// run does f elsewhere. Exactly one answer follows, whatever f does: returns,
// panics, or comes back long after its deadline. If it does not come back at
// all, an overdue message tells so, once.
func (w *errand) run(c actor.Context, ctx context.Context, f func(context.Context) (any, error)) {
	w.step++
	w.out = true
	self, root, step := c.Self(), c.ActorSystem().Root, w.step
	w.calm = w.deps.Clock.AfterFunc(w.timeout+w.grace, func() { root.Send(self, &overdue{w, step}) })
	timeout := w.timeout
	w.deps.Go(func() {
		ctx, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		value, err := shielded(ctx, f)
		root.Send(self, &answer{w, step, value, err})
	})
}

// back tells whether an answer belongs to the piece that is out, and takes it in.
func (w *errand) back(a *answer) bool {
	if a.task != w || (!w.out || a.step != w.step) && !zoo.Bug("answered-twice") {
		return false
	}
	w.out = false
	w.calm()
	return true
}

// late tells whether the piece that is out is the one that an overdue names.
func (w *errand) late(o *overdue) bool { return o.task == w && w.out && o.step == w.step }

// drop forgets the timer of the piece that is out; its answer will go nowhere.
func (w *errand) drop() {
	if w.out {
		w.calm()
	}
}

func shielded(ctx context.Context, f func(context.Context) (any, error)) (value any, err error) {
	defer func() {
		if r := recover(); r != nil {
			value, err = nil, fmt.Errorf("%w\n%s", errPanic(r), debug.Stack())
		}
	}()
	return f(ctx)
}

func errPanic(reason any) error { return fmt.Errorf("panic: %v", reason) }
