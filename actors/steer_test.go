package actors

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"understudy/messages"
)

// steer changes the course as an operator does.
func (w *world) steer(change func(c *messages.Course, now time.Time)) *messages.Course {
	w.t.Helper()
	m := &messages.Steer{Subject: "a test", Change: func(c *messages.Course, now time.Time) error { change(c, now); return nil }}
	got, err := w.system.Root.RequestFuture(w.root, m, time.Second).Result()
	if err != nil {
		w.t.Fatalf("steer: %v", err)
	}
	return got.(*messages.Steered).Course
}

func (w *world) toDevice(name string, m any) *messages.Forwarded {
	w.t.Helper()
	got, err := w.system.Root.RequestFuture(w.root, &messages.ToDevice{Device: name, Message: m}, time.Second).Result()
	if err != nil {
		w.t.Fatalf("to device: %v", err)
	}
	return got.(*messages.Forwarded)
}

// steered runs a daemon with jobs of a second each.
func steered(t *testing.T, ring *table, slots int, test func(w *world)) {
	inWorld(t, ring, func(w *world) {
		w.opts.Once, w.opts.Slots, w.opts.Interval = false, slots, time.Hour
		w.slowly(time.Second)
		w.start()
		time.Sleep(10*time.Second + 500*time.Millisecond)
		test(w)
	})
}

func pauseDevice(name string, until time.Duration) func(*messages.Course, time.Time) {
	return func(c *messages.Course, now time.Time) {
		p := messages.Pause{Since: now}
		if until > 0 {
			p.Until = now.Add(until)
		}
		c.Devices = map[string]messages.Pause{name: p}
	}
}

func TestPausedDeviceBeginsNothing(t *testing.T) {
	steered(t, threeCopies(300, 3, 3), 3, func(w *world) {
		w.steer(pauseDevice("d1", 0))
		time.Sleep(2 * time.Second) // what was in flight ends
		before, other := len(w.hashed("d1")), len(w.hashed("d0"))
		time.Sleep(time.Minute)
		if n := len(w.hashed("d1")); n != before {
			t.Errorf("the paused device began %d jobs", n-before)
		}
		// The others have its slots.
		if n := len(w.hashed("d0")) - other; n < 85 {
			t.Errorf("d0 did %d jobs in a minute with one slot and a half", n)
		}
		if d := w.device("d1"); len(d.Flights) > 0 || d.Waiting == 0 {
			t.Errorf("the paused device shows %d jobs at work and %d waiting", len(d.Flights), d.Waiting)
		}
		w.steer(func(c *messages.Course, _ time.Time) { delete(c.Devices, "d1") })
		time.Sleep(10 * time.Minute)
		if n := distinct(w.hashed("d1")); n != 300 {
			t.Errorf("after the pause %d of 300 partitions were looked at", n)
		}
	})
}

func TestPauseEndsByItself(t *testing.T) {
	steered(t, everywhere(100), 1, func(w *world) {
		w.steer(pauseDevice("d0", 5*time.Minute))
		time.Sleep(2 * time.Second)
		before := len(w.hashed("d0"))
		time.Sleep(4 * time.Minute)
		if n := len(w.hashed("d0")); n != before {
			t.Errorf("%d jobs in the pause", n-before)
		}
		time.Sleep(time.Minute)
		if n := len(w.hashed("d0")); n == before {
			t.Error("the pause has not ended")
		}
		if c := w.snapshot().Course; len(c.Devices) > 0 {
			t.Errorf("the course still says %v", c.Devices)
		}
		told := w.snapshot().Supervision.Recent
		if !slices.ContainsFunc(told, func(e messages.SupervisionEvent) bool { return e.Actor == "pause of d0 ends by itself" }) {
			t.Errorf("events: %v", told)
		}
	})
}

