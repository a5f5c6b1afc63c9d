package actors

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"understudy/messages"
)

// A pass over partitions in sync leaves the same numbers, statistics and lines with
// surveys as without, and not one actor is born for them.
func TestSurveyCountsAsJobs(t *testing.T) {
	var got [2]numbers
	for i, surveys := range []bool{false, true} {
		inWorld(t, everywhere(3000), func(w *world) {
			hashed := atomic.Int64{}
			w.hashes = func(_ context.Context, p messages.Partition, _ messages.HashOptions) (messages.HashReport, error) {
				hashed.Add(1)
				h := messages.Hashes{"abc": "1"}
				if p.Number%2 == 0 {
					h["def"] = "2"
				}
				return messages.HashReport{Hashes: h, Hashed: int(p.Number % 3)}, nil
			}
			w.peer = func(ctx context.Context, _ messages.Node, _ int, part uint32) (messages.Hashes, error) {
				r, err := w.hashes(ctx, messages.Partition{Number: part}, messages.HashOptions{})
				return r.Hashes, err
			}
			born := jobs(w)
			if surveys {
				l := withLane(w)
				defer func() {
					if l.surveys.Load() != 3 || l.asked.Load() != 6000 {
						t.Errorf("%d surveys about %d", l.surveys.Load(), l.asked.Load())
					}
				}()
			}
			got[i] = w.numbers()
			if surveys != (born.Load() == 0) {
				t.Errorf("surveys %v: %d actors", surveys, born.Load())
			}
		})
	}
	if got[0].stats != got[1].stats || !maps.Equal(got[0].counted, got[1].counted) || got[0].lines != got[1].lines || got[0].lines == "" {
		t.Errorf("jobs    %+v\nsurveys %+v", got[0], got[1])
	}
	if got[0].stats.HashMatch != 6000 || got[0].stats.SuffixHash != 3000 {
		t.Errorf("%+v", got[0].stats)
	}
}

// Exactly the partition that differs gets an actor, which does what it always does. A
// peer that only has more is in sync. What a survey has hashed counts once.
func TestSurveyFindsWhatDiffers(t *testing.T) {
	inWorld(t, everywhere(100), func(w *world) {
		local := messages.Hashes{"abc": "1", "def": "2"}
		w.hashes = func(_ context.Context, p messages.Partition, o messages.HashOptions) (messages.HashReport, error) {
			n := 0
			if p.Number == 42 && o.Recalculate == nil && !w.seen("hashed 42") {
				n = 7
				w.event("hashed 42")
			}
			return messages.HashReport{Hashes: local, Hashed: n}, nil
		}
		w.peer = func(_ context.Context, n messages.Node, _ int, part uint32) (messages.Hashes, error) {
			switch {
			case part == 42 && n.Device == "d2":
				return messages.Hashes{"abc": "1"}, nil
			case part == 43:
				return messages.Hashes{"abc": "1", "def": "2", "fff": "3"}, nil
			}
			return local, nil
		}
		born := jobs(w)
		withLane(w)
		stats := w.run()
		if born.Load() != 1 || !w.seen("sync d0/objects/42 d2 def") {
			t.Errorf("%d actors, %v", born.Load(), w.happened())
		}
		want := messages.Counts{Attempted: 100, HashMatch: 199, Success: 200, Rsync: 1, SuffixCount: 200, SuffixHash: 7, SuffixSync: 1}
		if stats.Counts != want {
			t.Errorf("got %+v, want %+v", stats.Counts, want)
		}
	})
}

func (w *world) seen(event string) bool { return slices.Contains(w.happened(), event) }

// Partitions with a peer that is not ours, and handoffs, are never surveyed.
func TestSurveyMixedPeers(t *testing.T) {
	ring := threeCopies(60, 5, 1) // 36 primaries on d0; 24 handoffs
	inWorld(t, ring, func(w *world) {
		l := withLane(w)
		l.ours = func(n messages.Node) bool { return n.Device != "d1" }
		w.opts.Slots = 1
		born := jobs(w)
		stats := w.run()
		// d0's primaries are {0 1 2}, {4 0 1} and {3 4 0}: the last of them have no d1.
		if born.Load() != 48 || l.asked.Load() != 24 || stats.Attempted != 60 || stats.Failure != 0 {
			t.Errorf("%d actors, %d asked in surveys, %+v", born.Load(), l.asked.Load(), stats)
		}
	})
}

