package breaker

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"understudy/internal/plan"
	"understudy/messages"
)

// A refused call ends as the last one did: an error stays one, a push without OK
// stays one.
func TestRefusalsRepeat(t *testing.T) {
	silent := messages.SyncResult{Silence: messages.Unanswered}
	t.Run("a question", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(0)
			w.ends(2*time.Second, messages.SyncResult{}, refused("d1"))
			_ = w.ask(t.Context(), "d1")
			err := w.ask(t.Context(), "d2")
			var first *messages.PeerError
			_ = errors.As(refused("d2"), &first)
			want := *first
			want.Untried = true
			var got *messages.PeerError
			if !errors.As(err, &got) || !reflect.DeepEqual(*got, want) || err.Error() != first.Error() || w.tried() != 1 {
				t.Errorf("the caller saw %+v, want %+v", got, want)
			}
		})
	})
	t.Run("a push without OK", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(0)
			w.ends(0, silent, nil)
			for range 3 {
				if res, err := w.push(t.Context(), "d1", Sync); err != nil || !reflect.DeepEqual(res, silent) {
					t.Errorf("the caller saw %+v, %v", res, err)
				}
			}
			if w.tried() != 1 || w.States()[0].Why != "no answer" {
				t.Errorf("%+v", w.States())
			}
		})
	})
	t.Run("a push with an error", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(0)
			w.ends(0, messages.SyncResult{}, timeout("d1"))
			_, _ = w.push(t.Context(), "d1", Sync)
			res, err := w.push(t.Context(), "d1", Sync)
			var peer *messages.PeerError
			if !errors.As(err, &peer) || !peer.Untried || peer.Why != "Timeout (60s)" || res.OK || w.tried() != 1 {
				t.Errorf("the caller saw %+v, %v", res, err)
			}
		})
	})
	t.Run("a question after a push", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(0)
			w.ends(0, silent, nil)
			_, _ = w.push(t.Context(), "d1", Replicate)
			err := w.ask(t.Context(), "d1")
			var peer *messages.PeerError
			if !errors.As(err, &peer) || !peer.Untried || peer.Silence != messages.Unanswered || peer.Node != nodeOf("d1") || w.tried() != 1 {
				t.Errorf("the caller saw %v", err)
			}
		})
	})
	t.Run("a push after a question", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(0)
			w.ends(0, messages.SyncResult{}, timeout("d1"))
			_ = w.ask(t.Context(), "d1")
			if res, err := w.push(t.Context(), "d1", Replicate); err != nil || !reflect.DeepEqual(res, silent) || w.tried() != 1 {
				t.Errorf("the caller saw %+v, %v", res, err)
			}
			w.ends(0, messages.SyncResult{OK: true}, nil)
			if res, err := w.push(t.Context(), "d1", Sync); err != nil || !res.OK {
				t.Errorf("the other lane is shut, too: %+v, %v", res, err)
			}
		})
	})
}

// What a push tells of its peer.
func TestWhatPushesTell(t *testing.T) {
	other := errors.New("a name that cannot be used")
	for what, c := range map[string]struct {
		res  messages.SyncResult
		err  error
		want []string
	}{
		"success":                   {messages.SyncResult{OK: true}, nil, nil},
		"success, then nobody told": {messages.SyncResult{}, timeout("d1"), []string{"sync 10.0.0.1:6200/d1 open"}},
		"busy":                      {messages.SyncResult{}, nil, nil},
		"no answer":                 {messages.SyncResult{Silence: messages.Unanswered}, nil, []string{"sync 10.0.0.1:6200/d1 open"}},
		"no way":                    {messages.SyncResult{Silence: messages.Unreachable}, nil, []string{"sync 10.0.0.1:6200 open"}},
		"no way, and nobody told":   {messages.SyncResult{Silence: messages.Unreachable}, timeout("d1"), []string{"sync 10.0.0.1:6200 open"}},
		"trouble of our own":        {messages.SyncResult{}, other, nil},
		"stopped":                   {messages.SyncResult{}, context.Canceled, nil},
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(0)
				w.ends(2*time.Second, c.res, c.err)
				if res, err := w.push(t.Context(), "d1", Sync); !reflect.DeepEqual(res, c.res) || !errors.Is(err, c.err) {
					t.Errorf("the caller saw %+v, %v", res, err)
				}
				if got := w.shut(); !slices.Equal(got, c.want) && len(got)+len(c.want) > 0 {
					t.Errorf("open: %q, want %q", got, c.want)
				}
			})
		})
	}
}

// Two hundred update jobs with a silent peer, an unmounted one and a good one count
// the same with breakers and without, and take one time-out and not two hundred.
func TestCountsAreSwifts(t *testing.T) {
	const jobs = 200
	peers := []messages.Node{nodeOf("silent"), nodeOf("unmounted"), nodeOf("good")}
	handoff := nodeOf("handoff")
	run := func(t *testing.T, asked Peers) (counts messages.Counts, failures messages.FailureNodes, took time.Duration) {
		begun := time.Now()
		failures = messages.FailureNodes{}
		for range jobs {
			u := plan.NewUpdate(1, peers, func() []messages.Node { return []messages.Node{handoff} }, 0)
			u.Hashed(messages.HashReport{Hashes: messages.Hashes{"abc": "x"}})
			for node, ok := u.Next(); ok; node, ok = u.Next() {
				_, err := asked.Hashes(t.Context(), node, 0, 7)
				var status *messages.StatusError
				switch {
				case err == nil:
					u.Matched()
				case errors.As(err, &status):
					u.Unmounted(node)
				default:
					u.Failed(node)
				}
			}
			c, f := u.Result()
			counts.Add(c)
			failures.Add(f)
		}
		return counts, failures, time.Since(begun)
	}
	script := func(_ context.Context, node messages.Node) (messages.SyncResult, error) {
		switch node.Device {
		case "silent":
			time.Sleep(time.Minute)
			return messages.SyncResult{}, timeout("silent")
		case "unmounted":
			return messages.SyncResult{}, status("unmounted", 507)
		}
		return messages.SyncResult{}, nil
	}
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(0)
		w.inner.script = script
		wantCounts, wantFailures, long := run(t, &w.inner)
		gotCounts, gotFailures, short := run(t, w.Peers(&w.inner))
		if gotCounts != wantCounts || !reflect.DeepEqual(gotFailures, wantFailures) {
			t.Errorf("with breakers %+v %v, without %+v %v", gotCounts, gotFailures, wantCounts, wantFailures)
		}
		if wantFailures["10.0.0.1"]["silent"] != jobs {
			t.Errorf("failures: %v", wantFailures)
		}
		if long != jobs*time.Minute || short != time.Minute {
			t.Errorf("without breakers %s, with %s", long, short)
		}
		if got := fmt.Sprint(w.shut()); got != "[replicate 10.0.0.1:6200/silent open]" || w.States()[0].Untried != jobs-1 {
			t.Errorf("open: %s, %+v", got, w.States())
		}
	})
}