// A pass that would begin in a pause begins at its end.
func TestPassWaitsForTheEndOfAPause(t *testing.T) {
	steered(t, everywhere(5), 1, func(w *world) {
		if d := w.device("d0"); d.Passes != 1 || d.State != messages.StateResting {
			t.Fatalf("the first pass is not over: %+v", d)
		}
		w.steer(func(c *messages.Course, now time.Time) { c.Node = &messages.Pause{Since: now} })
		if f := w.toDevice("d0", &messages.RunPass{}); f.Began {
			t.Error("a pass began in a pause")
		}
		time.Sleep(2 * time.Hour)
		if d := w.device("d0"); d.Passes != 1 || d.State != messages.StateResting {
			t.Errorf("in the pause: %+v", d)
		}
		w.steer(func(c *messages.Course, _ time.Time) { c.Node = nil })
		time.Sleep(10 * time.Second)
		if d := w.device("d0"); d.Passes != 2 {
			t.Errorf("after the pause: %d passes", d.Passes)
		}
	})
}

// A disk that comes back in a pause is in service, and begins at the end of the pause.
func TestDiskComesBackInAPause(t *testing.T) {
	steered(t, everywhere(100), 1, func(w *world) {
		w.swap(func() {
			w.probe = func(context.Context, string) (messages.Disk, error) {
				return messages.DiskFine, &messages.DeviceError{Device: "d0", Message: "d0 is not mounted"}
			}
		})
		time.Sleep(time.Minute)
		if d := w.device("d0"); d.State != messages.StateUnmounted {
			t.Fatalf("state %s", d.State)
		}
		w.steer(pauseDevice("d0", 0))
		w.swap(func() {
			w.probe = func(context.Context, string) (messages.Disk, error) { return messages.DiskFine, nil }
		})
		time.Sleep(time.Minute)
		if d := w.device("d0"); d.State != messages.StateResting {
			t.Errorf("state %s in the pause", d.State)
		}
		w.steer(func(c *messages.Course, _ time.Time) { c.Devices = nil })
		time.Sleep(5 * time.Minute)
		if n := distinct(w.hashed("d0")); n != 100 {
			t.Errorf("%d of 100 partitions were looked at", n)
		}
	})
}

func TestPausedPolicyIsLeftOut(t *testing.T) {
	steered(t, everywhere(100), 1, func(w *world) {
		w.steer(func(c *messages.Course, now time.Time) { c.Policies = map[int]messages.Pause{0: {Since: now}} })
		time.Sleep(5 * time.Second)
		d := w.device("d0")
		if d.State != messages.StateResting || d.Jobs != d.Done || d.Done > 12 {
			t.Errorf("the pass is not over: %s, %d of %d", d.State, d.Done, d.Jobs)
		}
		w.steer(func(c *messages.Course, _ time.Time) { c.Policies = nil })
		w.toDevice("d0", &messages.RunPass{})
		time.Sleep(5 * time.Minute)
		if n := distinct(w.hashed("d0")); n != 100 {
			t.Errorf("%d of 100 partitions were looked at", n)
		}
	})
}

func TestRunPassNow(t *testing.T) {
	steered(t, everywhere(5), 1, func(w *world) {
		if f := w.toDevice("d0", &messages.RunPass{}); !f.Began || f.State != messages.StateResting {
			t.Errorf("answer %+v", f)
		}
		if f := w.toDevice("d0", &messages.RunPass{}); f.Began || !messages.OutOfService(f.State) && f.State == messages.StateResting {
			t.Errorf("second answer %+v", f)
		}
		time.Sleep(10 * time.Second)
		if d := w.device("d0"); d.Passes != 2 {
			t.Errorf("%d passes", d.Passes)
		}
		if f := w.toDevice("nobody", &messages.RunPass{}); f.Known {
			t.Errorf("a device that there is not: %+v", f)
		}
	})
}

