package breaker

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"understudy/messages"
)

// What opens a breaker, and what does not.
func TestWhatOpens(t *testing.T) {
	type step struct {
		device string
		end    func(device string) error
		took   time.Duration
	}
	ok := func(string) error { return nil }
	code := func(n int) func(string) error { return func(d string) error { return status(d, n) } }
	garbage := func(d string) error {
		return &messages.PeerError{Node: nodeOf(d), Err: errors.New("decode suffix hashes")}
	}
	local := func(err error) func(string) error { return func(string) error { return err } }
	d1, d2, node := "replicate 10.0.0.1:6200/d1 open", "replicate 10.0.0.1:6200/d2 open", "replicate 10.0.0.1:6200 open"
	for what, c := range map[string]struct {
		steps []step
		want  []string
	}{
		"an answer":                   {[]step{{"d1", ok, 0}}, nil},
		"no answer":                   {[]step{{"d1", timeout, time.Minute}}, []string{d1}},
		"no answer, at once":          {[]step{{"d1", timeout, 0}}, []string{d1}},
		"two devices":                 {[]step{{"d1", timeout, 0}, {"d2", timeout, 0}}, []string{node, d1, d2}},
		"two with an answer between":  {[]step{{"d1", timeout, 0}, {"d3", ok, 0}, {"d2", timeout, 0}}, []string{d1, d2}},
		"two with a 507 between":      {[]step{{"d1", timeout, 0}, {"d3", code(507), 0}, {"d2", timeout, 0}}, []string{d1, d2}},
		"unmounted":                   {[]step{{"d1", code(507), 0}, {"d1", code(507), 0}, {"d2", code(507), 0}}, nil},
		"busy":                        {[]step{{"d1", code(503), time.Minute}, {"d1", code(503), 0}}, nil},
		"broken":                      {[]step{{"d1", code(500), 0}, {"d2", code(500), 0}}, nil},
		"garbage":                     {[]step{{"d1", garbage, 0}, {"d2", garbage, 0}}, nil},
		"refused twice":               {[]step{{"d1", refused, 0}, {"d2", refused, 0}}, nil},
		"refused three times":         {[]step{{"d1", refused, 0}, {"d2", refused, 0}, {"d1", refused, 0}}, []string{node}},
		"refused, but not in a row":   {[]step{{"d1", refused, 0}, {"d1", refused, 0}, {"d2", code(507), 0}, {"d1", refused, 0}}, nil},
		"refused around a connection": {[]step{{"d1", refused, 0}, {"d1", refused, 0}, {"d2", timeout, 0}, {"d1", refused, 0}}, []string{d2}},
		"a second to connect":         {[]step{{"d1", refused, time.Second}}, nil},
		"longer to connect":           {[]step{{"d1", refused, time.Second + 1}}, []string{node}},
		"no answers around a refusal": {[]step{{"d1", timeout, 0}, {"d3", refused, 0}, {"d2", timeout, 0}}, []string{node, d1, d2}},
		"stopped":                     {[]step{{"d1", local(&messages.PeerError{Err: context.Canceled}), time.Minute}}, nil},
		"out of time":                 {[]step{{"d1", local(&messages.PeerError{Err: context.DeadlineExceeded}), time.Minute}}, nil},
		"a disk of ours":              {[]step{{"d1", local(fs.ErrNotExist), 0}}, nil},
		"not tried after all":         {[]step{{"d1", local(&messages.PeerError{Silence: messages.Unanswered, Untried: true}), 0}}, nil},
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(0)
				for _, s := range c.steps {
					w.ends(s.took, messages.SyncResult{}, s.end(s.device))
					if err := w.ask(t.Context(), s.device); !errors.Is(err, s.end(s.device)) && err.Error() != s.end(s.device).Error() {
						t.Errorf("the caller saw %v", err)
					}
				}
				if n := w.tried(); n != len(c.steps) {
					t.Errorf("%d calls came through, want %d", n, len(c.steps))
				}
				if got := w.shut(); !slices.Equal(got, c.want) && len(got)+len(c.want) > 0 {
					t.Errorf("open: %q, want %q", got, c.want)
				}
			})
		})
	}
}

