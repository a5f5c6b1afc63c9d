package actors

import (
	"context"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/rs/zerolog"

	"understudy/messages"
)

// RingWatcher looks at the ring files again and again and tells its parent when
// they say something new.
type RingWatcher struct {
	life
	errand
	every time.Duration
	view  *messages.View
	stop  func() bool
	log   zerolog.Logger
}

// look makes the ring watcher look at the files. Sender: its own timer.
type look struct{}

// IgnoreDeadLetterLogging: the watcher may have ended meanwhile.
func (*look) IgnoreDeadLetterLogging() {}

func ringWatcherProps(e *engine, view *messages.View) *actor.Props {
	return e.props(func() actor.Actor {
		return &RingWatcher{
			life: newLife(), errand: errand{deps: e.deps, timeout: e.opts.CallTimeout, grace: callGrace},
			every: e.opts.RingCheckInterval, view: view, log: e.deps.Log,
		}
	})
}

// Receive implements actor.Actor.
func (w *RingWatcher) Receive(c actor.Context) {
	switch m := c.Message().(type) {
	case *actor.Started:
		w.sleep(c)
	case *look:
		placement, view := w.deps.Placement, w.view
		w.run(c, w.ctx, func(ctx context.Context) (any, error) { return placement.Poll(ctx, view) })
	case *answer:
		if w.back(m) {
			w.seen(c, m)
			w.sleep(c)
		}
	case *overdue:
		if w.late(m) {
			w.log.Error().Msg("ring files: " + errStuck.Error()) // the next look waits for this one
		}
	case *actor.Stopping:
		w.drop()
		w.stop()
	}
}

func (w *RingWatcher) seen(c actor.Context, a *answer) {
	if a.err != nil {
		w.log.Error().Err(a.err).Msg("look at ring files")
		return
	}
	if view := a.value.(*messages.View); view != w.view {
		w.view = view
		c.Request(c.Parent(), &messages.RingsChanged{View: view})
	}
}

func (w *RingWatcher) sleep(c actor.Context) {
	self, root := c.Self(), c.ActorSystem().Root
	w.stop = w.deps.Clock.AfterFunc(w.every, func() { root.Send(self, &look{}) })
}