// What is brought forward runs next, in the order in which it is named.
func TestFrontRunsNext(t *testing.T) {
	steered(t, everywhere(100), 1, func(w *world) {
		done := w.hashed("d0")
		var late []uint32
		for n := uint32(99); len(late) < 3; n-- {
			if !slices.Contains(done, number(n)) {
				late = append(late, n)
			}
		}
		if f := w.toDevice("d0", &messages.Front{Partitions: late}); f.Count != 3 {
			t.Fatalf("answer %+v", f)
		}
		time.Sleep(5 * time.Second)
		var want []string
		for _, n := range late {
			want = append(want, number(n))
		}
		if got := w.hashed("d0")[len(done):][:3]; !slices.Equal(got, want) {
			t.Errorf("next were %v, want %v", got, want)
		}
		time.Sleep(5 * time.Minute)
		if all := w.hashed("d0"); len(all) != 100 || distinct(all) != 100 {
			t.Errorf("%d jobs for %d partitions", len(all), distinct(all))
		}
	})
}

// What does not wait goes first in the next pass.
func TestFrontOfTheNextPass(t *testing.T) {
	steered(t, everywhere(8), 1, func(w *world) {
		if d := w.device("d0"); d.State != messages.StateResting {
			t.Fatalf("state %s", d.State)
		}
		w.toDevice("d0", &messages.Front{Partitions: []uint32{5}})
		w.toDevice("d0", &messages.RunPass{})
		time.Sleep(time.Minute)
		if got := w.hashed("d0")[8]; got != number(5) {
			t.Errorf("the second pass began with %s", got)
		}
		if n := len(w.hashed("d0")); n != 16 {
			t.Errorf("%d jobs in two passes of 8", n)
		}
	})
}

// What was brought forward and is not on the disk is forgotten with the next listing.
func TestFrontOfWhatIsNotThere(t *testing.T) {
	steered(t, everywhere(8), 1, func(w *world) {
		w.swap(func() {
			w.list = func(context.Context, string, int) (messages.Listing, error) {
				return messages.Listing{Partitions: []uint32{0, 1, 2, 3}}, nil
			}
		})
		w.toDevice("d0", &messages.Front{Partitions: []uint32{5}})
		w.toDevice("d0", &messages.RunPass{})
		time.Sleep(time.Minute)
		w.swap(func() {
			w.list = func(context.Context, string, int) (messages.Listing, error) {
				return messages.Listing{Partitions: []uint32{0, 1, 2, 3, 4, 5, 6, 7}}, nil
			}
		})
		before := len(w.hashed("d0"))
		w.toDevice("d0", &messages.Front{Partitions: []uint32{6}})
		w.toDevice("d0", &messages.RunPass{})
		time.Sleep(time.Minute)
		if got := w.hashed("d0")[before]; got != number(6) {
			t.Errorf("the third pass began with %s, not with the partition that was asked for", got)
		}
	})
}

// number is a partition as hashed names it.
func number(n uint32) string { return strconv.FormatUint(uint64(n), 10) }

func TestRetryTriesAgainWhatFailed(t *testing.T) {
	inWorld(t, everywhere(50), func(w *world) {
		w.opts.Once, w.opts.Slots, w.opts.Interval = false, 1, time.Hour
		fine := w.peer
		w.peer = func(ctx context.Context, n messages.Node, policy int, part uint32) (messages.Hashes, error) {
			if part == 7 || part == 31 {
				return nil, &messages.StatusError{Node: n, Status: 500}
			}
			return fine(ctx, n, policy, part)
		}
		w.slowly(time.Second)
		w.start()
		time.Sleep(5 * time.Minute)
		d := w.device("d0")
		if d.Causes[messages.CausePeer] == 0 || d.Trouble == nil || !strings.Contains(d.Trouble.Text, "answered 500") {
			t.Errorf("causes %v, trouble %v", d.Causes, d.Trouble)
		}
		w.swap(func() { w.peer = fine })
		if f := w.toDevice("d0", &messages.Retry{}); f.Count != 2 || !f.Began {
			t.Fatalf("answer %+v", f)
		}
		time.Sleep(3 * time.Second)
		again := slices.Sorted(slices.Values(w.hashed("d0")[50:][:2]))
		if !slices.Equal(again, []string{number(31), number(7)}) {
			t.Errorf("the next were %v", again)
		}
		// Nothing has failed any more; and in the running pass nothing waits for a retry.
		if f := w.toDevice("d0", &messages.Retry{}); f.Count != 0 {
			t.Errorf("second answer %+v", f)
		}
	})
}

