package actors

import (
	"time"

	"github.com/asynkron/protoactor-go/actor"
)

// alarm sends its actor a message later. Setting it again forgets the earlier one,
// except for a message that is on its way already.
type alarm struct{ cancel func() bool }

func (a *alarm) set(c actor.Context, clock Clock, after time.Duration, message any) {
	a.stop()
	self, root := c.Self(), c.ActorSystem().Root
	a.cancel = clock.AfterFunc(after, func() { root.Send(self, message) })
}

func (a *alarm) stop() {
	if a.cancel != nil {
		a.cancel()
		a.cancel = nil
	}
}

// restOver ends a rest. Sender: the device's own alarm, as of the following.
type restOver struct{ nap uint64 }

// probeDue asks for the next probe of the disk.
type probeDue struct{}

// noteDue asks for a note of the cursor.
type noteDue struct{}

// IgnoreDeadLetterLogging: the device may have ended meanwhile.
func (*restOver) IgnoreDeadLetterLogging() {}

// IgnoreDeadLetterLogging: the device may have ended meanwhile.
func (*probeDue) IgnoreDeadLetterLogging() {}

// IgnoreDeadLetterLogging: the device may have ended meanwhile.
func (*noteDue) IgnoreDeadLetterLogging() {}
