package actors

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"understudy/messages"
)

// A host restarts what fails, as the library's own strategy does. The supervisor is
// crashed four times, each time while a device waits to be born again: a wait that went
// on in the next incarnation would give the disk two actors. There must be one actor a
// disk, no job more than there are slots, and passes that end.
func TestHostRestartsTheSupervisor(t *testing.T) {
	inWorld(t, threeCopies(12, 3, 2), func(w *world) {
		w.opts.Once, w.opts.Interval = false, time.Second
		w.slowly(100 * time.Millisecond)
		var fail atomic.Bool
		type crash struct{}
		births, deaths := atomic.Int64{}, atomic.Int64{}
		w.deps.Middleware = append(w.deps.Middleware, func(next actor.ReceiverFunc) actor.ReceiverFunc {
			return func(c actor.ReceiverContext, e *actor.MessageEnvelope) {
				if d, ok := c.Actor().(*Device); ok && d.name == "d0" {
					switch e.Message.(type) {
					case *actor.Started:
						births.Add(1)
					case *actor.Stopped:
						deaths.Add(1)
					}
				}
				next(c, e)
			}
		}, crashOn(func(a actor.Actor, m any) bool {
			d, device := a.(*Device)
			_, begins := m.(*messages.StartPass)
			_, told := m.(*crash)
			return told || device && d.name == "d0" && begins && fail.Load()
		}))
		stood := 0
		w.system.EventStream.Subscribe(func(m any) {
			if _, ok := m.(*messages.EngineStarted); ok {
				stood++
			}
		})
		props := SupervisorProps(w.deps, w.opts, w.view)
		w.root = w.system.Root.Spawn(props) // under the library's default: ten restarts
		for range 4 {
			fail.Store(true)
			w.system.Root.Send(w.root, &crash{})
			time.Sleep(100 * time.Millisecond) // the device has crashed at its birth and waits for a second
			w.system.Root.Send(w.root, &crash{})
			fail.Store(false)
			time.Sleep(10 * time.Second)
			if alive := births.Load() - deaths.Load(); alive != 1 {
				t.Fatalf("%d actors for one disk", alive)
			}
		}
		if stood != 9 {
			t.Errorf("%d incarnations, want 9", stood)
		}
		if w.most > w.opts.Slots {
			t.Errorf("%d jobs at once, %d slots", w.most, w.opts.Slots)
		}
		for _, name := range []string{"d0", "d1"} {
			if d := w.device(name); d.Passes == 0 || d.Restarts != 0 {
				t.Errorf("%s: %+v", name, d)
			}
		}
	})
}

// What subscribers of the host do is their affair.
func TestSubscriberPanics(t *testing.T) {
	inWorld(t, threeCopies(4, 3, 1), func(w *world) {
		rounds := 0
		w.system.EventStream.Subscribe(func(m any) {
			if _, ok := m.(*messages.RoundEnded); ok {
				rounds++
				panic("a subscriber")
			}
		})
		w.run()
		if rounds != 1 {
			t.Errorf("%d rounds told", rounds)
		}
	})
}
