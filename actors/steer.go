package actors

import (
	"fmt"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"understudy/messages"
)

// An operator steers the engine by its course. The supervisor owns it and tells each
// change to all who keep to it; what ends by itself ends here.

// courseDue makes the supervisor look for what has ended by itself. Sender: its own timer.
type courseDue struct{}

// IgnoreDeadLetterLogging: the supervisor may have ended meanwhile.
func (*courseDue) IgnoreDeadLetterLogging() {}

// Limits are those of the configuration.
func (o *Options) Limits() messages.Limits {
	return messages.Limits{
		Jobs: o.Slots, DeviceJobs: o.DeviceSlots, HandoffsFirst: o.HandoffsFirst,
		Bytes: o.Bytes, DeviceBytes: o.DeviceBytes, Hashes: o.Hashes, Tranquility: o.Tranquility,
	}
}

// firstCourse is that of an engine which begins.
func firstCourse(o *Options) *messages.Course {
	if o.Course != nil {
		return o.Course.Copy()
	}
	return &messages.Course{Limits: o.Limits(), Config: o.Limits(), Profile: messages.ProfileBalanced}
}

// steer changes the course as an operator asks.
func (s *Supervisor) steer(c actor.Context, m *messages.Steer) {
	next := s.course.Copy()
	if err := m.Change(next, s.e.deps.Clock.Now()); err != nil {
		c.Respond(&messages.Steered{Course: s.course, Err: err})
		return
	}
	s.follow(c, next)
	s.happened(c, &messages.SupervisionEvent{Kind: messages.EventControl, Actor: m.Subject})
	c.Respond(&messages.Steered{Course: s.course})
}

// follow makes everybody keep to another course.
func (s *Supervisor) follow(c actor.Context, next *messages.Course) {
	s.course = next
	if s.e.deps.Steer != nil {
		s.e.deps.Steer(next)
	}
	change := &messages.CourseChanged{Course: next}
	c.Request(s.wiring.Budget, change)
	c.Request(s.wiring.Recorder, change)
	for _, pid := range s.devices {
		if pid != nil {
			c.Request(pid, change)
		}
	}
	if next := soonest(next); !next.IsZero() {
		s.expiry.set(c, s.e.deps.Clock, max(0, next.Sub(s.e.deps.Clock.Now())), &courseDue{})
	} else {
		s.expiry.stop()
	}
}

// soonest is when the first thing of a course ends by itself, zero for never.
func soonest(c *messages.Course) (first time.Time) {
	at := func(t time.Time) {
		if !t.IsZero() && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	at(c.Until)
	if c.Node != nil {
		at(c.Node.Until)
	}
	each(c.Devices, func(_ string, p messages.Pause) { at(p.Until) })
	each(c.Policies, func(_ int, p messages.Pause) { at(p.Until) })
	each(c.Peers, func(_ string, p messages.Pause) { at(p.Until) })
	return first
}

func each[K comparable](m map[K]messages.Pause, f func(K, messages.Pause)) {
	for k, p := range m {
		f(k, p)
	}
}

// expire ends what ends by itself.
func (s *Supervisor) expire(c actor.Context) {
	next, now := s.course.Copy(), s.e.deps.Clock.Now()
	over := func(t time.Time) bool { return !t.IsZero() && !t.After(now) }
	told := func(what string) {
		s.happened(c, &messages.SupervisionEvent{Kind: messages.EventControl, Actor: what + " ends by itself"})
	}
	if over(next.Until) {
		told("profile " + next.Profile)
		next.Profile, next.Until, next.Limits, next.Stored = messages.ProfileBalanced, time.Time{}, next.Config, false
	}
	if next.Node != nil && over(next.Node.Until) {
		told("pause of the node")
		next.Node = nil
	}
	lift(next.Devices, over, told)
	lift(next.Policies, over, told)
	lift(next.Peers, over, told)
	s.follow(c, next)
}

func lift[K comparable](pauses map[K]messages.Pause, over func(time.Time) bool, told func(string)) {
	for k, p := range pauses {
		if over(p.Until) {
			told(fmt.Sprint("pause of ", k))
			delete(pauses, k)
		}
	}
}

// reconfigured is the course under another configuration: limits that an operator has
// set stay.
func reconfigured(c *messages.Course, o *Options) *messages.Course {
	next := c.Copy()
	next.Config = o.Limits()
	if next.Profile == messages.ProfileBalanced {
		next.Limits = next.Config
	}
	return next
}

// toDevice hands a message to a device.
func (s *Supervisor) toDevice(c actor.Context, m *messages.ToDevice) {
	pid, known := s.devices[m.Device]
	if pid == nil {
		c.Respond(&messages.Forwarded{Known: known, State: messages.StateBackingOff})
		return
	}
	c.RequestWithCustomSender(pid, m.Message, c.Sender())
}
