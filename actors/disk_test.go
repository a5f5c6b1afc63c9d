package actors

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"understudy/messages"
)

// sickness makes one disk of a world sick, and well again.
type sickness struct {
	w      *world
	device string
	sick   atomic.Bool
	block  chan struct{} // not nil: calls on the sick disk wait for it and ignore their context
	err    error         // else they answer with it
}

// fallIll lets a world's disk fall ill whenever sick is set.
func (w *world) fallIll(device string, err error, block chan struct{}) *sickness {
	s := &sickness{w: w, device: device, err: err, block: block}
	list, hashes, probe := w.list, w.hashes, w.probe
	w.list = func(ctx context.Context, device string, policy int) (messages.Listing, error) {
		if err := s.touch(device); err != nil {
			return messages.Listing{}, err
		}
		return list(ctx, device, policy)
	}
	w.hashes = func(ctx context.Context, p messages.Partition, o messages.HashOptions) (messages.HashReport, error) {
		if err := s.touch(p.Device); err != nil {
			return messages.HashReport{}, err
		}
		w.event("hash %s %d", p.Device, p.Number)
		pause(ctx, time.Second)
		return hashes(ctx, p, o)
	}
	w.probe = func(ctx context.Context, device string) (messages.Disk, error) {
		if err := s.touch(device); err != nil {
			return "", err
		}
		return probe(ctx, device)
	}
	return s
}

func (s *sickness) touch(device string) error {
	if device != s.device || !s.sick.Load() {
		return nil
	}
	if s.block != nil {
		<-s.block
		return nil
	}
	return s.err
}

// hashed lists the partitions that were hashed on a device, in order.
func (w *world) hashed(device string) (numbers []string) {
	for _, e := range w.happened() {
		if rest, ok := strings.CutPrefix(e, "hash "+device+" "); ok {
			numbers = append(numbers, rest)
		}
	}
	return numbers
}

// A disk that dies in the middle of its pass answers every call with EIO. After a
// few jobs it is failing, gets no more work and counts as unmounted disks do; the
// other disk goes on. Once it answers, the pass is gone on with, not begun anew.
func TestDeadDisk(t *testing.T) {
	inWorld(t, threeCopies(60, 3, 2), func(w *world) {
		w.opts.Once, w.opts.Slots = false, 2
		s := w.fallIll("d0", errDisk, nil)
		w.start()
		time.Sleep(20*time.Second + time.Millisecond)
		s.sick.Store(true)
		before := len(w.hashed("d0"))
		time.Sleep(2 * time.Minute)
		d := w.device("d0")
		if d.State != messages.StateFailing || d.Why != errDisk.Error() {
			t.Fatalf("the dead disk is %s: %q", d.State, d.Why)
		}
		if w.device("d1").Passes == 0 {
			t.Error("the other disk has not ended a pass")
		}
		if state := w.told("d0"); state["state"] != messages.StateFailing || state["why"] != errDisk.Error() {
			t.Errorf("recon tells %v", state)
		}
		for _, entries := range w.reconned() {
			if entries["replication_last"].(float64) < 1 {
				t.Errorf("recon got %v", entries)
			}
		}
		s.sick.Store(false)
		time.Sleep(19 * time.Second) // a probe interval, and its jitter
		if d := w.device("d0"); messages.OutOfService(d.State) || d.Why != "" {
			t.Errorf("19 seconds after it was well the disk is %s: %q", d.State, d.Why)
		}
		time.Sleep(2 * time.Minute)
		all := w.hashed("d0")
		first := all[:60]
		if distinct(first) < 57 { // two slots, one of them spent on the illness, are looked at twice
			t.Errorf("%d of the first 60 are distinct, %d before the illness: the pass began anew: %v", distinct(first), before, first)
		}
		if w.device("d0").Passes == 0 {
			t.Error("the pass was never ended")
		}
		w.mustLog("device out of service")
		w.mustLog("device is back in service")
	})
}

