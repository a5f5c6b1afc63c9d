package actors

import (
	"fmt"
	"strings"

	"github.com/asynkron/protoactor-go/actor"

	"understudy/messages"
)

// The library tells on the system's event stream which actors failed and which
// messages reached nobody. The supervisor hears what concerns its own tree; a host
// may have others in the same system.

// ignorable is a message whose receiver may be gone: late answers and alarms.
type ignorable interface{ IgnoreDeadLetterLogging() }

// expected tells whether it is ordinary that a message finds nobody: it is ignorable,
// or one of the library's own, which knows what to make of it.
func expected(message any) bool {
	switch message.(type) {
	case ignorable, *actor.Watch, *actor.Unwatch, *actor.Stop, *actor.Terminated:
		return true
	}
	return false
}

// listen begins to hear the system's events. A subscriber runs in the publisher's
// goroutine, so it only passes on.
func (s *Supervisor) listen(c actor.Context) {
	self, system := c.Self(), c.ActorSystem()
	tree := self.Id + "/"
	sub := system.EventStream.Subscribe(func(e any) {
		var told *messages.SupervisionEvent
		switch m := e.(type) {
		case *actor.SupervisorEvent:
			if strings.HasPrefix(m.Child.Id, tree) {
				told = &messages.SupervisionEvent{
					Kind: messages.EventCrash, Actor: m.Child.Id, Directive: directive(m.Directive), Why: fmt.Sprint(m.Reason),
				}
			}
		case *actor.DeadLetterEvent:
			// A recorder that has crashed hears of no events: nor must that be one.
			_, echo := m.Message.(*messages.SupervisionEvent)
			if m.PID != nil && strings.HasPrefix(m.PID.Id, tree) && !echo {
				told = deadLetter(m)
			}
		}
		if told != nil {
			system.Root.Send(self, told)
		}
	})
	s.deaf = func() { system.EventStream.Unsubscribe(sub) }
}

func deadLetter(m *actor.DeadLetterEvent) *messages.SupervisionEvent {
	kind := messages.EventDeadLetter
	if expected(m.Message) {
		kind = messages.EventLate
	}
	return &messages.SupervisionEvent{Kind: kind, Actor: m.PID.Id, Why: fmt.Sprintf("%T", m.Message)}
}

func directive(d actor.Directive) string {
	switch d {
	case actor.EscalateDirective:
		return "escalate"
	case actor.RestartDirective:
		return "restart"
	}
	return "stop"
}

// happened logs an event and has it counted. Of a storm of one kind only the 1st,
// 2nd, 4th, 8th … are logged.
func (s *Supervisor) happened(c actor.Context, m *messages.SupervisionEvent) {
	m.At = s.e.deps.Clock.Now()
	s.seen[m.Kind]++
	if n := s.seen[m.Kind]; n&(n-1) == 0 || m.Kind == messages.EventControl {
		level := s.log.Warn()
		switch m.Kind {
		case messages.EventLate:
			level = s.log.Debug()
		case messages.EventControl:
			level = s.log.Info()
		}
		level.Str("event", m.Kind).Str("actor", m.Actor).Str("directive", m.Directive).Str("why", m.Why).Int("count", n).Msg("supervision")
	}
	c.Request(s.wiring.Recorder, m)
	if m.Kind != messages.EventLate {
		publish(c, &messages.Happened{Engine: c.Self(), Event: *m})
	}
}

// publish tells a host on the system's event stream. A subscriber runs in this actor: its
// panic is its own affair.
func publish(c actor.Context, event any) {
	defer func() {
		if r := recover(); r != nil {
			c.Logger().Error("a subscriber of the event stream panicked", "event", fmt.Sprintf("%T", event), "panic", r)
		}
	}()
	c.ActorSystem().EventStream.Publish(event)
}
