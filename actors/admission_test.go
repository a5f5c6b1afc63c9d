package actors

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"understudy/messages"
)

// doorman is an Admission that does what a test says and keeps count of what it granted.
type doorman struct {
	mu      sync.Mutex
	asked   []messages.PushAsk
	granted int
	open    map[*int]bool // not yet given back
	most    int           // of them at any time
	answer  func(ctx context.Context, ask messages.PushAsk, nth int) error
	nobody  bool // there is nobody to ask
}

func (d *doorman) Asks(messages.Node) bool { return !d.nobody }

func (d *doorman) Reserve(ctx context.Context, ask messages.PushAsk) (func(), error) {
	d.mu.Lock()
	d.asked = append(d.asked, ask)
	nth := len(d.asked)
	d.mu.Unlock()
	if d.answer != nil {
		if err := d.answer(ctx, ask, nth); err != nil {
			return nil, err
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.granted++
	key := new(int)
	d.open[key] = true
	d.most = max(d.most, len(d.open))
	return func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		delete(d.open, key)
	}, nil
}

func (d *doorman) held() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.open)
}

func (d *doorman) asks() []messages.PushAsk {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.asked)
}

// askedFirst runs an engine with a doorman. All peers lack a suffix of every partition
// until they have been pushed to.
func askedFirst(t *testing.T, ring *table, test func(w *world, d *doorman)) {
	t.Helper()
	inWorld(t, ring, func(w *world) {
		d := &doorman{open: map[*int]bool{}}
		w.deps.Admission = d
		w.lacking()
		test(w, d)
		if w.root != nil {
			w.stop()
			w.root = nil
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if n := d.held(); n != 0 {
			t.Errorf("%d grants were not given back", n)
		}
	})
}

type copyOn struct {
	device string
	part   uint32
}

// lacking makes peers lack what they have not been pushed.
func (w *world) lacking() {
	has := map[copyOn]bool{}
	w.peer = func(_ context.Context, n messages.Node, _ int, part uint32) (messages.Hashes, error) {
		w.mu.Lock()
		defer w.mu.Unlock()
		if has[copyOn{n.Device, part}] {
			return messages.Hashes{"abc": "00000000000000000000000000000000"}, nil
		}
		return messages.Hashes{}, nil
	}
	w.push = func(ctx context.Context, job messages.SyncJob) (messages.SyncResult, error) {
		pause(ctx, 10*time.Second)
		w.swap(func() { has[copyOn{job.Node.Device, job.Partition.Number}] = true })
		return messages.SyncResult{OK: true, Proven: job.Held}, nil
	}
}

func busy(after time.Duration) error { return &messages.BusyError{Device: "somewhere", After: after} }

// The numbers of a pass are the same whatever the answers are: Swift's.
func TestAdmissionKeepsTheNumbers(t *testing.T) {
	want := messages.Counts{Attempted: 6, Rsync: 12, Success: 12, SuffixCount: 6, SuffixSync: 12}
	for name, test := range map[string]struct {
		answer func(ctx context.Context, ask messages.PushAsk, nth int) error
		asked  int // at least
		nobody bool
	}{
		"nobody to ask": {nobody: true},
		"granted":       {asked: 12},
		"nobody knows": {asked: 12, answer: func(context.Context, messages.PushAsk, int) error {
			return errors.New("connection refused")
		}},
		"busy at first": {asked: 24, answer: func(_ context.Context, ask messages.PushAsk, _ int) error {
			if ask.Waited < time.Minute {
				return busy(10 * time.Second)
			}
			return nil
		}},
		"busy at random": {asked: 12, answer: func(_ context.Context, _ messages.PushAsk, nth int) error {
			if nth%3 != 0 {
				return busy(20 * time.Second)
			}
			return nil
		}},
		"busy for ever": {asked: mostDeferrals, answer: func(context.Context, messages.PushAsk, int) error {
			return busy(time.Minute)
		}},
		"no answer": {asked: 12, answer: func(ctx context.Context, _ messages.PushAsk, _ int) error {
			<-ctx.Done()
			return ctx.Err()
		}},
		"hangs": {asked: 12, answer: func(context.Context, messages.PushAsk, int) error {
			time.Sleep(20 * time.Minute)
			return nil
		}},
		"explodes": {asked: 12, answer: func(context.Context, messages.PushAsk, int) error { panic("reservation") }},
	} {
		t.Run(name, func(t *testing.T) {
			askedFirst(t, everywhere(6), func(w *world, d *doorman) {
				d.answer, d.nobody = test.answer, test.nobody
				begun := time.Now()
				if stats := w.run(); stats.Counts != want {
					t.Errorf("got %+v, want %+v", stats.Counts, want)
				}
				if w.did("sync") != 12 {
					t.Errorf("did %q", w.happened())
				}
				if n := len(d.asks()); n < test.asked || test.asked == 0 && n > 0 {
					t.Errorf("asked %d times, want %d", n, test.asked)
				}
				if took := time.Since(begun); took > 5*time.Hour {
					t.Errorf("the pass took %v", took)
				}
				if n := w.counted["partition.update.count.d0"]; n != 6 {
					t.Errorf("%d jobs were told to the collector", n)
				}
			})
		})
	}
}

// While a peer is busy its jobs hold no slot, and others run.
func TestDeferredJobsHoldNoSlot(t *testing.T) {
	askedFirst(t, everywhere(40), func(w *world, d *doorman) {
		w.opts.Slots = 1
		d.answer = func(_ context.Context, ask messages.PushAsk, _ int) error {
			if ask.Node.Device == "d1" && ask.Waited < 30*time.Minute {
				return busy(time.Minute)
			}
			return nil
		}
		w.start()
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if n := w.did("sync"); n != 40 {
			t.Errorf("%d pushes while one peer is busy, want 40", n)
		}
		waiting := 0
		for _, f := range w.device("d0").Flights {
			if f.Phase.Name == messages.PhaseDeferred {
				waiting++
			}
		}
		if waiting < 30 {
			t.Errorf("%d jobs are seen to wait", waiting)
		}
		done := <-w.done
		if d.most != 1 {
			t.Errorf("%d pushes were granted at a time, with one slot", d.most)
		}
		if done.Stats.Rsync != 80 || done.Stats.Failure != 0 || w.did("sync") != 80 {
			t.Errorf("got %+v", done.Stats.Counts)
		}
	})
}

// However many jobs are sent away, only so many wait; the rest have not begun.
func TestDeferredJobsAreBounded(t *testing.T) {
	askedFirst(t, everywhere(1000), func(w *world, d *doorman) {
		d.answer = func(_ context.Context, ask messages.PushAsk, _ int) error {
			if ask.Waited < time.Hour {
				return busy(5 * time.Minute)
			}
			return nil
		}
		w.start()
		time.Sleep(30 * time.Minute)
		synctest.Wait()
		if n := len(w.device("d0").Flights); n < mostDeferred || n > mostDeferred+w.opts.Slots {
			t.Errorf("%d jobs wait, at most %d may", n, mostDeferred)
		}
		if done := <-w.done; done.Stats.Attempted != 1000 || done.Stats.Rsync != 2000 {
			t.Errorf("got %+v", done.Stats.Counts)
		}
	})
}

// A handoff whose primaries are busy is neither held nor given up meanwhile. Its numbers
// are those of one attempt, and all primaries prove anew what they hold.
func TestRevertWaitsForBusyPrimaries(t *testing.T) {
	askedFirst(t, oneHandoff(), func(w *world, d *doorman) {
		d.answer = func(_ context.Context, ask messages.PushAsk, _ int) error {
			if ask.Degraded {
				t.Error("a handoff is not degraded data")
			}
			if ask.Node.Device != "d1" && ask.Waited < time.Minute {
				return busy(10 * time.Second)
			}
			return nil
		}
		w.opts.HandoffDelete = 1 // one proof would be enough
		w.start()
		time.Sleep(30 * time.Second)
		synctest.Wait()
		if w.did("remove") != 0 || w.did("release") != 1 || w.did("sync") != 1 {
			t.Errorf("did %q", w.happened())
		}
		done := <-w.done
		synctest.Wait()
		if c := (messages.Counts{Attempted: 1, Remove: 1, Rsync: 3, Success: 3}); done.Stats.Counts != c {
			t.Errorf("got %+v, want %+v", done.Stats.Counts, c)
		}
		if w.did("remove 2 objects of 0 whole=true") != 1 || w.did("release") < 2 {
			t.Errorf("did %q", w.happened())
		}
		for _, name := range []string{"partition.delete.count.d0", "partition.delete.timing"} {
			if w.counted[name] != 1 {
				t.Errorf("%s is %d", name, w.counted[name])
			}
		}
	})
}

// Rings that change while a handoff waits keep it.
func TestRevertThatWaitedLooksAtTheNewestRing(t *testing.T) {
	askedFirst(t, oneHandoff(), func(w *world, d *doorman) {
		d.answer = func(_ context.Context, ask messages.PushAsk, _ int) error {
			if ask.Waited < 5*time.Minute {
				return busy(time.Minute)
			}
			return nil
		}
		w.start()
		time.Sleep(time.Second)
		next := oneHandoff()
		next.parts = [][]int{{1, 2, 4}}
		w.swap(func() { w.polled = view(2, next) })
		<-w.done
		synctest.Wait()
		if w.did("remove") != 0 {
			t.Errorf("did %q", w.happened())
		}
		w.mustLog("handoff is kept: its primaries have changed")
	})
}

// A disk that leaves its service while jobs of it wait: what they have done counts, the
// peers that were busy have failed, and the pass ends.
func TestCutWhileJobsWait(t *testing.T) {
	askedFirst(t, everywhere(6), func(w *world, d *doorman) {
		d.answer = func(_ context.Context, ask messages.PushAsk, _ int) error {
			if ask.Node.Device == "d1" {
				return busy(5 * time.Minute)
			}
			return nil
		}
		w.start()
		time.Sleep(2 * time.Minute)
		w.swap(func() {
			w.probe = func(context.Context, string) (messages.Disk, error) { return "", errDisk }
		})
		done := <-w.done
		if c := done.Stats.Counts; c.Attempted != 6 || c.Rsync != 6 || c.Success != 6 || w.did("sync") != 6 {
			t.Errorf("got %+v, did %d", c, w.did("sync"))
		}
		if n := len(w.device("d0").Flights); n != 0 {
			t.Errorf("%d jobs are seen", n)
		}
	})
}

// A disk that stalls while a job asks: the job is written off, and its actor ends with
// the answer.
func TestStallWhileAsking(t *testing.T) {
	askedFirst(t, everywhere(6), func(w *world, d *doorman) {
		w.opts.ProbeInterval, w.opts.ProbeTimeout = time.Second, time.Second
		d.answer = func(context.Context, messages.PushAsk, int) error { time.Sleep(2900 * time.Millisecond); return nil }
		probes := 0
		w.probe = func(context.Context, string) (messages.Disk, error) {
			w.mu.Lock()
			probes++
			first := probes == 1
			w.mu.Unlock()
			if !first {
				<-w.thaw
			}
			return messages.DiskFine, nil
		}
		w.start()
		time.Sleep(2500 * time.Millisecond) // the probe has been given up, the answers are still to come
		close(w.thaw)
		<-w.done
		time.Sleep(time.Minute)
		synctest.Wait()
		if s := w.device("d0"); s.State != messages.StateStalled || s.Stuck != 0 {
			t.Errorf("%s, %d stuck", s.State, s.Stuck)
		}
		if w.did("sync") != 0 {
			t.Errorf("did %q", w.happened())
		}
	})
}

// What was granted comes back when the engine stops in the middle of a push, or while it
// asks.
func TestGrantsComeBackAtTheEnd(t *testing.T) {
	for _, after := range []time.Duration{time.Second, 5 * time.Second} {
		askedFirst(t, everywhere(6), func(w *world, d *doorman) {
			d.answer = func(context.Context, messages.PushAsk, int) error { time.Sleep(1500 * time.Millisecond); return nil }
			w.start()
			time.Sleep(after)
			if (d.held() > 0) != (after > 2*time.Second) {
				t.Errorf("%d are held after %v", d.held(), after)
			}
		})
	}
}