func distinct(names []string) int {
	names = slices.Sorted(slices.Values(names))
	return len(slices.Compact(names))
}

// A round in which a disk died does not count as complete in recon. Later ones, in
// which it takes no part, do, and count it as Swift counts an unmounted disk.
func TestBrokenPassIsNoCompleteOne(t *testing.T) {
	inWorld(t, threeCopies(30, 3, 2), func(w *world) {
		w.opts.Once, w.opts.Slots = false, 2
		s := w.fallIll("d0", errDisk, nil)
		w.start()
		time.Sleep(3*time.Second + time.Millisecond)
		s.sick.Store(true)
		for w.snapshot().Rounds == 0 {
			time.Sleep(time.Second)
		}
		synctest.Wait()
		if len(w.reconned()) != 0 {
			t.Errorf("after the broken round recon got %v", w.reconned())
		}
		for w.snapshot().Rounds < 2 {
			time.Sleep(time.Second)
		}
		synctest.Wait()
		if len(w.reconned()) != 1 {
			t.Fatalf("after the next round recon got %v", w.reconned())
		}
		stats := w.reconned()[0]["replication_stats"].(map[string]any)
		if stats["failure"] != 3 { // the devices of the ring
			t.Errorf("the dead disk counts %v failures", stats["failure"])
		}
	})
}

// A few bad sectors fail their partitions, not the disk.
func TestBadSectors(t *testing.T) {
	inWorld(t, everywhere(40), func(w *world) {
		fine := w.hashes
		w.hashes = func(ctx context.Context, p messages.Partition, o messages.HashOptions) (messages.HashReport, error) {
			r, err := fine(ctx, p, o)
			switch p.Number % 4 {
			case 0:
				return messages.HashReport{}, errDisk
			case 1:
				r.Ill = errDisk // one suffix only
			}
			return r, err
		}
		w.opts.ErrorLimit = 38
		if stats := w.run(); stats.Attempted != 40 || stats.Success != 60 {
			t.Errorf("got %+v", stats)
		}
		if d := w.device("d0"); d.State != messages.StateResting || d.Cut != "" {
			t.Errorf("the disk is %s, cut %q", d.State, d.Cut)
		}
	})
}

// Illness that only single suffixes show counts against the disk, too.
func TestIllSuffixes(t *testing.T) {
	inWorld(t, everywhere(40), func(w *world) {
		fine := w.hashes
		w.hashes = func(ctx context.Context, p messages.Partition, o messages.HashOptions) (messages.HashReport, error) {
			r, err := fine(ctx, p, o)
			r.Ill = errDisk
			return r, err
		}
		w.run()
		if d := w.device("d0"); d.State != messages.StateFailing || d.Done > 3+w.opts.Slots {
			t.Errorf("the disk is %s after %d jobs", d.State, d.Done)
		}
	})
}

// A disk that is unmounted says so in Swift's words and numbers, in every pass, and
// is back soon after it is mounted, long before its rest would be over.
func TestUnmountedDisk(t *testing.T) {
	inWorld(t, threeCopies(6, 3, 2), func(w *world) {
		w.opts.Once, w.opts.Interval = false, 10*time.Minute
		s := w.fallIll("d0", &messages.DeviceError{Device: "d0", Message: "/srv/node/d0 is not mounted"}, nil)
		s.sick.Store(true)
		w.start()
		time.Sleep(25 * time.Minute)
		if d := w.device("d0"); d.State != messages.StateUnmounted || d.Stats.Failure != 3 || d.Passes != 0 {
			t.Errorf("the disk is %s, %+v", d.State, d)
		}
		if n := strings.Count(w.logged(), "/srv/node/d0 is not mounted\"}"); n < 3 {
			t.Errorf("Swift's line was logged %d times in three passes", n)
		}
		if len(w.reconned()) != 3 {
			t.Errorf("%d complete rounds in recon, want 3", len(w.reconned()))
		}
		s.sick.Store(false)
		time.Sleep(time.Minute)
		if d := w.device("d0"); d.Passes != 1 || d.State != messages.StateResting {
			t.Errorf("a minute after it was mounted: %+v", d)
		}
	})
}

