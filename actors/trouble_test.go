package actors

import (
	"context"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"understudy/messages"
)

// A call on one disk never returns. Its slot goes back to the node, the other
// disk finishes its pass, the sick one stalls, takes no new work, and comes back
// by itself when the call returns at last.
func TestStuckCallStallsOnlyItsDisk(t *testing.T) {
	inWorld(t, threeCopies(6, 3, 2), func(w *world) {
		w.opts.Once, w.opts.Slots = false, 1
		thaw := make(chan struct{})
		fine := w.hashes
		w.hashes = func(ctx context.Context, p messages.Partition, o messages.HashOptions) (messages.HashReport, error) {
			if p.Device == "d0" && p.Number == 3 {
				<-thaw // ignores its context, as a dead disk does
			}
			return fine(ctx, p, o)
		}
		w.start()
		time.Sleep(w.opts.CallTimeout + callGrace + time.Minute)
		sick, well := w.device("d0"), w.device("d1")
		if sick.State != messages.StateStalled || !strings.Contains(sick.Cut, "partition 3") {
			t.Errorf("the sick disk is %s, cut %q", sick.State, sick.Cut)
		}
		if well.Passes == 0 {
			t.Error("the other disk has not finished a pass")
		}
		w.mustLog("job is written off")
		before := well.Passes
		time.Sleep(10 * time.Minute)
		if w.device("d0").State != messages.StateStalled || w.device("d1").Passes <= before {
			t.Error("the stalled disk did something, or the other one stopped")
		}
		close(thaw)
		time.Sleep(2 * time.Minute)
		if d := w.device("d0"); d.Passes == 0 || d.Cut != "" {
			t.Errorf("the disk did not come back: %+v", d)
		}
		w.mustLog("device is back in service")
	})
}

// A stuck listing ends the pass of that disk, also in script mode.
func TestStuckListing(t *testing.T) {
	inWorld(t, threeCopies(6, 3, 2), func(w *world) {
		thaw := make(chan struct{})
		fine := w.list
		w.list = func(ctx context.Context, device string, policy int) (messages.Listing, error) {
			if device == "d0" {
				<-thaw
			}
			return fine(ctx, device, policy)
		}
		if stats := w.run(); stats.Attempted != 6 {
			t.Errorf("attempted %d, want the 6 of the other disk", stats.Attempted)
		}
		if d := w.device("d0"); d.State != messages.StateStalled {
			t.Errorf("the sick disk is %s", d.State)
		}
		w.stop() // does not wait for the listing
		w.root = nil
		close(thaw)
	})
}

// Stopping does not wait for stuck calls, and late answers reach nobody.
func TestStopDuringStuckCalls(t *testing.T) {
	inWorld(t, threeCopies(30, 3, 3), func(w *world) {
		thaw := make(chan struct{})
		w.hashes = func(context.Context, messages.Partition, messages.HashOptions) (messages.HashReport, error) {
			<-thaw
			return messages.HashReport{}, nil
		}
		w.start()
		time.Sleep(time.Second)
		w.stop()
		w.root = nil
		close(thaw)
		synctest.Wait()
		if w.inside != 0 {
			t.Errorf("%d calls still inside", w.inside)
		}
	})
}

// Every partition is a fresh actor: an answer that comes after its actor has
// ended changes nothing of a later job.
func TestPanicInWorkIsAFailedJob(t *testing.T) {
	inWorld(t, everywhere(4), func(w *world) {
		fine := w.peer
		w.peer = func(ctx context.Context, n messages.Node, policy int, part uint32) (messages.Hashes, error) {
			if part == 2 && n.Device == "d1" {
				panic("bug in a codec")
			}
			return fine(ctx, n, policy, part)
		}
		stats := w.run()
		if stats.Attempted != 4 || stats.Failure != 1 || stats.Success != 7 {
			t.Errorf("got %+v", stats)
		}
		w.mustLog("bug in a codec")
	})
}

