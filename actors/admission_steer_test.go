package actors

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"understudy/messages"
)

// busyUntil makes every peer busy for a job that has waited less than d.
func (d *doorman) busyUntil(waited, after time.Duration) {
	d.answer = func(_ context.Context, ask messages.PushAsk, _ int) error {
		if ask.Waited < waited {
			return busy(after)
		}
		return nil
	}
}

func (w *world) deferred(device string) (parts []uint32) {
	for _, f := range w.device(device).Flights {
		if f.Phase.Name == messages.PhaseDeferred {
			parts = append(parts, f.Partition.Number)
		}
	}
	return parts
}

// With handoffs first, primaries wait for handoffs that wait for busy peers, and the pass
// goes on when those are done.
func TestHandoffsFirstWaitsForDeferredOnes(t *testing.T) {
	ring := &table{nodes: someNodes(4), local: []int{0}}
	for i := range 10 {
		ring.parts = append(ring.parts, [][]int{{0, 1, 2}, {1, 2, 3}}[i%2])
	}
	askedFirst(t, ring, func(w *world, d *doorman) {
		w.opts.HandoffsFirst = true
		d.answer = func(_ context.Context, ask messages.PushAsk, _ int) error {
			if ask.Partition.Number%2 == 1 && ask.Waited < 3*time.Minute {
				return busy(20 * time.Second)
			}
			return nil
		}
		fine := w.hashes
		w.hashes = func(ctx context.Context, p messages.Partition, o messages.HashOptions) (messages.HashReport, error) {
			w.event("update %d", p.Number)
			return fine(ctx, p, o)
		}
		w.start()
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if n := len(w.deferred("d0")); n != 5 || w.did("update") > 0 || w.did("remove") > 0 {
			t.Errorf("%d handoffs wait, did %q", n, w.happened())
		}
		stats := (<-w.done).Stats
		synctest.Wait()
		order := strings.Join(w.happened(), " ")
		if first := strings.Index(order, "update"); first < 0 || strings.Contains(order[first:], "remove") {
			t.Errorf("did %q", order)
		}
		if stats.Attempted != 10 || stats.Remove != 5 || stats.Failure != 0 {
			t.Errorf("got %+v", stats.Counts)
		}
	})
}

// A handoff that waits and cannot go on, because its policy is paused, is one that remains:
// the pass is cut before the primaries, as without admission.
func TestHandoffsFirstWithOneThatWaitsForEver(t *testing.T) {
	ring := &table{nodes: someNodes(4), local: []int{0}, parts: [][]int{{0, 1, 2}, {1, 2, 3}}}
	askedFirst(t, ring, func(w *world, d *doorman) {
		w.opts.HandoffsFirst = true
		d.busyUntil(time.Hour, time.Minute)
		w.start()
		time.Sleep(5 * time.Second)
		w.steer(func(c *messages.Course, now time.Time) { c.Policies = map[int]messages.Pause{0: {Since: now}} })
		<-w.done
		synctest.Wait()
		if w.did("remove") > 0 || w.did("sync") > 0 {
			t.Errorf("did %q", w.happened())
		}
	})
}