// In the running pass a retry gives what has failed another job.
func TestRetryInTheRunningPass(t *testing.T) {
	inWorld(t, everywhere(100), func(w *world) {
		w.opts.Once, w.opts.Slots, w.opts.Interval = false, 1, time.Hour
		fine := w.peer
		w.peer = func(_ context.Context, n messages.Node, _ int, _ uint32) (messages.Hashes, error) {
			return nil, &messages.PeerError{Node: n, Why: "Connection refused", Err: errors.New("refused")}
		}
		w.slowly(time.Second)
		w.start()
		time.Sleep(10*time.Second + 500*time.Millisecond)
		w.swap(func() { w.peer = fine })
		done := w.hashed("d0")
		f := w.toDevice("d0", &messages.Retry{})
		if f.Count < 9 {
			t.Fatalf("answer %+v", f)
		}
		time.Sleep(10 * time.Minute)
		d := w.device("d0")
		if all := w.hashed("d0"); len(all) != 100+f.Count || distinct(all) != 100 || d.Done != d.Jobs || d.Done != len(all) {
			t.Errorf("%d jobs, %d more asked for, %d of %d done; at the retry %d", len(all), f.Count, d.Done, d.Jobs, len(done))
		}
	})
}

func TestLimitsChangeWhileJobsRun(t *testing.T) {
	steered(t, everywhere(1000), 4, func(w *world) {
		per := func(d time.Duration) int {
			before := len(w.hashed("d0"))
			time.Sleep(d)
			return len(w.hashed("d0")) - before
		}
		if n := per(10 * time.Second); n < 39 || n > 41 {
			t.Errorf("%d jobs in 10 s of 4 slots", n)
		}
		w.steer(func(c *messages.Course, _ time.Time) { c.Limits.Jobs = 1 })
		time.Sleep(2 * time.Second)
		if n := per(10 * time.Second); n < 9 || n > 11 {
			t.Errorf("%d jobs in 10 s of one slot", n)
		}
		w.steer(func(c *messages.Course, _ time.Time) { c.Limits.Jobs, c.Limits.DeviceJobs = 8, 2 })
		time.Sleep(2 * time.Second)
		if n := per(10 * time.Second); n < 19 || n > 21 {
			t.Errorf("%d jobs in 10 s of two slots for the device", n)
		}
	})
}

// A slot rests in proportion to its job, and holds its place in the node meanwhile.
func TestTranquility(t *testing.T) {
	steered(t, everywhere(1000), 2, func(w *world) {
		w.steer(func(c *messages.Course, _ time.Time) { c.Limits.Tranquility = 3 })
		time.Sleep(5 * time.Second)
		before := len(w.hashed("d0"))
		time.Sleep(100 * time.Second)
		if n := len(w.hashed("d0")) - before; n < 48 || n > 52 {
			t.Errorf("%d jobs in 100 s: two slots that work one second in four do 50", n)
		}
		w.steer(func(c *messages.Course, _ time.Time) { c.Limits.Tranquility = 0 })
		before = len(w.hashed("d0"))
		time.Sleep(10 * time.Second)
		if n := len(w.hashed("d0")) - before; n < 18 {
			t.Errorf("%d jobs in 10 s without rest", n)
		}
	})
}

