package stage

import (
	"context"
	"sync"
	"time"

	"understudy/internal/scenario"
)

// playing is the workload under way.
type playing struct {
	cancel context.CancelFunc
	group  sync.WaitGroup
}

// beginPlay lets clients begin, with the first engine that runs.
func (st *stage) beginPlay(ctx context.Context) {
	if st.plays != nil || len(st.told.Workload) == 0 {
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	st.plays = &playing{cancel: cancel}
	for _, w := range st.told.Workload {
		st.plays.group.Go(func() { st.client(ctx, w) })
	}
}

func (st *stage) client(ctx context.Context, w scenario.Workload) {
	tick := time.NewTicker(w.Every)
	defer tick.Stop()
	for range w.Count {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		st.write(ctx, w.Verb)
	}
}

// write does one request. One that nobody takes is told and not part of the history.
func (st *stage) write(ctx context.Context, verb string) {
	if err := st.clients.Write(ctx, verb); err != nil {
		st.tally.unwritten.Add(1)
		st.diary.say("", "  a client's %s was refused: %v", verb, err)
		return
	}
	st.tally.mu.Lock()
	defer st.tally.mu.Unlock()
	st.tally.written++
}

// endPlay waits until the clients have done all that they wanted.
func (st *stage) endPlay(ctx context.Context) error {
	if st.plays == nil || st.ended {
		return nil
	}
	done := make(chan struct{})
	go func() {
		st.plays.group.Wait()
		close(done)
	}()
	select {
	case <-done:
		st.ended = true
		st.plays.cancel()
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(scenario.Patience):
		st.plays.cancel()
		st.tally.gotStuck("clients do not come to an end")
		st.ended = true
		return nil
	}
}
