package actors

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"understudy/messages"
)

// slowly makes every job of a world take some time, and notes it.
func (w *world) slowly(d time.Duration) {
	fine := w.hashes
	w.hashes = func(ctx context.Context, p messages.Partition, o messages.HashOptions) (messages.HashReport, error) {
		w.event("hash %s %d", p.Device, p.Number)
		pause(ctx, d)
		return fine(ctx, p, o)
	}
}

// restart ends the engine as kill -9 does, as far as notes go, and starts another.
func (w *world) restart() {
	w.t.Helper()
	w.stop()
	w.start()
}

// An engine that is stopped in the middle of a pass leaves a note. Another one goes
// on from there: nothing is left out, and only what was done since the note is done
// again. The numbers of the pass are those of both parts.
func TestPassGoesOnAfterRestart(t *testing.T) {
	inWorld(t, everywhere(400), func(w *world) {
		w.opts.Once, w.opts.Slots, w.opts.Interval = false, 2, time.Hour
		w.slowly(time.Second)
		begun := time.Now()
		w.start()
		time.Sleep(100 * time.Second) // 200 jobs
		w.restart()
		time.Sleep(time.Second)
		// A job that ended out of turn before the note is counted and listed again.
		if d := w.device("d0"); !d.Begun.Equal(begun) || d.Done < 150 || d.Jobs < 400 || d.Jobs > 402 {
			t.Errorf("after the restart: begun %s, %d of %d", d.Begun, d.Done, d.Jobs)
		}
		time.Sleep(129 * time.Second)
		d := w.device("d0")
		if d.Passes != 1 || d.State != messages.StateResting {
			t.Fatalf("129 seconds later the pass is not over: %+v", d)
		}
		all := w.hashed("d0")
		if distinct(all) != 400 {
			t.Errorf("%d of 400 partitions were looked at", distinct(all))
		}
		if again := len(all) - 400; again < 1 || again > 2*15+4 {
			t.Errorf("%d jobs were done again, want those of the last 15 seconds", again)
		}
		if n := d.Stats.Attempted; n < 400 || n > 400+4 {
			t.Errorf("the pass counts %d attempts", n)
		}
		if len(w.notes) > 0 {
			t.Errorf("the note of the pass that is over is still there: %v", w.notes)
		}
		w.mustLog("going on with an interrupted pass")
		if w.told("d0")["pass_complete"] == nil {
			t.Errorf("recon tells %v", w.told("d0"))
		}
	})
}

// Many restarts, at times that have nothing to do with the notes: every partition is
// looked at, and the pass ends.
func TestPassSurvivesManyRestarts(t *testing.T) {
	inWorld(t, threeCopies(300, 3, 3), func(w *world) {
		w.opts.Once, w.opts.Slots, w.opts.Interval = false, 3, 100*time.Hour
		w.slowly(2 * time.Second)
		w.start()
		for i := range 40 {
			time.Sleep(time.Duration(17+7*i%40) * time.Second)
			w.restart()
		}
		time.Sleep(time.Hour)
		for _, name := range []string{"d0", "d1", "d2"} {
			if n := distinct(w.hashed(name)); n != 300 {
				t.Errorf("%s: %d of 300 partitions were looked at", name, n)
			}
		}
	})
}

// Script mode is one whole pass, whatever was noted before, and leaves notes alone.
func TestScriptModeTakesNoNotes(t *testing.T) {
	inWorld(t, everywhere(20), func(w *world) {
		note := messages.Cursor{Seed: 7, Reached: 1 << 31, Jobs: 20, Done: 10}
		w.notes["d0"] = note
		w.slowly(10 * time.Second)
		if stats := w.run(); stats.Attempted != 20 {
			t.Errorf("attempted %d", stats.Attempted)
		}
		if w.notes["d0"].Seed != 7 {
			t.Errorf("the note has become %+v", w.notes["d0"])
		}
	})
}

// lost cursors cannot be read, written or removed, or hang.
type lostCursors struct{ hang chan struct{} }

