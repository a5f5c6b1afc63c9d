package remoteapi

import (
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/asynkron/protoactor-go/eventstream"
	"golang.org/x/time/rate"
	"google.golang.org/protobuf/types/known/timestamppb"

	"understudy/messages"
	"understudy/messages/controlpb"
)

// A subscription is a lease: nobody can be trusted to say when they go. What a subscriber
// is sent waits in a queue of the library, so it is bounded by a rate.
const (
	mostSubscribers = 32
	leaseDefault    = time.Minute
	leaseMost       = 10 * time.Minute
	eventRate       = 50 // a second, to each
	eventBurst      = 100
)

type subscriptions struct {
	by    map[string]*subscription
	timer *time.Timer
}

type subscription struct {
	to     *actor.PID
	until  time.Time
	pace   *rate.Limiter
	missed uint64
}

// heard is an event of the engine. Sender: the facade's own ear on the event stream.
type heard struct{ event *controlpb.Event }

func (*heard) IgnoreDeadLetterLogging() {}

// leaseDue has leases looked at. Sender: the facade's own timer.
type leaseDue struct{}

func (*leaseDue) IgnoreDeadLetterLogging() {}

func newSubscriptions() subscriptions { return subscriptions{by: map[string]*subscription{}} }

// hear has the engine's events sent to the facade. The ear runs in the actor that
// publishes, so it only passes on.
func (s *subscriptions) hear(c actor.Context, e Engine) *eventstream.Subscription {
	root, self := c.ActorSystem().Root, c.Self()
	return c.ActorSystem().EventStream.Subscribe(func(m any) {
		if from, event := eventOf(m); event != nil && from.Equal(e.PID()) {
			root.Send(self, &heard{event})
		}
	})
}

// eventOf is the wire form of an event, and the engine that it is of; nil for any other.
func eventOf(m any) (*actor.PID, *controlpb.Event) {
	e := &controlpb.Event{Version: controlpb.Version, At: timestamppb.Now()}
	switch m := m.(type) {
	case *messages.EngineStarted:
		e.Kind, e.Subject = "started", m.Engine.Id
		return m.Engine, e
	case *messages.RoundEnded:
		e.Kind = "round"
		if len(m.Cut) > 0 {
			e.Why = "cut short: " + text(m.Cut[0])
		}
		return m.Engine, e
	case *messages.Happened:
		e.At, e.Kind, e.Subject, e.Why = timestamppb.New(m.Event.At), m.Event.Kind, text(m.Event.Actor), text(m.Event.Why)
		return m.Engine, e
	}
	return nil, nil
}

func (s *subscriptions) add(c actor.Context, to *actor.PID, m *controlpb.Subscribe) *controlpb.Reply {
	lease, err := duration(m.GetLease())
	if err != nil {
		return failure(err)
	}
	if lease == 0 {
		lease = leaseDefault
	}
	one := s.by[to.String()]
	if one == nil {
		if len(s.by) >= mostSubscribers {
			return failed(controlpb.Error_TOO_MANY, "too many subscriptions")
		}
		one = &subscription{pace: rate.NewLimiter(eventRate, eventBurst)}
		s.by[to.String()] = one
	}
	one.to, one.until = to, time.Now().Add(min(lease, leaseMost))
	s.schedule(c)
	return &controlpb.Reply{Version: controlpb.Version, Answer: &controlpb.Reply_Subscribed{
		Subscribed: &controlpb.Subscribed{Until: timestamppb.New(one.until)},
	}}
}

func (s *subscriptions) remove(to *actor.PID) { delete(s.by, to.String()) }

// expire ends the leases that are over.
func (s *subscriptions) expire(c actor.Context) {
	now := time.Now()
	for key, one := range s.by {
		if !one.until.After(now) {
			delete(s.by, key)
		}
	}
	s.schedule(c)
}

// schedule sets the timer to the end of the first lease.
func (s *subscriptions) schedule(c actor.Context) {
	s.end()
	var first time.Time
	for _, one := range s.by {
		if first.IsZero() || one.until.Before(first) {
			first = one.until
		}
	}
	if !first.IsZero() {
		root, self := c.ActorSystem().Root, c.Self()
		s.timer = time.AfterFunc(time.Until(first), func() { root.Send(self, &leaseDue{}) })
	}
}

func (s *subscriptions) end() {
	if s.timer != nil {
		s.timer.Stop()
	}
}

// tell sends an event to all who want it, each copy with what that one has missed.
func (s *subscriptions) tell(c actor.Context, m *heard) {
	for _, one := range s.by {
		if !one.pace.Allow() {
			one.missed++
			continue
		}
		e := m.event
		c.Send(one.to, &controlpb.Event{
			Version: e.Version, At: e.At, Kind: e.Kind, Subject: e.Subject, Why: e.Why, Missed: one.missed,
		})
		one.missed = 0
	}
}
