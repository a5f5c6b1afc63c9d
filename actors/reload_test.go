package actors

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"understudy/messages"
)

// Another configuration takes hold at once, and drops nothing: what is in flight
// ends as it began, no partition is left out or done twice, the pass goes on.
func TestReload(t *testing.T) {
	inWorld(t, everywhere(100), func(w *world) {
		w.opts.Once, w.opts.Slots, w.opts.Interval = false, 1, time.Hour
		w.slowly(time.Minute)
		w.start()
		time.Sleep(10*time.Minute + time.Second)
		if n := len(w.hashed("d0")); n != 11 {
			t.Fatalf("%d jobs after ten minutes with one slot", n)
		}
		opts, deps := w.opts, w.deps
		opts.Slots, opts.Interval, opts.Once = 4, 2*time.Hour, true // the last does not count
		asked := 0
		deps.Peers = countingPeers{w, &asked}
		w.system.Root.Send(w.root, &Reload{Deps: deps, Options: opts, View: w.view})
		time.Sleep(9*time.Minute + 30*time.Second) // no job begins at that moment
		if n := len(w.hashed("d0")); n < 48 || n > 53 {
			t.Errorf("%d jobs ten minutes later with four", n)
		}
		time.Sleep(time.Hour + 30*time.Second)
		all := w.hashed("d0")
		if len(all) != 100 || distinct(all) != 100 {
			t.Errorf("%d jobs for %d partitions", len(all), distinct(all))
		}
		if asked < 2*85 || asked > 2*90 {
			t.Errorf("the new peers were asked %d times", asked)
		}
		if d := w.device("d0"); d.Passes != 1 || d.State != messages.StateResting {
			t.Errorf("got %+v", d)
		}
		time.Sleep(45 * time.Minute)
		if n := len(w.hashed("d0")); n != 100 {
			t.Errorf("the old rest still holds: %d jobs", n)
		}
	})
}

type countingPeers struct {
	w *world
	n *int
}

func (p countingPeers) Hashes(ctx context.Context, n messages.Node, policy int, part uint32) (messages.Hashes, error) {
	p.w.mu.Lock()
	*p.n++
	p.w.mu.Unlock()
	return p.w.peer(ctx, n, policy, part)
}

// Fewer slots hold as soon as jobs end, and a reload of rings follows them.
func TestReloadWithFewerSlotsAndOtherRings(t *testing.T) {
	inWorld(t, threeCopies(60, 3, 2), func(w *world) {
		w.opts.Once, w.opts.Slots = false, 8
		w.slowly(time.Minute)
		w.start()
		time.Sleep(90 * time.Second)
		opts := w.opts
		opts.Slots = 2
		smaller := threeCopies(60, 3, 1)
		w.view = view(2, smaller)
		w.system.Root.Send(w.root, &Reload{Deps: w.deps, Options: opts, View: w.view})
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		w.mu.Lock()
		inside := w.inside
		w.mu.Unlock()
		if inside > 2 {
			t.Errorf("%d jobs at work with two slots", inside)
		}
		if s := w.snapshot(); len(s.Devices) != 1 || s.Devices[0].Device != "d0" {
			t.Errorf("devices %+v", s.Devices)
		}
	})
}

// One disk does no more jobs at a time than device_concurrency says.
func TestDeviceConcurrency(t *testing.T) {
	inWorld(t, everywhere(30), func(w *world) {
		w.opts.Slots, w.opts.DeviceSlots = 8, 3
		w.slowly(time.Second)
		w.run()
		if w.most != 3 {
			t.Errorf("at most %d jobs at a time, want 3", w.most)
		}
	})
}

// The supervisor answers through its mailbox; when it cannot, that shows.
func TestAlive(t *testing.T) {
	inWorld(t, everywhere(3), func(w *world) {
		w.opts.Once = false
		wedged := make(chan struct{})
		var wedge atomic.Bool
		w.deps.Middleware = append(w.deps.Middleware, func(next actor.ReceiverFunc) actor.ReceiverFunc {
			return func(c actor.ReceiverContext, e *actor.MessageEnvelope) {
				if _, ok := c.Actor().(*Supervisor); ok && wedge.Load() {
					<-wedged
				}
				next(c, e)
			}
		})
		w.start()
		ask := func() error {
			_, err := w.system.Root.RequestFuture(w.root, &messages.Alive{}, time.Second).Result()
			return err
		}
		if err := ask(); err != nil {
			t.Errorf("ask: %v", err)
		}
		wedge.Store(true)
		if err := ask(); err == nil {
			t.Error("a wedged supervisor answers")
		}
		wedge.Store(false)
		close(wedged)
	})
}

// A message to an actor that is gone is counted, a late answer as such; neither
// ends anything, nor floods the log.
func TestDeadLettersAreCounted(t *testing.T) {
	inWorld(t, everywhere(3), func(w *world) {
		w.opts.Once = false
		w.start()
		time.Sleep(time.Second)
		gone := actor.NewPID("nonhost", w.root.Id+"/nobody-1")
		gone.Address = w.root.Address
		for range 1000 {
			w.system.Root.Send(gone, &messages.JobDone{})
			w.system.Root.Send(gone, &answer{})
		}
		elsewhere := actor.NewPID(w.root.Address, "somebody-of-the-host")
		w.system.Root.Send(elsewhere, &messages.JobDone{})
		time.Sleep(time.Second)
		s := w.snapshot().Supervision
		if s.DeadLetters != 1000 || s.Late < 1000 {
			t.Errorf("counted %d dead letters and %d late answers", s.DeadLetters, s.Late)
		}
		if len(s.Recent) != maxRecent {
			t.Errorf("%d events are kept", len(s.Recent))
		}
		if n := strings.Count(w.logged(), `"event":"dead letter"`); n != 10 {
			t.Errorf("%d of 1000 dead letters were logged", n)
		}
	})
}

// A stop that comes while the tree is still being born ends it all the same.
func TestStopDuringStart(t *testing.T) {
	for _, after := range []time.Duration{0, time.Nanosecond, time.Millisecond} {
		inWorld(t, threeCopies(30, 3, 3), func(w *world) {
			w.opts.Once = false
			w.list = func(ctx context.Context, _ string, _ int) (messages.Listing, error) {
				pause(ctx, time.Minute)
				return messages.Listing{}, ctx.Err()
			}
			w.start()
			time.Sleep(after)
			w.stop()
			w.root = nil
			synctest.Wait()
			if w.inside != 0 {
				t.Errorf("%d calls still inside", w.inside)
			}
		})
	}
}
