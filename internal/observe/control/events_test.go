package control

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"understudy/internal/observe/status"
)

var errEnough = errors.New("enough")

// However many watch, there is one report a tick; each sees the same; and when
// nobody watches, the engine is left alone.
func TestManyWatchers(t *testing.T) {
	const watchers, frames = 20, 5
	e := newFake()
	s := start(t, e, nil)
	var all sync.WaitGroup
	for range watchers {
		all.Go(func() {
			n := 0
			err := s.client.Events(t.Context(), time.Nanosecond, func(r *status.Report, err error) error {
				if err != nil || r.Verdict.State != status.Healthy {
					t.Errorf("%v, %v", r, err)
				}
				if n++; n == frames {
					return errEnough
				}
				return nil
			})
			if !errors.Is(err, errEnough) {
				t.Error(err)
			}
		})
	}
	all.Wait()
	eventually(t, "nobody watches", func() bool {
		s.hub.mu.Lock()
		defer s.hub.mu.Unlock()
		return len(s.hub.watchers) == 0
	})
}

// At a tick the engine is asked once for all that are due, and not for the others.
func TestHubTicks(t *testing.T) {
	e := newFake()
	h := newHub(&reporter{engine: e, limit: time.Minute}, limits{watchers: 3})
	a, b, rare := h.join(1), h.join(1), h.join(3)
	if h.join(1) != nil {
		t.Error("a fourth joined")
	}
	for tick := 1; tick <= 6; tick++ {
		due, _ := h.due()
		want := 2
		if tick%3 == 0 {
			want = 3
		}
		if len(due) != want {
			t.Errorf("tick %d: %d are due", tick, len(due))
		}
		h.tell(due, frame(h.reports.get(t.Context())))
		if x, y := <-a.frames, <-b.frames; &x[0] != &y[0] {
			t.Error("encoded twice")
		}
	}
	if e.asked != 6 || len(rare.frames) != 1 {
		t.Errorf("asked %d times, %d frames for one who takes none", e.asked, len(rare.frames))
	}
	h.leave(a)
	if h.join(1) == nil {
		t.Error("no place for the next")
	}
}

// One who does not read is dropped; one who does is told meanwhile and afterwards.
func TestSlowWatcher(t *testing.T) {
	e := newFake()
	e.report.Verdict.Summary = strings.Repeat("a long report ", 20000) // more than a socket holds
	s := start(t, e, func(c *Config) { c.limits.write, c.limits.tick = time.Second, 50*time.Millisecond })
	slow, fast := watch(t, s), watch(t, s)
	defer slow.Close()
	defer fast.Close()
	watching := func() int {
		s.hub.mu.Lock()
		defer s.hub.mu.Unlock()
		return len(s.hub.watchers)
	}
	eventually(t, "both watch", func() bool { return watching() == 2 })
	told := 0
	for b, after := make([]byte, 64<<10), 0; after < 1<<20; {
		n, err := fast.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		if told += n; watching() == 1 {
			after += n
		}
	}
	if told < 2<<20 {
		t.Errorf("told only %d bytes", told)
	}
}

// watch is a connection that has asked for events.
func watch(t *testing.T, s *running) net.Conn {
	t.Helper()
	c, err := net.Dial("unix", s.socket)
	if err != nil {
		t.Fatal(err)
	}
	_ = c.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(c, "GET /v1/events HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	return c
}

// Too many watchers are told so.
func TestTooManyWatchers(t *testing.T) {
	s := start(t, newFake(), func(c *Config) { c.limits.watchers = 1 })
	err := s.client.Events(t.Context(), time.Second, func(*status.Report, error) error {
		err := s.client.Events(t.Context(), time.Second, func(*status.Report, error) error { return nil })
		if err == nil || err.Error() != "too many watch already" {
			t.Errorf("the second: %v", err)
		}
		return errEnough
	})
	if !errors.Is(err, errEnough) {
		t.Error(err)
	}
}

// An engine that fails for a while does not end the stream; a comment is sent when
// there is nothing else.
func TestEventsOfAnEngineInTrouble(t *testing.T) {
	e := newFake()
	e.fails = errBroken
	s := start(t, e, nil)
	var seen []string
	err := s.client.Events(t.Context(), time.Second, func(r *status.Report, err error) error {
		e.set(func(e *fakeEngine) { e.fails = nil })
		if err != nil {
			seen = append(seen, err.Error())
			return nil
		}
		return errEnough
	})
	if !errors.Is(err, errEnough) || len(seen) == 0 || seen[0] != "broken" {
		t.Errorf("%q, %v", seen, err)
	}

	quiet := start(t, e, func(c *Config) { c.limits.idle, c.limits.tick = 5*time.Millisecond, time.Hour })
	c := watch(t, quiet)
	defer c.Close()
	var got strings.Builder
	for strings.Count(got.String(), ":\n\n") < 3 {
		b := make([]byte, 4096)
		n, err := c.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		got.Write(b[:n])
	}
	if strings.Count(got.String(), "event: report") != 1 {
		t.Error(got.String())
	}
}

// What a broken or a later server sends ends in an error, or is skipped.
func TestClientOfOtherServers(t *testing.T) {
	for _, c := range []struct{ name, sent, says string }{
		{"ends", "event: report\ndata: {\"version\":1}\n\n", "EOF"},
		{"no JSON", "event: report\ndata: {\n\n", "read the engine's report"},
		{"later", "event: report\ndata: {\"version\":99}\n\n", "this program knows 1"},
		{"unknown event", "event: song\ndata: la\n\n", "EOF"},
		{"no events", "hello", "EOF"},
		{"endless line", strings.Repeat("x", answerBytes+1), "too long"},
	} {
		var last error
		err := frames(strings.NewReader(c.sent), time.NewTimer(time.Hour), func(_ *status.Report, err error) error {
			last = err
			return err
		})
		if err = errors.Join(last, err); !strings.Contains(fmt.Sprint(err), c.says) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// A stop of the watcher ends the stream.
func TestEventsStop(t *testing.T) {
	s := start(t, newFake(), nil)
	ctx, cancel := context.WithCancel(t.Context())
	err := s.client.Events(ctx, time.Second, func(*status.Report, error) error {
		cancel()
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
