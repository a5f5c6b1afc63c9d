package actors

import (
	"github.com/asynkron/protoactor-go/actor"

	"understudy/messages"
)

// engine is what all actors of one supervisor share: the world and the settings.
type engine struct {
	deps *Deps
	opts *Options
}

func newEngine(deps Deps, opts Options) *engine { return &engine{deps: &deps, opts: &opts} }

// props are the properties that every actor below the supervisor has.
func (e *engine) props(produce actor.Producer) *actor.Props {
	props := actor.PropsFromProducer(produce,
		actor.WithSupervisor(stopOrEscalate{}),
		actor.WithDispatcher(dispatcher{e.deps.Go}),
		actor.WithReceiverMiddleware(append([]actor.ReceiverMiddleware{guard(e.deps.Log)}, e.deps.Middleware...)...))
	if e.deps.Mailbox != nil {
		props.Configure(actor.WithMailbox(e.deps.Mailbox))
	}
	return props
}

// adopted tells an actor that the engine goes on with other settings and parts.
// Sender: supervisor. What is at work keeps to those of its beginning.
type adopted struct{ engine *engine }

// Reload makes a running engine go on with other settings and parts, without
// dropping what is at work: each actor turns to them with its next step. Sender:
// whoever owns the supervisor. Receiver: supervisor. Once mode cannot be changed.
type Reload struct {
	Deps    Deps
	Options Options
	View    *messages.View
}

// SupervisorProps are the properties of the root of the tree. A host program
// spawns it below an actor of its own; bootstrap spawns it at the top, under a
// Guardian.
func SupervisorProps(deps Deps, opts Options, first *messages.View) *actor.Props {
	return RestartableProps(func() Reload { return Reload{Deps: deps, Options: opts, View: first} })
}

// RestartableProps are SupervisorProps for a host whose strategy may restart the
// supervisor: each incarnation begins with what current says at its birth, and not
// with what was true when the properties were made.
func RestartableProps(current func() Reload) *actor.Props {
	now := current()
	return newEngine(now.Deps, now.Options).props(func() actor.Actor {
		now := current()
		return newSupervisor(newEngine(now.Deps, now.Options), now.View)
	})
}

// dispatcher runs mailboxes as the host of the engine runs all its work.
type dispatcher struct{ run func(func()) }

// Schedule implements actor.Dispatcher.
func (d dispatcher) Schedule(f func()) { d.run(f) }

// Throughput is how many messages an actor handles before it lets others run.
func (dispatcher) Throughput() int { return 300 }
