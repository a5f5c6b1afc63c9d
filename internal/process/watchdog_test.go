package process

import (
	"bytes"
	"context"
	"errors"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
)

// An engine answers, hangs, fails, ignores even its deadline, and answers again;
// the manager's own clock stands beside it.
func TestWatchdog(t *testing.T) {
	const interval = 30 * time.Second
	type mood int
	const (
		well mood = iota
		deaf
		failing
		stuck
	)
	synctest.Test(t, func(t *testing.T) {
		var now atomic.Int32
		var fed atomic.Int64
		var last time.Time
		loose := make(chan struct{})
		var log bytes.Buffer
		ctx, cancel := context.WithCancel(t.Context())
		w := Watchdog{
			Interval: interval,
			Log:      zerolog.New(&log),
			Feed: func() error {
				fed.Add(1)
				last = time.Now()
				return errors.New("nobody listens") // and it goes on
			},
			Alive: func(ctx context.Context) error {
				switch mood(now.Load()) {
				case deaf:
					<-ctx.Done()
					return ctx.Err()
				case failing:
					return errors.New("no")
				case stuck:
					<-loose
				}
				return nil
			},
		}
		done := make(chan struct{})
		go func() { w.Run(ctx); close(done) }()
		begin := time.Now()
		in := func(m mood, d time.Duration) int64 {
			now.Store(int32(m))
			before := fed.Load()
			time.Sleep(d)
			synctest.Wait()
			return fed.Load() - before
		}
		if n := in(well, 5*interval); n != 15 || time.Since(last) >= interval {
			t.Errorf("well: fed %d times, the last %s ago", n, time.Since(last))
		}
		for _, m := range []mood{deaf, failing} {
			if n := in(m, 2*interval); n != 0 {
				t.Errorf("mood %d: fed %d times", m, n)
			}
			if n := in(well, 2*interval); n < 5 {
				t.Errorf("after mood %d: fed %d times", m, n)
			}
		}
		if n := in(stuck, 10*interval); n != 0 {
			t.Errorf("stuck: fed %d times", n)
		}
		close(loose)
		if n := in(well, 2*interval); n < 6 {
			t.Errorf("loose: fed %d times", n)
		}
		cancel()
		synctest.Wait()
		select {
		case <-done:
		default:
			t.Error("it does not end")
		}
		if bad, good := strings.Count(log.String(), "is not fed"), strings.Count(log.String(), "is fed"); bad != 2 || good != 2 {
			t.Errorf("after %s the log says\n%s", time.Since(begin), log.String())
		}
	})
}

// One answer that is missing leaves the manager with less than its interval
// between two meals.
func TestWatchdogForgivesOneQuestion(t *testing.T) {
	const interval = 3 * time.Second
	synctest.Test(t, func(t *testing.T) {
		asked, last, longest := 0, time.Now(), time.Duration(0)
		ctx, cancel := context.WithTimeout(t.Context(), 100*interval)
		defer cancel()
		Watchdog{
			Interval: interval, Log: zerolog.Nop(),
			Alive: func(ctx context.Context) error {
				if asked++; asked%3 == 0 {
					<-ctx.Done()
					return ctx.Err()
				}
				return nil
			},
			Feed: func() error {
				longest, last = max(longest, time.Since(last)), time.Now()
				return nil
			},
		}.Run(ctx)
		if asked < 200 || longest >= interval {
			t.Errorf("%d questions, %s between two meals", asked, longest)
		}
	})
}

func TestWatchdogInterval(t *testing.T) {
	own := strconv.Itoa(os.Getpid())
	for _, c := range []struct {
		usec, pid string
		want      time.Duration
		fails     bool
	}{
		{"", "", 0, false},
		{"30000000", "", 30 * time.Second, false},
		{"30000000", own, 30 * time.Second, false},
		{"30000000", "1", 0, false},
		{"soon", "", 0, true},
		{"-1", own, 0, true},
	} {
		t.Setenv("WATCHDOG_USEC", c.usec)
		t.Setenv("WATCHDOG_PID", c.pid)
		if got, err := WatchdogInterval(); got != c.want || (err != nil) != c.fails {
			t.Errorf("%q for %q: %s, %v", c.usec, c.pid, got, err)
		}
	}
}
