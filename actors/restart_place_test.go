package actors

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"understudy/messages"
)

// An actor that the library restarts in place is ended, and its parent does what it does
// after any crash: no job, slot, pass or round is lost.
func TestRestartInPlace(t *testing.T) {
	for kind, on := range map[string]func(a actor.Actor, m any) bool{
		"partition": func(a actor.Actor, m any) bool {
			_, one := a.(*Partition)
			_, answered := m.(*answer)
			return one && answered
		},
		"device": func(a actor.Actor, m any) bool {
			d, one := a.(*Device)
			_, done := m.(*messages.PartitionDone)
			return one && d.name == "d0" && done
		},
		"device at its birth": func(a actor.Actor, m any) bool {
			_, one := a.(*Device)
			_, begins := m.(*actor.Started)
			return one && begins
		},
		"budget": func(a actor.Actor, m any) bool {
			_, one := a.(*Budget)
			_, back := m.(*messages.ReturnSlots)
			return one && back
		},
		"recorder": func(a actor.Actor, m any) bool {
			_, one := a.(*Recorder)
			_, done := m.(*messages.JobDone)
			return one && done
		},
		"ring watcher": func(a actor.Actor, m any) bool {
			_, one := a.(*RingWatcher)
			_, answered := m.(*answer)
			return one && answered
		},
	} {
		t.Run(kind, func(t *testing.T) {
			inWorld(t, threeCopies(12, 3, 2), func(w *world) {
				w.opts.Once, w.opts.Interval = false, time.Second
				w.slowly(100 * time.Millisecond)
				var restarts, restarting atomic.Int64
				w.deps.Middleware = append(w.deps.Middleware, func(next actor.ReceiverFunc) actor.ReceiverFunc {
					return func(c actor.ReceiverContext, e *actor.MessageEnvelope) {
						if _, ok := e.Message.(*actor.Restarting); ok {
							restarting.Add(1)
						}
						if on(c.Actor(), e.Message) && restarts.Load() < 3 {
							restarts.Add(1)
							panic(Restart{kind})
						}
						next(c, e)
					}
				})
				w.start()
				time.Sleep(5 * time.Minute)
				// One that fails anew before it is ended is restarted once.
				if restarts.Load() != 3 || restarting.Load() < 2 {
					w.t.Fatalf("%d restarts, %d restarted", restarts.Load(), restarting.Load())
				}
				for _, name := range []string{"d0", "d1"} {
					before := w.device(name).Passes
					time.Sleep(time.Minute)
					if d := w.device(name); d.Passes < before+10 {
						t.Errorf("%s goes on by %d passes: %+v", name, d.Passes-before, d)
					}
				}
				if w.most > w.opts.Slots {
					t.Errorf("%d jobs at once, %d slots", w.most, w.opts.Slots)
				}
				if s := w.snapshot(); kind != "recorder" && s.Supervision.Crashes < 3 {
					t.Errorf("%d crashes told", s.Supervision.Crashes)
				}
			})
		})
	}
}

// A supervisor whose host restarts nothing ends the engine, and says why.
func TestRestartOfTheSupervisor(t *testing.T) {
	inWorld(t, threeCopies(2, 3, 1), func(w *world) {
		w.deps.Middleware = append(w.deps.Middleware, func(next actor.ReceiverFunc) actor.ReceiverFunc {
			return func(c actor.ReceiverContext, e *actor.MessageEnvelope) {
				if _, ok := e.Message.(*messages.RoundDone); ok {
					panic(Restart{"for a test"})
				}
				next(c, e)
			}
		})
		w.start()
		err := <-w.failure
		var again Restart
		if !errors.As(err, &again) || !strings.Contains(err.Error(), "for a test") {
			t.Errorf("got %v", err)
		}
		w.root = nil
	})
}
