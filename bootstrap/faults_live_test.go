//go:build !nofaults

package bootstrap

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"understudy/config"
	"understudy/internal/fault"
	"understudy/internal/observe/status"
	"understudy/internal/transport/rsync"
)

func liveEngine(faults *fault.Injector) *Engine {
	return &Engine{
		settings: Settings{Faults: faults}, log: zerolog.Nop(), thread: rsync.NewThread(), parts: &parts{cfg: &config.Config{Path: "/etc/o.conf"}},
	}
}

// A plan of an operator's ends by itself, and another in its place has its own time.
func TestPlanEndsByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		faults := fault.NewInjector(fault.Plan{}, nil)
		e := liveEngine(faults)
		defer e.Close()
		if e.faultsInForce(time.Now()) != nil {
			t.Error("a plan without faults is in force")
		}
		apply := func(text string, length time.Duration) {
			t.Helper()
			if _, err := e.Do(t.Context(), status.ApplyFaults{Plan: text, For: length}); err != nil {
				t.Fatal(err)
			}
		}
		apply("disk : hang", 0)
		if f := e.faultsInForce(time.Now()); f == nil || f.Until.Sub(f.Since) != status.FaultsFor || f.Plan != "disk : hang\n" {
			t.Fatalf("got %+v", f)
		}
		time.Sleep(5 * time.Minute)
		apply("disk : error EIO", time.Hour)
		faults.At(&fault.Event{Place: fault.Disk, Op: "read"})
		time.Sleep(59 * time.Minute)
		if f := e.faultsInForce(time.Now()); f == nil || f.Fired != 1 || f.Counts[0].Fired != 1 {
			t.Fatalf("got %+v", f)
		}
		time.Sleep(2 * time.Minute)
		if f := e.faultsInForce(time.Now()); f != nil {
			t.Errorf("still in force: %+v", f)
		}
		if _, hit := faults.At(&fault.Event{Place: fault.Disk, Op: "read"}); hit {
			t.Error("it still happens")
		}
	})
}

// The plan's times are told by the clock that it has made jump: what is left of it is so
// much for who reads the report.
func TestPlanThatJumps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		faults := fault.NewInjector(fault.Plan{}, nil)
		e := liveEngine(faults)
		defer e.Close()
		if _, err := e.Do(t.Context(), status.ApplyFaults{Plan: "clock : jump 192h", For: time.Hour}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Minute)
		now := FaultyNow(faults)()
		if time.Until(now) != 192*time.Hour {
			t.Fatalf("the clock says %v at %v", now, time.Now())
		}
		if f := e.faultsInForce(now); f == nil || f.Until.Sub(now) != 40*time.Minute || now.Sub(f.Since) != 20*time.Minute {
			t.Errorf("at %v: %+v", now, f)
		}
		time.Sleep(41 * time.Minute)
		if f := e.faultsInForce(time.Now()); f != nil {
			t.Errorf("still in force: %+v", f)
		}
	})
}

// What makes no sense changes nothing.
func TestPlansRefused(t *testing.T) {
	e := liveEngine(fault.NewInjector(fault.Plan{}, nil))
	defer e.Close()
	if _, err := e.Do(t.Context(), status.ApplyFaults{Plan: "disk : hang"}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []status.Command{
		status.ApplyFaults{Plan: "dsk : hang"},
		status.ApplyFaults{Plan: "# nothing"},
		status.ApplyFaults{Plan: "disk : hang", For: 25 * time.Hour},
		status.ApplyFaults{Plan: "disk : hang", For: -1},
	} {
		var refusal *status.Refusal
		if _, err := e.Do(t.Context(), c); !errors.As(err, &refusal) || refusal.Forbidden {
			t.Errorf("%+v: %v", c, err)
		}
	}
	if f := e.faultsInForce(time.Now()); f == nil || f.Plan != "disk : hang\n" {
		t.Errorf("in force: %+v", f)
	}
	if d, err := e.Do(t.Context(), status.ClearFaults{}); err != nil || d.Message == "" {
		t.Error(err)
	}
	var refusal *status.Refusal
	if _, err := e.Do(t.Context(), status.ClearFaults{}); !errors.As(err, &refusal) {
		t.Errorf("cleared twice: %v", err)
	}
}

// Where the configuration does not allow faults nobody can bring any in.
func TestFaultsNotAllowed(t *testing.T) {
	e := liveEngine(nil)
	for _, c := range []status.Command{status.ApplyFaults{Plan: "disk : hang"}, status.ClearFaults{}} {
		var refusal *status.Refusal
		if _, err := e.Do(t.Context(), c); !errors.As(err, &refusal) || !refusal.Forbidden {
			t.Errorf("%T: %v", c, err)
		}
	}
}
