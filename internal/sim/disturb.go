package sim

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"understudy/actors"
)

var errInjected = errors.New("simulated defect")

// disturb makes actors crash, end, or get a message twice, now and then. They have to bear
// that; messages that are lost they have not (docs/experiments.md).
func (b *boot) disturb(next actor.ReceiverFunc) actor.ReceiverFunc {
	return func(c actor.ReceiverContext, e *actor.MessageEnvelope) {
		b.saw(e.Message)
		w := b.node.world
		if budget, ok := c.Actor().(*actors.Budget); ok {
			b.budget = budget
		}
		switch e.Message.(type) {
		case *actor.Started, *actor.Stopping, *actor.Stopped, *actor.Restarting:
			next(c, e)
			return
		}
		if !w.chaos || c.Self().Id == b.root.GetId() {
			next(c, e)
			return
		}
		switch {
		case b.strikes(w.plan.panics):
			w.fault("actor: panic")
			panic(errInjected)
		case b.strikes(w.plan.doubles) && !library(e.Message):
			w.fault("actor: message twice")
			next(c, e)
		case b.strikes(w.plan.ends) && !library(e.Message):
			w.fault("actor: ended")
			defer c.ActorSystem().Root.Stop(c.Self())
		}
		next(c, e)
	}
}

// library tells whether a message is the actor library's own.
func library(message any) bool { return strings.HasPrefix(fmt.Sprintf("%T", message), "*actor.") }

// strikes draws whether something happens to a message, so often in a thousand.
func (b *boot) strikes(chance int) bool { return chance > 0 && b.messages.IntN(1000) < chance }

// dawdle is how long an actor waits before it handles what comes next.
func (b *boot) dawdle() time.Duration {
	w := b.node.world
	if !w.chaos || !b.strikes(w.plan.delays) {
		return 0
	}
	w.fault("actor: message late")
	return time.Duration(b.messages.Int64N(int64(5 * time.Second)))
}