// A disk that leaves its service gives back the slots that rest.
func TestTranquilDiskLeaves(t *testing.T) {
	steered(t, threeCopies(200, 3, 2), 2, func(w *world) {
		w.steer(func(c *messages.Course, _ time.Time) { c.Limits.Tranquility = 100 })
		time.Sleep(3 * time.Second) // every slot rests
		w.swap(func() {
			w.probe = func(_ context.Context, device string) (messages.Disk, error) {
				if device == "d0" {
					return messages.DiskFine, &messages.DeviceError{Device: device, Message: device + " is not mounted"}
				}
				return messages.DiskFine, nil
			}
		})
		time.Sleep(30 * time.Second)
		w.steer(func(c *messages.Course, _ time.Time) { c.Limits.Tranquility = 0 })
		before := len(w.hashed("d1"))
		time.Sleep(20 * time.Second)
		if n := len(w.hashed("d1")) - before; n < 38 {
			t.Errorf("the other device did %d jobs in 20 s with two slots", n)
		}
	})
}

func TestProfileEndsByItself(t *testing.T) {
	steered(t, everywhere(100), 1, func(w *world) {
		w.steer(func(c *messages.Course, now time.Time) {
			c.Profile, c.Until, c.Limits.HandoffsFirst = messages.ProfileDrain, now.Add(time.Minute), true
		})
		time.Sleep(30 * time.Second)
		if c := w.snapshot().Course; c.Profile != messages.ProfileDrain || !c.Limits.HandoffsFirst {
			t.Errorf("course %+v", c)
		}
		time.Sleep(31 * time.Second)
		if c := w.snapshot().Course; c.Profile != messages.ProfileBalanced || c.Limits != c.Config {
			t.Errorf("course %+v", c)
		}
	})
}

// A change that is refused changes nothing; parts outside of the actors hear of each
// one that is made.
func TestSteerRefused(t *testing.T) {
	inWorld(t, everywhere(10), func(w *world) {
		w.opts.Once = false
		heard := make(chan *messages.Course, 10)
		w.deps.Steer = func(c *messages.Course) { heard <- c }
		w.start()
		<-heard
		no := errors.New("no")
		m := &messages.Steer{Subject: "nothing", Change: func(c *messages.Course, _ time.Time) error { c.Limits.Jobs = 99; return no }}
		got, err := w.system.Root.RequestFuture(w.root, m, time.Second).Result()
		if err != nil || !errors.Is(got.(*messages.Steered).Err, no) || got.(*messages.Steered).Course.Limits.Jobs != 4 {
			t.Errorf("answer %+v, %v", got, err)
		}
		select {
		case c := <-heard:
			t.Errorf("heard of %+v", c)
		default:
		}
		w.steer(func(c *messages.Course, _ time.Time) { c.Limits.Bytes = 1e6 })
		if c := <-heard; c.Limits.Bytes != 1e6 || c.Limits.Jobs != 4 {
			t.Errorf("heard of %+v", c)
		}
	})
}

// A budget or device that is born anew keeps to the course.
func TestCourseOutlivesCrashes(t *testing.T) {
	inWorld(t, everywhere(1000), func(w *world) {
		w.opts.Once, w.opts.Slots, w.opts.Interval = false, 4, time.Hour
		var budget, device atomic.Bool // that are to crash
		w.deps.Middleware = append(w.deps.Middleware, crashOn(func(a actor.Actor, _ any) bool {
			switch a.(type) {
			case *Budget:
				return budget.CompareAndSwap(true, false)
			case *Device:
				return device.CompareAndSwap(true, false)
			}
			return false
		}))
		w.slowly(time.Second)
		w.start()
		time.Sleep(10 * time.Second)
		w.steer(func(c *messages.Course, _ time.Time) { c.Limits.Jobs, c.Limits.DeviceJobs = 3, 2 })
		budget.Store(true)
		device.Store(true)
		time.Sleep(30 * time.Second)
		if n := w.snapshot().Supervision.Crashes; n != 2 {
			t.Fatalf("%d crashes", n)
		}
		before := len(w.hashed("d0"))
		time.Sleep(20 * time.Second)
		if n := len(w.hashed("d0")) - before; n < 38 || n > 41 {
			t.Errorf("%d jobs in 20 s, want 40", n)
		}
	})
}

