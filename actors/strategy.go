package actors

import (
	"errors"

	"github.com/asynkron/protoactor-go/actor"
)

// Fatal is a panic value that ends the whole engine instead of one actor.
type Fatal struct{ Err error }

func (f Fatal) Error() string { return "fatal: " + f.Err.Error() }
func (f Fatal) Unwrap() error { return f.Err }

// Restart is a panic value that has the actor restarted in place by the library, as a host's
// strategy may do: for experiments. See guard for what comes of it.
type Restart struct{ Why string }

func (r Restart) Error() string { return "restart: " + r.Why }

// stopOrEscalate is the only supervision strategy of the engine: a child that
// panics is stopped, and its parent, seeing it end, decides whether and when a
// successor is born. Nothing is ever restarted in place: the library's restart
// brings stopping actors back to life, and its back-off cannot be cancelled. A
// Fatal goes one level up, and a Restart is what an experiment has asked for.
type stopOrEscalate struct{}

func (stopOrEscalate) HandleFailure(s *actor.ActorSystem, parent actor.Supervisor, child *actor.PID,
	_ *actor.RestartStatistics, reason, message any,
) {
	var fatal Fatal
	if err, ok := reason.(error); ok && errors.As(err, &fatal) {
		s.EventStream.Publish(&actor.SupervisorEvent{Child: child, Reason: reason, Directive: actor.EscalateDirective})
		parent.EscalateFailure(reason, message)
		return
	}
	var again Restart
	if err, ok := reason.(error); ok && errors.As(err, &again) {
		s.EventStream.Publish(&actor.SupervisorEvent{Child: child, Reason: reason, Directive: actor.RestartDirective})
		parent.RestartChildren(child)
		return
	}
	s.EventStream.Publish(&actor.SupervisorEvent{Child: child, Reason: reason, Directive: actor.StopDirective})
	parent.StopChildren(child)
}

// Guardian is the strategy above a supervisor that stands alone: it reports why
// the supervisor failed and stops it. It must not panic or escalate, which would
// end the process in the middle of its work. Use it by pointer: the library keeps
// guardians in a map.
type Guardian struct{ Report func(error) }

// HandleFailure implements actor.SupervisorStrategy.
func (g *Guardian) HandleFailure(_ *actor.ActorSystem, parent actor.Supervisor, child *actor.PID,
	_ *actor.RestartStatistics, reason, _ any,
) {
	err, ok := reason.(error)
	if !ok {
		err = errPanic(reason)
	}
	g.Report(err)
	parent.StopChildren(child)
}

var errRecorderLost = errors.New("the recorder crashed in script mode")