// A partition that waits for a busy peer and is brought forward asks again at once, once.
func TestFrontOfADeferredJob(t *testing.T) {
	askedFirst(t, everywhere(6), func(w *world, d *doorman) {
		d.answer = func(_ context.Context, ask messages.PushAsk, _ int) error {
			if ask.Waited < 30*time.Second {
				return busy(5 * time.Minute)
			}
			return nil
		}
		w.opts.Once, w.opts.Interval = false, time.Hour
		w.start()
		time.Sleep(40 * time.Second)
		synctest.Wait()
		if n := len(w.deferred("d0")); n != 6 || w.did("sync") != 0 {
			t.Fatalf("%d jobs wait, did %q", n, w.happened())
		}
		if f := w.toDevice("d0", &messages.Front{Partitions: []uint32{3}}); f.Count != 1 {
			t.Errorf("answer %+v", f)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if left := w.deferred("d0"); len(left) != 5 || slices.Contains(left, 3) || w.did("sync") != 2 {
			t.Errorf("%v wait, did %q", left, w.happened())
		}
		time.Sleep(20 * time.Minute)
		if s := w.device("d0"); w.did("sync") != 12 || s.Done != 6 || s.Jobs != 6 || s.State != messages.StateResting {
			t.Errorf("%d of %d, %s, did %q", s.Done, s.Jobs, s.State, w.happened())
		}
	})
}

// A policy that is paused while its jobs wait pushes nothing; the pass ends, and the next
// one after the pause does all of it.
func TestPausedPolicyWhileJobsWait(t *testing.T) {
	askedFirst(t, everywhere(6), func(w *world, d *doorman) {
		d.busyUntil(2*time.Minute, time.Minute)
		w.opts.Once, w.opts.Interval = false, time.Hour
		w.start()
		time.Sleep(30 * time.Second)
		w.steer(func(c *messages.Course, now time.Time) { c.Policies = map[int]messages.Pause{0: {Since: now}} })
		time.Sleep(10 * time.Minute)
		if s := w.device("d0"); w.did("sync") != 0 || len(s.Flights) != 0 || s.State != messages.StateResting || s.Done != s.Jobs {
			t.Errorf("%s, %d of %d, %d in flight, did %q", s.State, s.Done, s.Jobs, len(s.Flights), w.happened())
		}
		w.steer(func(c *messages.Course, _ time.Time) { c.Policies = nil })
		w.toDevice("d0", &messages.RunPass{})
		time.Sleep(20 * time.Minute)
		if s := w.device("d0"); w.did("sync") != 12 || s.Done != 6 || s.State != messages.StateResting {
			t.Errorf("%s, %d of %d, did %q", s.State, s.Done, s.Jobs, w.happened())
		}
	})
}

// A device that is paused while its jobs wait asks nobody, and goes on after the pause.
func TestPausedDeviceWhileJobsWait(t *testing.T) {
	askedFirst(t, everywhere(6), func(w *world, d *doorman) {
		d.busyUntil(2*time.Minute, time.Minute)
		w.opts.Once, w.opts.Interval = false, 3*time.Hour
		w.start()
		time.Sleep(30 * time.Second)
		w.steer(pauseDevice("d0", time.Hour))
		synctest.Wait()
		asked := len(d.asks())
		time.Sleep(50 * time.Minute)
		if n := len(d.asks()); n != asked || len(w.deferred("d0")) != 6 {
			t.Errorf("asked %d times in a pause, %d wait", n-asked, len(w.deferred("d0")))
		}
		time.Sleep(20 * time.Minute)
		if s := w.device("d0"); w.did("sync") != 12 || s.Done != 6 || s.State != messages.StateResting {
			t.Errorf("%s, %d of %d, did %q", s.State, s.Done, s.Jobs, w.happened())
		}
	})
}

// A configuration without admission, while jobs wait: they push unasked when they are due.
func TestReloadWhileJobsWait(t *testing.T) {
	askedFirst(t, everywhere(6), func(w *world, d *doorman) {
		d.busyUntil(time.Hour, 2*time.Minute)
		w.opts.Once, w.opts.Interval = false, 3*time.Hour
		w.start()
		time.Sleep(30 * time.Second)
		synctest.Wait()
		asked, deps := len(d.asks()), w.deps
		deps.Admission = nil
		w.system.Root.Send(w.root, &Reload{Deps: deps, Options: w.opts, View: w.view})
		time.Sleep(10 * time.Minute)
		if s := w.device("d0"); w.did("sync") != 12 || s.Done != 6 || s.State != messages.StateResting || len(d.asks()) != asked {
			t.Errorf("%s, %d of %d, asked %d times, did %q", s.State, s.Done, s.Jobs, len(d.asks())-asked, w.happened())
		}
	})
}

// The ring moves partitions while they wait: one leaves this disk, one gets another peer.
// Nothing is pushed to who is no primary any more, and the one that has become a handoff is
// given up once its primaries have proven it.
func TestRingChangeWhileJobsWait(t *testing.T) {
	first := everywhere(3)
	first.nodes = someNodes(5)
	askedFirst(t, first, func(w *world, d *doorman) {
		d.busyUntil(5*time.Minute, time.Minute)
		w.opts.Once, w.opts.Interval = false, 3*time.Hour
		w.start()
		time.Sleep(30 * time.Second)
		next := everywhere(3)
		next.nodes = someNodes(5)
		next.parts = [][]int{{1, 2, 3}, {0, 1, 4}, {0, 1, 2}}
		w.swap(func() { w.polled = view(2, next) })
		time.Sleep(time.Hour)
		synctest.Wait()
		if s := w.device("d0"); s.Done != s.Jobs || s.State != messages.StateResting || len(s.Flights) != 0 {
			t.Errorf("%s, %d of %d", s.State, s.Done, s.Jobs)
		}
		got := map[string]bool{}
		for _, e := range w.happened() {
			if words := strings.Fields(e); words[0] == "sync" {
				got[strings.TrimPrefix(words[1], "d0/objects/")+" to "+words[2]] = true
			}
		}
		want := []string{"0 to d1", "0 to d2", "0 to d3", "1 to d1", "1 to d4", "2 to d1", "2 to d2"}
		if all := slices.Sorted(maps.Keys(got)); !slices.Equal(all, want) {
			t.Errorf("pushed %q, want %q", all, want)
		}
		if w.did("remove") != 1 { // the one that is a handoff now, once all of its primaries have it
			t.Errorf("did %q", w.happened())
		}
	})
}

// A disk that leaves the ring while its jobs wait is let go, with them; a run ends.
func TestDeviceRemovedWhileJobsWait(t *testing.T) {
	for _, once := range []bool{true, false} {
		askedFirst(t, everywhere(6), func(w *world, d *doorman) {
			d.busyUntil(time.Hour, 2*time.Minute)
			w.opts.Once = once
			w.start()
			time.Sleep(20 * time.Second)
			gone := everywhere(6)
			gone.local = nil
			w.swap(func() { w.polled = view(2, gone) })
			time.Sleep(time.Minute)
			synctest.Wait()
			asked := len(d.asks())
			if once {
				<-w.done
			} else if n := len(w.snapshot().Devices); n != 0 {
				t.Errorf("%d devices", n)
			}
			time.Sleep(time.Hour)
			if n := len(d.asks()); n != asked || w.did("sync") != 0 {
				t.Errorf("asked %d times after the disk had left", n-asked)
			}
		})
	}
}
