package breaker

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"understudy/messages"
)

// open makes a world in which d1 has not answered, and is due to be tried.
func open(t *testing.T, took time.Duration) *world {
	t.Helper()
	w := newWorld(0)
	w.ends(took, messages.SyncResult{}, timeout("d1"))
	_ = w.ask(t.Context(), "d1")
	if w.tried() != 1 || !slices.Equal(w.shut(), []string{"replicate 10.0.0.1:6200/d1 open"}) {
		t.Fatalf("open: %q", w.shut())
	}
	time.Sleep(time.Until(w.States()[0].Retry))
	return w
}

// One call tries a peer; the others are refused until it is back.
func TestOneTries(t *testing.T) {
	for _, answers := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			w := open(t, 0)
			end := timeout("d1")
			if answers {
				end = status("d1", 507)
			}
			w.ends(time.Minute, messages.SyncResult{}, end)
			var calls sync.WaitGroup
			calls.Go(func() {
				if err := w.ask(t.Context(), "d1"); !errors.Is(err, end) {
					t.Errorf("the trial ended with %v", err)
				}
			})
			synctest.Wait()
			for range 20 {
				calls.Go(func() {
					var peer *messages.PeerError
					if err := w.ask(t.Context(), "d1"); !errors.As(err, &peer) || !peer.Untried {
						t.Errorf("another call ended with %v", err)
					}
				})
			}
			synctest.Wait()
			if got := w.States(); len(got) != 1 || got[0].Breaker != "half-open" || got[0].Untried != 20 {
				t.Errorf("while it is tried: %+v", got)
			}
			calls.Wait()
			if n := w.tried(); n != 1 {
				t.Errorf("%d calls tried it", n)
			}
			got := w.States()
			if answers && len(got) > 0 {
				t.Errorf("after an answer: %+v", got)
			}
			if !answers && (len(got) != 1 || got[0].Breaker != "open" || got[0].Failures != 2 || time.Until(got[0].Retry) != 2*time.Minute) {
				t.Errorf("after another silence: %+v", got)
			}
		})
	}
}

// A call that was to try a peer and told nothing gives its turn to the next.
func TestTrialIsGivenBack(t *testing.T) {
	next := func(t *testing.T, w *world) {
		t.Helper()
		w.tried()
		w.ends(0, messages.SyncResult{}, nil)
		if err := w.ask(t.Context(), "d1"); err != nil || w.tried() != 1 || len(w.States()) > 0 {
			t.Errorf("the next call: %v, %+v", err, w.States())
		}
	}
	t.Run("stopped", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := open(t, 0)
			w.inner.script = func(ctx context.Context, node messages.Node) (messages.SyncResult, error) {
				<-ctx.Done()
				return messages.SyncResult{}, &messages.PeerError{Node: node, Err: ctx.Err()}
			}
			ctx, stop := context.WithTimeout(t.Context(), time.Minute)
			defer stop()
			if err := w.ask(ctx, "d1"); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("the trial ended with %v", err)
			}
			if got := w.shut(); !slices.Equal(got, []string{"replicate 10.0.0.1:6200/d1 open"}) {
				t.Errorf("after a trial that told nothing: %q", got)
			}
			next(t, w)
		})
	})
	t.Run("panic", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := open(t, 0)
			w.inner.script = func(context.Context, messages.Node) (messages.SyncResult, error) { panic("a bug") }
			func() {
				defer func() {
					if recover() == nil {
						t.Error("the panic was swallowed")
					}
				}()
				_ = w.ask(t.Context(), "d1")
			}()
			next(t, w)
		})
	})
	t.Run("does not come back", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := open(t, 0)
			back := make(chan struct{})
			w.inner.script = func(context.Context, messages.Node) (messages.SyncResult, error) {
				<-back // a dead disk of our own
				return messages.SyncResult{}, timeout("d1")
			}
			ctx, stop := context.WithCancel(t.Context())
			ended := make(chan struct{})
			go func() { _ = w.ask(ctx, "d1"); close(ended) }()
			synctest.Wait()
			stop()
			synctest.Wait()
			if got := w.shut(); !slices.Equal(got, []string{"replicate 10.0.0.1:6200/d1 open"}) {
				t.Errorf("after its end: %q", got)
			}
			before := w.States()
			close(back)
			<-ended
			if !slices.Equal(w.States(), before) {
				t.Errorf("what it told too late counts: %+v", w.States())
			}
			next(t, w)
		})
	})
}

// Calls under way when a breaker opens end as they end: their silence is not counted
// again, their answer counts.
func TestLateResults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(0)
		w.ends(time.Second, messages.SyncResult{}, timeout("d1"))
		var calls sync.WaitGroup
		for i := range 10 {
			calls.Go(func() {
				time.Sleep(time.Duration(i) * time.Millisecond)
				var peer *messages.PeerError
				if err := w.ask(t.Context(), "d1"); !errors.As(err, &peer) || peer.Untried {
					t.Errorf("a call under way ended with %v", err)
				}
			})
		}
		calls.Wait()
		got := w.States()
		if len(got) != 1 || got[0].Failures != 1 || got[0].Retry.Sub(got[0].Since) != time.Second || w.tried() != 10 {
			t.Errorf("after ten silences at once: %+v", got)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(0)
		w.ends(time.Minute, messages.SyncResult{}, nil)
		slow := make(chan error)
		go func() { slow <- w.ask(t.Context(), "d1") }()
		synctest.Wait()
		w.ends(0, messages.SyncResult{}, timeout("d1"))
		_ = w.ask(t.Context(), "d1")
		if len(w.States()) != 1 {
			t.Error("not open")
		}
		if err := <-slow; err != nil || len(w.States()) > 0 {
			t.Errorf("a late answer (%v) did not close: %+v", err, w.States())
		}
	})
	// Refused connections of a node that has opened meanwhile.
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(0)
		w.ends(time.Millisecond, messages.SyncResult{}, refused("d"))
		var calls sync.WaitGroup
		for _, d := range strings.Fields("d1 d2 d3 d4 d5 d6") {
			calls.Go(func() { _ = w.ask(t.Context(), d) })
		}
		calls.Wait()
		if got := w.States(); len(got) != 1 || got[0].Failures != 3 || got[0].Peer != address {
			t.Errorf("after six refusals at once: %+v", got)
		}
	})
}

// What an operator sees: a line when a peer falls silent, one when it is back.
func TestLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := open(t, time.Second)
		_ = w.ask(t.Context(), "d1")
		_ = w.ask(t.Context(), "d1")
		_ = w.ask(t.Context(), "d1")
		time.Sleep(10 * time.Second)
		w.ends(0, messages.SyncResult{}, nil)
		_ = w.ask(t.Context(), "d1")
		_ = w.ask(t.Context(), "d1")
		const silent = "peer is silent, not asked for a while"
		want := []line{
			{"warn", silent, address + "/d1", "replicate", "Timeout (60s)", 0, 1_000},
			{"debug", silent, address + "/d1", "replicate", "Timeout (60s)", 0, 2_000},
			{"warn", "peer answers again", address + "/d1", "replicate", "", 2, 0},
		}
		if got := w.log.lines(); !slices.Equal(got, want) {
			t.Errorf("log: %+v\nwant %+v", got, want)
		}
	})
}