// Trouble of our own, in the middle of a trial, neither closes nor lengthens.
func TestOwnTroubleTellsNothing(t *testing.T) {
	for _, err := range []error{
		fs.ErrNotExist,
		&messages.PeerError{Err: context.Canceled},
		&messages.PeerError{Err: &net.OpError{Op: "dial", Err: syscall.EMFILE}},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(0)
			w.ends(0, messages.SyncResult{}, timeout("d1"))
			_ = w.ask(t.Context(), "d1")
			before := w.States()
			time.Sleep(leastWait)
			w.ends(0, messages.SyncResult{}, err)
			for range 3 { // each is let through: the one before has told nothing
				if got := w.ask(t.Context(), "d1"); !errors.Is(got, err) {
					t.Errorf("the caller saw %v, want %v", got, err)
				}
			}
			if !slices.Equal(w.States(), before) {
				t.Errorf("after %v: %+v, want %+v", err, w.States(), before)
			}
		})
	}
}

// How long a peer is left alone.
func TestWaits(t *testing.T) {
	s, m := time.Second, time.Minute
	for what, c := range map[string]struct {
		jitter float64
		took   time.Duration
		want   []time.Duration
	}{
		"doubling":               {0, 0, []time.Duration{s, 2 * s, 4 * s, 8 * s, 16 * s, 32 * s, m, m, m}},
		"stretched":              {0.5, 0, []time.Duration{1125 * time.Millisecond, 2250 * time.Millisecond}},
		"by what it took":        {0, 3 * s, []time.Duration{3 * s, 6 * s, 9 * s, 12 * s, 16 * s, 32 * s, m}},
		"ten times what it took": {0, 50 * s, []time.Duration{50 * s, 100 * s, 150 * s, 200 * s, 250 * s, 5 * m, 350 * s, 400 * s, 450 * s, 500 * s, 500 * s}},
		"minutes":                {0, m, []time.Duration{m, 2 * m, 3 * m}},
		"at most ten minutes":    {0.99, 15 * m, []time.Duration{10 * m, 10 * m}},
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(c.jitter)
				w.ends(c.took, messages.SyncResult{}, timeout("d1"))
				for i, want := range c.want {
					_ = w.ask(t.Context(), "d1")
					if got := w.States()[0]; time.Until(got.Retry) != want || got.Failures != i+1 {
						t.Fatalf("after %d silences: %+v, %s, want %s", i+1, got, time.Until(got.Retry), want)
					}
					time.Sleep(want - time.Nanosecond)
					if _ = w.ask(t.Context(), "d1"); w.tried() != 1 {
						t.Fatalf("tried too early after %d", i+1)
					}
					time.Sleep(time.Nanosecond)
				}
			})
		})
	}
}

// A node that hangs is tried by one call for all of its devices.
func TestNodeThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(0)
		w.ends(time.Second, messages.SyncResult{}, timeout("d"))
		for _, d := range []string{"d1", "d2", "d3", "d4", "d5"} {
			_ = w.ask(t.Context(), d)
		}
		if n := w.tried(); n != 2 {
			t.Errorf("%d calls came through, want 2", n)
		}
		time.Sleep(10 * time.Second)
		for _, d := range []string{"d3", "d4", "d5"} {
			_ = w.ask(t.Context(), d)
		}
		if n := w.tried(); n != 1 {
			t.Errorf("%d calls came through when it was time, want 1", n)
		}
		time.Sleep(10 * time.Second)
		w.ends(0, messages.SyncResult{}, nil)
		for _, d := range []string{"d4", "d1", "d2", "d3"} {
			if err := w.ask(t.Context(), d); err != nil {
				t.Error(err)
			}
		}
		if got := w.States(); len(got) > 0 {
			t.Errorf("still open: %+v", got)
		}
	})
}

// At most so many breakers: the oldest goes.
func TestBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(0)
		w.most = 3
		w.ends(2*time.Second, messages.SyncResult{}, refused("d"))
		peers := w.Peers(&w.inner)
		for port := range 5 {
			node := nodeOf("d")
			node.ReplicationPort = 6201 + port
			_, _ = peers.Hashes(t.Context(), node, 0, 7)
		}
		want := []string{"replicate 10.0.0.1:6203 open", "replicate 10.0.0.1:6204 open", "replicate 10.0.0.1:6205 open"}
		if got := w.shut(); !slices.Equal(got, want) || len(w.known) != 3 || w.ages.Len() != 3 {
			t.Errorf("open: %q (%d, %d)", got, len(w.known), w.ages.Len())
		}
	})
	if s := New(Config{}); s.most != 65536 {
		t.Errorf("%d breakers are kept", s.most)
	}
}