func (l lostCursors) Load(context.Context, string) (*messages.Cursor, error) { return nil, l.lose() }
func (l lostCursors) Save(context.Context, string, messages.Cursor) error    { return l.lose() }
func (l lostCursors) Clear(context.Context, string) error                    { return l.lose() }

func (l lostCursors) lose() error {
	if l.hang != nil {
		<-l.hang
	}
	return errDisk
}

// Passes do without notes that cannot be had.
func TestPassesDoWithoutNotes(t *testing.T) {
	for what, hang := range map[string]chan struct{}{"errors": nil, "hanging": make(chan struct{})} {
		t.Run(what, func(t *testing.T) {
			inWorld(t, everywhere(100), func(w *world) {
				if hang != nil {
					hang = make(chan struct{}) // one of this bubble
				}
				w.opts.Once = false
				w.deps.Cursors = lostCursors{hang}
				w.slowly(time.Second)
				w.start()
				time.Sleep(5 * time.Minute)
				if d := w.device("d0"); d.Passes < 3 {
					t.Errorf("%d passes", d.Passes)
				}
				if hang != nil {
					w.stop()
					w.root = nil
					close(hang)
				}
			})
		})
	}
}

// A device whose actor crashes in mid-pass goes on from its note.
func TestCrashedDeviceGoesOn(t *testing.T) {
	inWorld(t, everywhere(200), func(w *world) {
		w.opts.Once, w.opts.Slots, w.opts.Interval = false, 1, time.Hour
		w.slowly(time.Second)
		crashed := false
		w.deps.Middleware = append(w.deps.Middleware, crashOn(func(a actor.Actor, m any) bool {
			_, device := a.(*Device)
			done, ok := m.(*messages.PartitionDone)
			if device && ok && !crashed && done.Outcome.Counts.Attempted > 0 && len(w.hashed("d0")) == 100 {
				crashed = true
				return true
			}
			return false
		}))
		w.start()
		time.Sleep(5 * time.Minute)
		all := w.hashed("d0")
		if !crashed || distinct(all) != 200 || len(all) > 200+20 {
			t.Errorf("crashed %v; %d jobs for %d partitions", crashed, len(all), distinct(all))
		}
		s := w.snapshot().Supervision
		if s.Crashes != 1 || s.Births != 1 {
			t.Errorf("supervision counts %+v", s)
		}
		kinds := []string{}
		for _, e := range s.Recent {
			kinds = append(kinds, e.Kind)
		}
		if !slices.Contains(kinds, messages.EventCrash) || !slices.Contains(kinds, messages.EventBirth) || !strings.Contains(s.Recent[0].Why, "injected") {
			t.Errorf("supervision tells %+v", s.Recent)
		}
	})
}

// What waits under handoffs_first is sorted anew when the rings change: what has
// become a handoff goes first from then on.
func TestHandoffsFirstFollowsTheRings(t *testing.T) {
	inWorld(t, everywhere(40), func(w *world) {
		w.opts.HandoffsFirst, w.opts.Slots = true, 1
		w.slowly(time.Minute)
		w.push = func(_ context.Context, job messages.SyncJob) (messages.SyncResult, error) {
			return messages.SyncResult{OK: true, Proven: job.Held}, nil
		}
		moved := everywhere(40)
		moved.nodes = someNodes(4)
		for i := range 10 {
			moved.parts[i] = []int{1, 2, 3}
		}
		w.start()
		time.Sleep(90 * time.Second) // two jobs have begun
		early := w.hashed("d0")
		w.mu.Lock()
		w.polled = view(2, moved)
		w.mu.Unlock()
		<-w.done
		synctest.Wait()
		handoffs, updates := 0, 0
		for _, e := range w.happened() {
			switch {
			case strings.HasPrefix(e, "remove "):
				handoffs++
				if updates > len(early)+1 {
					t.Errorf("a handoff after %d updates", updates)
				}
			case strings.HasPrefix(e, "hash "):
				updates++
			}
		}
		if handoffs < 8 {
			t.Errorf("%d handoffs were given up", handoffs)
		}
	})
}
