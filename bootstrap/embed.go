package bootstrap

import (
	"github.com/asynkron/protoactor-go/actor"

	"understudy/actors"
)

// Props are the properties of the engine's supervisor, for a host that spawns it
// in an actor system of its own, under a name and a parent of its choice. The host's
// strategy decides what follows when the supervisor fails: it may be restarted, and goes
// on with the newest configuration and what operators have asked for. The host stops it
// by stopping the actor and then calls Close.
//
// One engine has one supervisor at a time: a second one would work on the same disks. It
// stops itself.
func (e *Engine) Props() *actor.Props {
	return actors.RestartableProps(e.current).Clone(actor.WithReceiverMiddleware(e.attend))
}

// current is what a supervisor that is born now begins with.
func (e *Engine) current() actors.Reload {
	e.mu.Lock()
	defer e.mu.Unlock()
	r := actors.Reload{Deps: e.parts.deps, Options: e.parts.opts, View: e.parts.view}
	if e.course != nil && !r.Options.Once {
		r.Options.Course = e.course
	}
	return r
}

// attend runs before the supervisor's own handler: the engine knows its supervisor from
// the first moment, whoever has spawned it, and answers the commands of the host.
func (e *Engine) attend(next actor.ReceiverFunc) actor.ReceiverFunc {
	return func(c actor.ReceiverContext, m *actor.MessageEnvelope) {
		switch m.Message.(type) {
		case *actor.Started:
			if !e.begins(c.ActorSystem(), c.Self()) {
				e.log.Error().Str("actor", c.Self().Id).Msg("the engine has a supervisor already, another one stops")
				c.ActorSystem().Root.Stop(c.Self())
				return
			}
		case *actor.Stopping, *actor.Restarting:
			e.gone(c.Self())
		}
		if e.operate(c, m) {
			return
		}
		next(c, m)
	}
}

// begins makes a supervisor the engine's own, unless there is another one.
func (e *Engine) begins(system *actor.ActorSystem, root *actor.PID) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.root != nil {
		return false
	}
	e.system, e.root = system, root
	return true
}

// gone forgets a supervisor that ends.
func (e *Engine) gone(root *actor.PID) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.root != nil && e.root.Equal(root) {
		e.system, e.root = nil, nil
	}
}

// stands is called by the supervisor once its tree stands.
func (e *Engine) stands() {
	if e.settings.Ready != nil {
		e.ready.Do(e.settings.Ready)
	}
}

// PID is that of the supervisor at the moment, nil when there is none.
func (e *Engine) PID() *actor.PID {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.root
}