// A partition actor that crashes fails its job; the pass goes on.
func TestPartitionCrash(t *testing.T) {
	inWorld(t, everywhere(5), func(w *world) {
		w.deps.Middleware = append(w.deps.Middleware, crashOn(func(a actor.Actor, m any) bool {
			job, ok := m.(*messages.StartJob)
			return ok && job.Partition.Number == 3
		}))
		stats := w.run()
		if stats.Attempted != 5 || stats.Failure != 2 || stats.Success != 8 {
			t.Errorf("got %+v", stats)
		}
		w.mustLog("actor panicked")
	})
}

// A device that crashes again and again is born again ever more slowly, at most
// every minute and a quarter, while the other disk works on. In the end it comes
// back, and the record of its crashes is wiped.
func TestDeviceCrashLoopBacksOff(t *testing.T) {
	inWorld(t, threeCopies(6, 3, 2), func(w *world) {
		w.opts.Once = false
		var births []time.Time
		var healthy atomic.Bool
		w.deps.Middleware = append(w.deps.Middleware, crashOn(func(a actor.Actor, m any) bool {
			d, ok := a.(*Device)
			if _, begins := m.(*messages.StartPass); !ok || !begins || d.name != "d0" {
				return false
			}
			w.mu.Lock()
			births = append(births, time.Now())
			w.mu.Unlock()
			return !healthy.Load()
		}))
		w.start()
		time.Sleep(10 * time.Minute)
		sick := w.device("d0")
		w.mu.Lock()
		born := slices.Clone(births)
		w.mu.Unlock()
		if sick.State != messages.StateBackingOff || sick.Restarts != len(born) {
			t.Errorf("%d births, device %+v", len(born), sick)
		}
		if w.device("d1").Passes < 10 {
			t.Error("the other disk was disturbed")
		}
		for i, least := range []time.Duration{1, 2, 4, 8, 16, 32, 60, 60} {
			least *= time.Second
			if wait := born[i+1].Sub(born[i]); wait < least || wait > least+least/4 {
				t.Errorf("wait %d was %v, want %v to %v", i+1, wait, least, least+least/4)
			}
		}
		healthy.Store(true)
		time.Sleep(3 * time.Minute)
		if d := w.device("d0"); d.Passes == 0 {
			t.Errorf("the device did not come back: %+v", d)
		}
	})
}

// A device crashes while its jobs are in calls that do not let go, and a successor does
// the pass. What the old calls answer later reaches nobody: no job counts twice, and
// every slot is there for the next pass.
func TestLateResultsReachNobody(t *testing.T) {
	inWorld(t, everywhere(40), func(w *world) {
		w.opts.Once, w.opts.Interval, w.opts.Slots = false, time.Hour, 4
		var crashed atomic.Bool
		late := 0
		fine := w.hashes
		w.hashes = func(ctx context.Context, p messages.Partition, o messages.HashOptions) (messages.HashReport, error) {
			if w.event("hash %s %d", p.Device, p.Number); crashed.Load() {
				pause(ctx, time.Second)
				return fine(ctx, p, o)
			}
			time.Sleep(5 * time.Minute) // ignores its context
			w.mu.Lock()
			late++
			w.mu.Unlock()
			return fine(context.WithoutCancel(ctx), p, o)
		}
		w.deps.Middleware = append(w.deps.Middleware, crashOn(func(a actor.Actor, m any) bool {
			_, device := a.(*Device)
			_, asked := m.(*messages.Retry)
			return device && asked && !crashed.Swap(true)
		}))
		w.start()
		time.Sleep(30 * time.Second)
		w.system.Root.Send(w.root, &messages.ToDevice{Device: "d0", Message: &messages.Retry{}})
		time.Sleep(15 * time.Minute)
		d := w.device("d0")
		if !crashed.Load() || late != 4 || d.Passes != 1 || d.Stats.Attempted != 40 || d.Done != 40 {
			t.Errorf("crashed %v, %d late; %+v", crashed.Load(), late, d)
		}
		if n := w.snapshot().Supervision.Late; n < 4 {
			t.Errorf("%d late answers were counted", n)
		}
		w.mu.Lock()
		w.most = 0
		w.mu.Unlock()
		time.Sleep(time.Hour)
		if d := w.device("d0"); d.Passes != 2 || w.most != 4 {
			t.Errorf("in the next pass %d jobs at once; %+v", w.most, d)
		}
	})
}