// Nothing on the disk answers: no call of a job has run into its deadline yet, but
// a probe has. The disk's slots go to the other one at once, all of its jobs are
// written off, nothing more is started on it, and the calls that are out are counted.
func TestProbeFindsTheHang(t *testing.T) {
	inWorld(t, threeCopies(300, 3, 2), func(w *world) {
		w.opts.Once, w.opts.Slots = false, 4
		thaw := make(chan struct{})
		s := w.fallIll("d0", nil, thaw)
		w.start()
		time.Sleep(20 * time.Second)
		s.sick.Store(true)
		time.Sleep(w.opts.ProbeInterval*5/4 + w.opts.ProbeTimeout + time.Second)
		d := w.device("d0")
		if d.State != messages.StateStalled || !strings.HasPrefix(d.Why, "probe: ") {
			t.Fatalf("the disk is %s: %q", d.State, d.Why)
		}
		if d.Stuck < 2 || d.Stuck > 1+w.opts.Slots {
			t.Errorf("%d calls are stuck", d.Stuck)
		}
		before, at := len(w.hashed("d1")), time.Now()
		time.Sleep(30 * time.Second)
		if done := len(w.hashed("d1")) - before; done < int(3.5*time.Since(at).Seconds()) {
			t.Errorf("the other disk did %d jobs in %v with 4 slots", done, time.Since(at))
		}
		w.mu.Lock()
		inside := w.inside
		w.mu.Unlock()
		time.Sleep(time.Hour)
		if w.device("d0").Stuck != d.Stuck || inside > w.opts.Slots+d.Stuck {
			t.Errorf("%d calls are stuck an hour later, %d before", w.device("d0").Stuck, d.Stuck)
		}
		s.sick.Store(false)
		close(thaw)
		time.Sleep(5 * time.Minute)
		if d := w.device("d0"); d.Passes == 0 || d.Stuck != 0 || d.Why != "" {
			t.Errorf("five minutes after the thaw: %+v", d)
		}
	})
}

// In script mode a disk that hung gets no second pass, but what came back last from it is
// not counted as stuck any longer: here the probe.
func TestProbeComesBackLast(t *testing.T) {
	inWorld(t, threeCopies(900, 3, 2), func(w *world) {
		w.opts.Slots = 4
		w.fallIll("d9", nil, nil) // jobs take a second
		thaw, probes, fine := make(chan struct{}), 0, w.probe
		w.probe = func(ctx context.Context, device string) (messages.Disk, error) {
			if device == "d0" {
				if probes++; probes > 1 {
					<-thaw
				}
			}
			return fine(ctx, device)
		}
		w.start()
		time.Sleep(2 * (w.opts.ProbeInterval + w.opts.ProbeTimeout))
		if d := w.device("d0"); d.State != messages.StateStalled || d.Stuck != 1 {
			t.Fatalf("the disk is %s, %d calls are stuck", d.State, d.Stuck)
		}
		close(thaw)
		time.Sleep(10 * time.Second)
		if d := w.device("d1"); d.State != messages.StateRunning {
			t.Fatalf("the run is over: d1 is %s", d.State)
		}
		if d := w.device("d0"); d.State != messages.StateStalled || d.Stuck != 0 {
			t.Errorf("after the thaw the disk is %s, %d calls are stuck", d.State, d.Stuck)
		}
	})
}

