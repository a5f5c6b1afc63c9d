package sched

import (
	"fmt"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"
)

// Goroutines at their gates, timers and actors take turns: one order for a seed, others
// for others.
func TestOneOrderForASeed(t *testing.T) {
	order := func(seed uint64) (got []string, sum uint64) {
		synctest.Test(t, func(t *testing.T) {
			s := New(Source(seed, "test"), nil)
			for i := range 8 {
				go func() {
					for range 4 {
						s.Gate(fmt.Sprint("gate ", i))
						got = append(got, fmt.Sprint(i)) // no lock: one at a time
					}
				}()
				s.After(time.Duration(i%3)*time.Second, fmt.Sprint("timer ", i), func() { got = append(got, "timer") })
			}
			if s.Run(func() bool { return false }, time.Now().Add(time.Minute), 1000) {
				t.Error("never done, and yet")
			}
			sum = s.Sum()
		})
		return got, sum
	}
	first, sum := order(1)
	if len(first) != 40 {
		t.Fatalf("%d steps: %v", len(first), first)
	}
	for range 5 {
		if again, s := order(1); !slices.Equal(again, first) || s != sum {
			t.Fatalf("the same seed: %v, then %v", first, again)
		}
	}
	if other, _ := order(2); slices.Equal(other, first) {
		t.Error("another seed, the same order")
	}
}

// echo sends each message back and forth.
type echo struct{ left int }

func (e *echo) Receive(c actor.Context) {
	if _, ok := c.Message().(int); ok && e.left > 0 {
		e.left--
		c.Send(c.Self(), 1)
	}
}

// cpu is what this process has used. The clock of a bubble is of no use for it.
func cpu(b *testing.B) time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		b.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// BenchmarkMessages is how many messages of actors a core handles, each a step with
// its place in the trace.
func BenchmarkMessages(b *testing.B) {
	run := func(*testing.T) {
		s := New(Source(1, "bench"), nil)
		system := actor.NewActorSystem()
		for range 8 {
			props := actor.PropsFromProducer(func() actor.Actor { return &echo{left: b.N / 8} },
				actor.WithMailbox(s.Mailboxes("n1", func() bool { return true }, nil)))
			system.Root.Send(system.Root.Spawn(props), 1)
		}
		begun := cpu(b)
		s.Run(func() bool { return false }, time.Now().Add(time.Hour), uint64(b.N)+100)
		b.ReportMetric(float64(b.N)/(cpu(b)-begun).Seconds(), "messages/cpu-s")
	}
	synctest.Test(&testing.T{}, run)
}