// Peers that do not tell, for whatever reason, cost a survey and change nothing.
func TestSurveyWithoutAnswers(t *testing.T) {
	for name, break_ := range map[string]func(w *world, l *lane){
		"unknown": func(w *world, l *lane) { w.deps.Lane = deaf{l} },
		"panic":   func(_ *world, l *lane) { l.wait = func(context.Context) { panic("a bug") } },
		"disk": func(w *world, _ *lane) {
			w.deps.Store = noDigests{w, errors.New("no digests today")}
		},
	} {
		inWorld(t, everywhere(50), func(w *world) {
			l := withLane(w)
			break_(w, l)
			born := jobs(w)
			stats := w.run()
			want := messages.Counts{Attempted: 50, HashMatch: 100, Success: 100, SuffixCount: 50}
			if stats.Counts != want || born.Load() != 50 {
				t.Errorf("%s: %d actors, %+v", name, born.Load(), stats.Counts)
			}
		})
	}
}

// A slow disk gets as far as there is time; what is left over has its jobs.
func TestSurveyIsBoundedInTime(t *testing.T) {
	inWorld(t, everywhere(50), func(w *world) {
		withLane(w)
		slow := w.hashes
		w.hashes = func(ctx context.Context, p messages.Partition, o messages.HashOptions) (messages.HashReport, error) {
			pause(ctx, time.Second)
			return slow(ctx, p, o)
		}
		born := jobs(w)
		if stats := w.run(); stats.Attempted != 50 || stats.HashMatch != 100 || born.Load() != 45 {
			t.Errorf("%d actors, %+v", born.Load(), stats.Counts)
		}
	})
}

// A survey whose call on the disk hangs is written off with its disk; its slot goes to
// the other one, and the disk comes back when the call returns.
func TestStuckSurvey(t *testing.T) {
	inWorld(t, threeCopies(60, 3, 2), func(w *world) {
		w.opts.Once, w.opts.Slots = false, 1
		withLane(w)
		thaw := make(chan struct{})
		fine := w.hashes
		w.hashes = func(ctx context.Context, p messages.Partition, o messages.HashOptions) (messages.HashReport, error) {
			if p.Device == "d0" && p.Number == 3 {
				<-thaw
			}
			return fine(ctx, p, o)
		}
		w.start()
		time.Sleep(w.opts.CallTimeout + callGrace + 20*time.Second)
		sick, well := w.device("d0"), w.device("d1")
		if sick.State != messages.StateStalled || !strings.Contains(sick.Why, "survey") || sick.Stuck != 1 || sick.Stats.Attempted != 60 {
			t.Errorf("the sick disk: %+v", sick)
		}
		if well.Passes == 0 {
			t.Error("the other disk has not finished a pass")
		}
		w.mustLog("survey is written off")
		close(thaw)
		time.Sleep(2 * time.Minute)
		if d := w.device("d0"); d.Passes == 0 || d.Cut != "" || d.Stuck != 0 {
			t.Errorf("the disk did not come back: %+v", d)
		}
	})
}

// A probe that finds the disk hanging gives the survey up at once, and the pass is
// gone on with from its first partition.
func TestSurveyGivenUpByProbe(t *testing.T) {
	inWorld(t, everywhere(40), func(w *world) {
		w.opts.Once = false
		withLane(w)
		thaw := make(chan struct{})
		fine, probe := w.hashes, w.probe
		probes := atomic.Int64{}
		w.probe = func(ctx context.Context, device string) (messages.Disk, error) {
			if probes.Add(1) == 2 {
				<-thaw
			}
			return probe(ctx, device)
		}
		hangs := atomic.Bool{}
		hangs.Store(true)
		w.hashes = func(ctx context.Context, p messages.Partition, o messages.HashOptions) (messages.HashReport, error) {
			if hangs.Load() {
				<-thaw
			}
			return fine(ctx, p, o)
		}
		w.start()
		time.Sleep(time.Minute)
		if d := w.device("d0"); d.State != messages.StateStalled || d.Stats.Attempted != 40 {
			t.Errorf("%+v", d)
		}
		w.mu.Lock()
		note := w.notes["d0"]
		w.mu.Unlock()
		hangs.Store(false)
		close(thaw)
		time.Sleep(time.Minute)
		d := w.device("d0")
		if d.Passes == 0 || d.State == messages.StateStalled || note.Reached == 1<<32 {
			t.Errorf("not gone on with: %+v, noted %+v", d, note)
		}
	})
}

