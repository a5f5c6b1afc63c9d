package actors

import (
	"context"
	"runtime/debug"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/rs/zerolog"
)

// life is what every actor of the engine embeds: whether it is on its way out,
// and the context of its blocking work, which ends with it.
type life struct {
	stopping bool
	ctx      context.Context
	cancel   context.CancelFunc
}

func newLife() life {
	ctx, cancel := context.WithCancel(context.Background())
	return life{ctx: ctx, cancel: cancel}
}

func (l *life) end() {
	l.stopping = true
	l.cancel()
}

func (l *life) ending() bool { return l.stopping }

var _ = []mortal{(*Partition)(nil), (*Device)(nil)} // a method of theirs must not hide one of life

type mortal interface {
	end()
	ending() bool
}

// guard is the first receiver middleware of every actor. It logs a panic with
// its stack and lets it reach the supervision strategy, except where the library
// would then hang or resurrect the actor: in the lifecycle handlers, and in any
// handler once the actor is stopping. It also marks the actor as stopping before
// its own handler runs, so that nothing is spawned from then on.
//
// A child that is restarted in place would know nothing of what its parent has told its
// predecessor, and wait for ever. It is stopped, so that its parent sees it end and decides
// as after any crash. The supervisor tells itself all that it needs, and lives on.
func guard(log zerolog.Logger) actor.ReceiverMiddleware {
	return func(next actor.ReceiverFunc) actor.ReceiverFunc {
		return func(c actor.ReceiverContext, e *actor.MessageEnvelope) {
			m, _ := c.Actor().(mortal)
			defer func() {
				reason := recover()
				if reason == nil {
					return
				}
				log.Error().Str("actor", c.Self().Id).Type("on", e.Message).Interface("panic", reason).
					Bytes("stack", debug.Stack()).Msg("actor panicked")
				switch e.Message.(type) {
				case *actor.Stopping, *actor.Stopped, *actor.Restarting:
					return
				}
				if m != nil && m.ending() {
					return
				}
				panic(reason)
			}()
			switch e.Message.(type) {
			case *actor.Stopping, *actor.Restarting:
				if m != nil {
					m.end()
				}
			}
			_, again := e.Message.(*actor.Restarting)
			if _, top := m.(*Supervisor); again && !top {
				defer c.ActorSystem().Root.Stop(c.Self())
			}
			next(c, e)
		}
	}
}
