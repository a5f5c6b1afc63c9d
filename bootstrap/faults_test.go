//go:build !nofaults

package bootstrap

import (
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"understudy/actors"
	"understudy/internal/fault"
)

func injector(t *testing.T, plan string) *fault.Injector {
	t.Helper()
	p, err := fault.Parse(plan)
	if err != nil {
		t.Fatal(err)
	}
	return fault.NewInjector(p, nil)
}

// Without an injector an engine's parts are as they are.
func TestNoFaultsNothingBetween(t *testing.T) {
	var d actors.Deps
	d.Clock = wallClock{}
	(&Engine{}).disturb(&d)
	if d.Clock != (wallClock{}) || d.Middleware != nil {
		t.Errorf("got %+v", d)
	}
}

func TestClockJumps(t *testing.T) {
	faults := injector(t, "clock : jump 192h")
	now := FaultyNow(faults)
	if ahead := time.Until(now()); ahead < 191*time.Hour || ahead > 193*time.Hour {
		t.Errorf("the clock is %s ahead", ahead)
	}
	faults.Clear()
	if ahead := time.Until(now()); ahead.Abs() > time.Hour {
		t.Errorf("the clock is %s ahead when the fault is over", ahead)
	}
}

type note struct{ n int }

// listener counts what reaches it.
type listener struct{ heard chan any }

func (l *listener) Receive(c actor.Context) {
	if n, ok := c.Message().(*note); ok {
		l.heard <- n.n
	}
	if _, ok := c.Message().(*actor.Stopped); ok {
		l.heard <- "stopped"
	}
}

// Messages are lost, come twice, are late, or are an actor's last, as the plan says.
func TestDisturbed(t *testing.T) {
	faults := injector(t, "actor kind=listener message=note : drop nth=1\nactor message=note : duplicate nth=2\n"+
		"actor message=note : delay 5ms nth=3\nactor message=Started|Stopping|Stopped : drop\nactor message=note : stop nth=4")
	system := actor.NewActorSystem()
	defer system.Shutdown()
	heard := make(chan any, 10)
	pid := system.Root.Spawn(actor.PropsFromProducer(func() actor.Actor { return &listener{heard} }, actor.WithReceiverMiddleware(disturbed(faults))))
	for n := range 5 {
		system.Root.Send(pid, &note{n + 1})
	}
	var got []any
	for len(got) == 0 || got[len(got)-1] != "stopped" {
		select {
		case m := <-heard:
			got = append(got, m)
		case <-time.After(10 * time.Second):
			t.Fatalf("heard %v and then nothing", got)
		}
	}
	if want := []any{2, 2, 3, 4}; len(got) < 5 || !slices.Equal(got[:4], want) {
		t.Errorf("heard %v, want %v first", got, want)
	}
	for _, c := range faults.Counts() {
		if c.Fired == 0 {
			t.Errorf("never happened: %s", c.Fault)
		}
	}
}

// An actor that a plan restarts is restarted by the library: the same address, another
// actor, and what waits for it is not lost.
func TestRestarted(t *testing.T) {
	faults := injector(t, "actor kind=listener message=note : restart nth=2")
	system := actor.NewActorSystem()
	defer system.Shutdown()
	heard := make(chan any, 10)
	var born atomic.Int64
	pid := system.Root.Spawn(actor.PropsFromProducer(func() actor.Actor {
		born.Add(1)
		return &listener{heard}
	}, actor.WithReceiverMiddleware(disturbed(faults))))
	for n := range 3 {
		system.Root.Send(pid, &note{n + 1})
	}
	for _, want := range []any{1, 3} {
		select {
		case got := <-heard:
			if got != want {
				t.Errorf("heard %v, want %v", got, want)
			}
		case <-time.After(10 * time.Second):
			t.Fatal("heard nothing")
		}
	}
	if born.Load() != 2 {
		t.Errorf("%d actors", born.Load())
	}
}