// Stopping in the middle of a survey waits for nothing.
func TestStopDuringSurvey(t *testing.T) {
	inWorld(t, everywhere(40), func(w *world) {
		l := withLane(w)
		thaw := make(chan struct{})
		l.wait = func(context.Context) { <-thaw }
		w.start()
		time.Sleep(time.Second)
		w.stop()
		w.root = nil
		close(thaw)
		synctest.Wait()
	})
}

// A device that crashes gives its survey's slot back; its successor goes on.
func TestDeviceCrashDuringSurvey(t *testing.T) {
	inWorld(t, threeCopies(60, 3, 2), func(w *world) {
		w.opts.Once, w.opts.Slots = false, 1
		l := withLane(w)
		l.wait = func(ctx context.Context) { pause(ctx, 10*time.Second) }
		crashed := atomic.Bool{}
		w.deps.Middleware = append(w.deps.Middleware, crashOn(func(a actor.Actor, m any) bool {
			_, done := m.(*answer)
			d, device := a.(*Device)
			return device && done && d.batch != nil && d.name == "d0" && !crashed.Swap(true)
		}))
		w.start()
		time.Sleep(3 * time.Minute)
		for _, name := range []string{"d0", "d1"} {
			if d := w.device(name); d.Passes == 0 {
				t.Errorf("%+v", d)
			}
		}
		if !crashed.Load() {
			t.Error("nothing crashed")
		}
	})
}

// The overrides of script mode and handoffs_first hold with surveys, too.
func TestSurveyKeepsToTheRules(t *testing.T) {
	inWorld(t, threeCopies(60, 5, 1), func(w *world) {
		l := withLane(w)
		w.opts.Only.Partitions = []uint32{0, 1, 2, 3, 4}
		if stats := w.run(); stats.Attempted != 5 || l.asked.Load() != 6 {
			t.Errorf("%d asked, %+v", l.asked.Load(), stats)
		}
	})
	inWorld(t, threeCopies(60, 5, 1), func(w *world) {
		l := withLane(w)
		w.opts.HandoffsFirst = true
		w.push = func(context.Context, messages.SyncJob) (messages.SyncResult, error) {
			return messages.SyncResult{}, nil
		}
		if stats := w.run(); l.asked.Load() != 0 || stats.Attempted != 24 {
			t.Errorf("handoffs remain: %d asked, %+v", l.asked.Load(), stats)
		}
		w.mustLog("Handoffs first mode still has handoffs remaining.")
	})
}

// Every tenth pass lists each partition for suffixes that nobody has told of.
func TestSurveyLists(t *testing.T) {
	inWorld(t, everywhere(20), func(w *world) {
		withLane(w)
		w.opts.Once = false
		listed := map[uint32]int{}
		fine := w.hashes
		w.hashes = func(ctx context.Context, p messages.Partition, o messages.HashOptions) (messages.HashReport, error) {
			if o.List {
				w.mu.Lock()
				listed[p.Number]++
				w.mu.Unlock()
			}
			return fine(ctx, p, o)
		}
		w.start()
		time.Sleep(10*w.opts.Interval - time.Second)
		synctest.Wait()
		w.mu.Lock()
		defer w.mu.Unlock()
		for part := range uint32(20) {
			if listed[part] != 1 {
				t.Errorf("partition %d was listed %d times", part, listed[part])
			}
		}
	})
}