func TestDeviceCrashEndsItsPassInScriptMode(t *testing.T) {
	inWorld(t, threeCopies(6, 3, 2), func(w *world) {
		w.deps.Middleware = append(w.deps.Middleware, crashOn(func(a actor.Actor, m any) bool {
			d, ok := a.(*Device)
			_, listed := m.(*answer)
			return ok && listed && d.name == "d0"
		}))
		if stats := w.run(); stats.Attempted != 6 {
			t.Errorf("attempted %d, want the 6 of the other disk", stats.Attempted)
		}
	})
}

// A budget that crashes takes no slot with it: its successor learns what is held
// and goes on.
func TestBudgetCrash(t *testing.T) {
	inWorld(t, threeCopies(60, 3, 3), func(w *world) {
		w.opts.Slots = 3
		fine := w.hashes
		w.hashes = func(ctx context.Context, p messages.Partition, o messages.HashOptions) (messages.HashReport, error) {
			pause(ctx, time.Second)
			return fine(ctx, p, o)
		}
		crashes := 0
		w.deps.Middleware = append(w.deps.Middleware, crashOn(func(a actor.Actor, m any) bool {
			_, budget := a.(*Budget)
			if _, back := m.(*messages.ReturnSlots); !budget || !back || crashes == 3 {
				return false
			}
			crashes++
			return true
		}))
		if stats := w.run(); stats.Attempted != 180 || crashes != 3 {
			t.Errorf("attempted %d after %d crashes, want 180", stats.Attempted, crashes)
		}
		if w.most > 3 {
			t.Errorf("%d jobs at once, want at most 3", w.most)
		}
	})
}

func TestRecorderCrash(t *testing.T) {
	crash := func(w *world) {
		crashed := false
		w.deps.Middleware = append(w.deps.Middleware, crashOn(func(a actor.Actor, m any) bool {
			_, recorder := a.(*Recorder)
			_, job := m.(*messages.JobDone)
			if !recorder || !job || crashed {
				return false
			}
			crashed = true
			return true
		}))
	}
	t.Run("daemon mode goes on", func(t *testing.T) {
		inWorld(t, threeCopies(6, 3, 2), func(w *world) {
			w.opts.Once = false
			crash(w)
			w.start()
			time.Sleep(5 * time.Minute)
			if s := w.snapshot(); s.Rounds < 3 {
				t.Errorf("%d rounds after the crash", s.Rounds)
			}
		})
	})
	t.Run("script mode fails aloud", func(t *testing.T) {
		inWorld(t, threeCopies(6, 3, 2), func(w *world) {
			crash(w)
			w.start()
			select {
			case err := <-w.failure:
				if !strings.Contains(err.Error(), errRecorderLost.Error()) {
					t.Errorf("failed with %v", err)
				}
			case <-time.After(time.Hour):
				t.Error("nobody noticed")
			}
		})
	})
}

// A Fatal in a device ends the supervisor, and with it everything.
func TestFatalEscalates(t *testing.T) {
	inWorld(t, threeCopies(6, 3, 2), func(w *world) {
		w.opts.Once = false
		w.deps.Middleware = append(w.deps.Middleware, func(next actor.ReceiverFunc) actor.ReceiverFunc {
			return func(c actor.ReceiverContext, e *actor.MessageEnvelope) {
				if _, ok := e.Message.(*messages.StartPass); ok {
					panic(Fatal{errDisk})
				}
				next(c, e)
			}
		})
		w.start()
		if err := <-w.failure; !strings.Contains(err.Error(), errDisk.Error()) {
			t.Errorf("failed with %v", err)
		}
	})
}

// A panic in the Stopping handler, which would make an actor immortal, is caught.
func TestPanicWhileStopping(t *testing.T) {
	inWorld(t, threeCopies(6, 3, 2), func(w *world) {
		w.opts.Once = false
		w.deps.Middleware = append(w.deps.Middleware, crashOn(func(a actor.Actor, m any) bool {
			_, stopping := m.(*actor.Stopping)
			return stopping
		}))
		w.start()
		time.Sleep(time.Minute)
	})
}

