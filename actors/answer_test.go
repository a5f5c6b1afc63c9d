package actors

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/asynkron/protoactor-go/actor"

	"understudy/messages"
)

// Each answer of a push arrives twice. The second one counts for nothing: one primary's
// proof is not two, however often it is told.
func TestAnswersThatComeTwice(t *testing.T) {
	for _, proving := range []int{1, 2} {
		inWorld(t, oneHandoff(), func(w *world) {
			w.deps.Middleware = append(w.deps.Middleware, twice)
			w.opts.HandoffDelete = 2
			w.push = func(_ context.Context, job messages.SyncJob) (messages.SyncResult, error) {
				if job.Node.Index < proving {
					return proves(job)
				}
				return messages.SyncResult{OK: true}, nil
			}
			stats := w.run()
			synctest.Wait()
			if got, want := w.did("remove 2 objects"), proving-1; got != want {
				t.Errorf("%d of 3 primaries have proven: given up %d times, want %d: %q", proving, got, want, w.happened())
			}
			if w.did("sync") != 3 || stats.Success != 3 || stats.Attempted != 1 {
				t.Errorf("pushed %d times, %+v; want 3 pushes", w.did("sync"), stats.Counts)
			}
		})
	}
}

// twice hands each answer of a push to its actor twice.
func twice(next actor.ReceiverFunc) actor.ReceiverFunc {
	return func(c actor.ReceiverContext, e *actor.MessageEnvelope) {
		next(c, e)
		if a, ok := e.Message.(*answer); ok {
			if _, ok := a.value.(messages.SyncResult); ok {
				next(c, e)
			}
		}
	}
}

// A slot is granted twice, for one that was asked for. The second one goes back, once: it
// is not asked for again, to go back again, for ever.
func TestSlotsThatComeTwice(t *testing.T) {
	inWorld(t, oneHandoff(), func(w *world) {
		grants := 0
		w.deps.Middleware = append(w.deps.Middleware, func(next actor.ReceiverFunc) actor.ReceiverFunc {
			return func(c actor.ReceiverContext, e *actor.MessageEnvelope) {
				if _, ok := e.Message.(*messages.SlotGranted); ok {
					if grants++; grants > 100 {
						return // ends the circle
					}
					if grants == 1 {
						next(c, e)
					}
				}
				next(c, e)
			}
		})
		stats := w.run()
		synctest.Wait()
		if grants > 3 || stats.Attempted != 1 {
			t.Errorf("%d slots were granted for one job; %+v", grants, stats.Counts)
		}
	})
}