// One snapshot has it all: jobs at work with their phase, rates, plot and history.
func TestSnapshotTellsWhatIsAtWork(t *testing.T) {
	inWorld(t, everywhere(100), func(w *world) {
		w.opts.Once, w.opts.Slots, w.opts.Interval = false, 2, time.Minute
		w.slowly(time.Second)
		fine := w.peer
		w.peer = func(ctx context.Context, n messages.Node, policy int, part uint32) (messages.Hashes, error) {
			if part%2 == 0 {
				return messages.Hashes{}, nil // lacks everything
			}
			return fine(ctx, n, policy, part)
		}
		w.push = func(ctx context.Context, job messages.SyncJob) (messages.SyncResult, error) {
			job.Flight.Sent(1000)
			pause(ctx, 3*time.Second)
			return messages.SyncResult{OK: true}, nil
		}
		w.start()
		time.Sleep(40*time.Second + 500*time.Millisecond)
		s := w.snapshot()
		d := s.Devices[0]
		if len(d.Flights) != 2 || d.Waiting != 100-d.Done-2 || s.Round.IsZero() || !slices.Equal(s.Waiting, []string{"d0"}) {
			t.Errorf("at work %d, waiting %d, done %d, round %v, %v", len(d.Flights), d.Waiting, d.Done, s.Round, s.Waiting)
		}
		for _, f := range d.Flights {
			if f.Phase.Name == "" || f.Partition.Device != "d0" || s.At.Sub(f.Begun) > 10*time.Second || f.Phase.Since.Before(f.Begun) {
				t.Errorf("a job at work: %+v", f)
			}
			if f.Phase.Name == messages.PhaseSyncing && (f.Phase.Node.Device == "" || f.Bytes == 0) {
				t.Errorf("a push at work: %+v", f)
			}
		}
		if s.Totals.Bytes < 5000 || s.Totals.Jobs == 0 || s.Rates.Jobs <= 0 || s.Rates.Bytes <= 0 || len(s.Plot) != 8 {
			t.Errorf("totals %+v, rates %+v, %d points", s.Totals, s.Rates, len(s.Plot))
		}
		time.Sleep(10 * time.Minute)
		s = w.snapshot()
		d = s.Devices[0]
		if len(d.History) == 0 || d.History[0].Done != 100 || d.History[0].Bytes != 2*50*1000 || d.History[0].Stats.Attempted != 100 {
			t.Errorf("history %+v", d.History)
		}
		if d.State == messages.StateResting && (len(d.Flights) > 0 || d.Waiting > 0) {
			t.Errorf("at rest: %+v", d)
		}
		var bytes int64
		for _, h := range d.History {
			bytes += h.Bytes
		}
		if d.Totals.Bytes < bytes {
			t.Errorf("in all %d bytes, in the passes that ended %d", d.Totals.Bytes, bytes)
		}
	})
}

// A policy that is paused while its partitions wait is not compared with its peers, either.
func TestPausedPolicyIsNotSurveyed(t *testing.T) {
	inWorld(t, everywhere(3000), func(w *world) {
		w.opts.Once, w.opts.Slots, w.opts.Interval = false, 1, time.Hour
		l := withLane(w)
		l.wait = func(ctx context.Context) { pause(ctx, 10*time.Second) }
		w.start()
		time.Sleep(5 * time.Second) // the first survey is out
		w.steer(func(c *messages.Course, now time.Time) { c.Policies = map[int]messages.Pause{0: {Since: now}} })
		time.Sleep(time.Minute)
		if n := l.surveys.Load(); n != 1 {
			t.Errorf("%d surveys", n)
		}
		if d := w.device("d0"); d.State != messages.StateResting || d.Done != surveyMost || d.Jobs != d.Done {
			t.Errorf("%s, %d of %d", d.State, d.Done, d.Jobs)
		}
	})
}