// New rings: devices come and go, roles change under way, the pass goes on.
func TestRingChange(t *testing.T) {
	ring := threeCopies(40, 4, 2)
	inWorld(t, ring, func(w *world) {
		w.opts.Once, w.opts.Slots = false, 1
		fine := w.hashes
		w.hashes = func(ctx context.Context, p messages.Partition, o messages.HashOptions) (messages.HashReport, error) {
			w.event("on %s", p.Device)
			pause(ctx, 5*time.Second)
			return fine(ctx, p, o)
		}
		w.start()
		time.Sleep(16 * time.Second)
		next := threeCopies(40, 4, 2)
		next.local = []int{1, 2} // d0 leaves, d2 comes
		w.mu.Lock()
		w.polled = view(2, next)
		w.mu.Unlock()
		time.Sleep(16 * time.Second)
		s := w.snapshot()
		if len(s.Devices) != 2 || s.Devices[0].Device != "d1" || s.Devices[1].Device != "d2" {
			t.Fatalf("devices %+v", s.Devices)
		}
		time.Sleep(20 * time.Minute)
		for _, d := range w.snapshot().Devices {
			if d.Passes == 0 || d.Cut != "" {
				t.Errorf("%+v", d)
			}
		}
		seen := strings.Join(w.happened(), " ")
		if tail := seen[strings.Index(seen, "on d2"):]; strings.Contains(tail, "on d0") {
			t.Error("a device that left the ring went on")
		}
		w.mustLog("Ring change detected. Aborting current replication pass.")
		w.mustLog("rings changed: jobs take their roles from the new ones")
		w.mustLog("device left the ring")
	})
}

// A job is what the newest ring says: a partition that becomes a handoff in the
// middle of a pass is not pushed as a primary.
func TestRoleIsTakenFromTheNewestRing(t *testing.T) {
	inWorld(t, everywhere(20), func(w *world) {
		w.opts.Slots = 1
		w.push = func(_ context.Context, job messages.SyncJob) (messages.SyncResult, error) { return proves(job) }
		fine := w.hashes
		jobs := 0
		w.hashes = func(ctx context.Context, p messages.Partition, o messages.HashOptions) (messages.HashReport, error) {
			if jobs++; jobs == 10 {
				elsewhere := &table{nodes: someNodes(4), local: []int{0}}
				for range 20 {
					elsewhere.parts = append(elsewhere.parts, []int{1, 2, 3})
				}
				w.mu.Lock()
				w.polled = view(2, elsewhere)
				w.mu.Unlock()
			}
			pause(ctx, 10*time.Second)
			return fine(ctx, p, o)
		}
		w.run()
		reverts := strings.Count(strings.Join(w.happened(), " "), "remove")
		if updates := jobs; updates >= 20 || updates < 10 || updates+reverts != 20 {
			t.Errorf("%d updates and %d reverts of 20 partitions", updates, reverts)
		}
	})
}

// A recon file that cannot be written is told and otherwise ignored.
func TestReconTrouble(t *testing.T) {
	inWorld(t, everywhere(1), func(w *world) {
		w.deps.Recon = brokenRecon{}
		w.run()
		w.mustLog("Exception dumping recon cache: input/output error")
	})
	inWorld(t, everywhere(1), func(w *world) {
		thaw := make(chan struct{})
		w.deps.Recon = hungRecon{thaw}
		w.run()
		w.mustLog("Exception dumping recon cache: a call has not returned in time")
		close(thaw)
	})
}

type brokenRecon struct{}

func (brokenRecon) Update(context.Context, map[string]any) error { return errDisk }

func (brokenRecon) Keep(context.Context, string, []string) error { return errDisk }

type hungRecon struct{ thaw chan struct{} }

func (h hungRecon) Update(context.Context, map[string]any) error { <-h.thaw; return nil }
func (h hungRecon) Keep(context.Context, string, []string) error { <-h.thaw; return nil }

// crashOn panics instead of handling the messages that it is told to.
func crashOn(when func(actor.Actor, any) bool) actor.ReceiverMiddleware {
	return func(next actor.ReceiverFunc) actor.ReceiverFunc {
		return func(c actor.ReceiverContext, e *actor.MessageEnvelope) {
			if when(c.Actor(), e.Message) {
				panic("injected")
			}
			next(c, e)
		}
	}
}