// While others have work, a disk that hangs takes no more than its share of the
// slots, however long nobody notices.
func TestHangTakesItsShareOnly(t *testing.T) {
	inWorld(t, threeCopies(300, 6, 4), func(w *world) {
		w.opts.Once, w.opts.Slots, w.opts.ProbeInterval = false, 4, time.Hour
		thaw := make(chan struct{})
		s := w.fallIll("d0", nil, thaw)
		w.start()
		time.Sleep(10 * time.Second)
		s.sick.Store(true)
		time.Sleep(10 * time.Second)
		before := 0
		for _, name := range []string{"d1", "d2", "d3"} {
			before += len(w.hashed(name))
		}
		time.Sleep(10 * time.Second)
		after := 0
		for _, name := range []string{"d1", "d2", "d3"} {
			after += len(w.hashed(name))
		}
		if after-before < 25 {
			t.Errorf("the other three did %d jobs of a second in ten seconds with three slots", after-before)
		}
		close(thaw)
	})
}

// A full disk and a read-only one are sources still: their passes go on, and both
// snapshot and recon tell what they are.
func TestFullAndReadOnlyDisks(t *testing.T) {
	for _, disk := range []messages.Disk{messages.DiskFull, messages.DiskReadOnly} {
		t.Run(string(disk), func(t *testing.T) {
			inWorld(t, threeCopies(6, 3, 2), func(w *world) {
				w.opts.Once = false
				var bad atomic.Bool
				bad.Store(true)
				w.probe = func(_ context.Context, device string) (messages.Disk, error) {
					if device == "d0" && bad.Load() {
						return disk, nil
					}
					return messages.DiskFine, nil
				}
				w.start()
				time.Sleep(45 * time.Second)
				d := w.device("d0")
				if d.Disk != disk || d.Passes == 0 || d.Stats.Attempted != 6 {
					t.Errorf("got %+v", d)
				}
				if w.told("d0")["disk"] != string(disk) {
					t.Errorf("recon tells %v", w.told("d0"))
				}
				w.mustLog("disk is " + string(disk))
				bad.Store(false)
				time.Sleep(time.Minute)
				if d := w.device("d0"); d.Disk != messages.DiskFine || w.told("d0")["disk"] != "" {
					t.Errorf("still %q, recon %v", d.Disk, w.told("d0"))
				}
				w.mustLog("disk is fine again")
			})
		})
	}
}

// Trouble of our own, like having no file descriptors left, is not the disk's.
func TestProbeTroubleOfOurs(t *testing.T) {
	inWorld(t, everywhere(4), func(w *world) {
		w.probe = func(context.Context, string) (messages.Disk, error) { return "", fmt.Errorf("too many open files") }
		if stats := w.run(); stats.Attempted != 4 {
			t.Errorf("got %+v", stats)
		}
		w.mustLog("too many open files")
	})
}

// Work begins with the first piece of the listing.
func TestWorkBeginsBeforeTheListingEnds(t *testing.T) {
	inWorld(t, everywhere(100), func(w *world) {
		rest := make(chan struct{})
		w.stream = func(_ context.Context, _ string, each func(messages.Listing)) error {
			each(messages.Listing{Partitions: []uint32{1, 2, 3}})
			<-rest
			var l messages.Listing
			for i := uint32(4); i < 100; i++ {
				l.Partitions = append(l.Partitions, i)
			}
			each(l)
			return nil
		}
		w.start()
		time.Sleep(time.Minute)
		if d := w.device("d0"); d.State != messages.StateListing || d.Done != 3 || d.Jobs != 3 {
			t.Errorf("got %+v", d)
		}
		close(rest)
		done := <-w.done
		if done.Stats.Attempted != 99 {
			t.Errorf("attempted %d", done.Stats.Attempted)
		}
	})
}

// A listing that fails half way is an error of the pass, after what it has found.
func TestListingFailsHalfWay(t *testing.T) {
	inWorld(t, everywhere(10), func(w *world) {
		w.stream = func(_ context.Context, _ string, each func(messages.Listing)) error {
			each(messages.Listing{Partitions: []uint32{1, 2, 3}})
			return fmt.Errorf("list partitions: broken")
		}
		if stats := w.run(); stats.Attempted != 3 || stats.Failure != 3 {
			t.Errorf("got %+v", stats)
		}
		w.mustLog("list partitions: broken")
	})
}
