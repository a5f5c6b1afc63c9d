package admission

import (
	"fmt"
	"testing"
	"time"
)

var start = time.Unix(1_700_000_000, 0)

func all(string) bool { return true }

func lease(job string, try uint64) Lease {
	return Lease{Holder: "n1", Epoch: 1, Job: job, Try: try}
}

var in = Slot{"d1", In}

func ask(l *Ledger, now time.Time, le Lease, p Priority, waited time.Duration) Answer {
	return l.Reserve(now, Request{Lease: le, Slot: in, Priority: p, Waited: waited})
}

func one(t *testing.T) *Ledger {
	t.Helper()
	return NewLedger(Rules{In: 1, Out: 1}, all)
}

func TestGrantsUpToTheLimit(t *testing.T) {
	l := NewLedger(Rules{In: 2, Out: 1}, all)
	for i := range 3 {
		a := ask(l, start, lease(fmt.Sprint(i), 1), Misplaced, 0)
		if a.Granted != (i < 2) {
			t.Fatalf("request %d: %+v", i, a)
		}
	}
	out := Request{Lease: lease("0", 1), Slot: Slot{"d1", Out}}
	if !l.Reserve(start, out).Granted {
		t.Error("the other direction has a limit of its own")
	}
	out.Lease.Job = "1"
	if l.Reserve(start, out).Granted {
		t.Error("more than one sends")
	}
	l.Release(start, in, lease("0", 1))
	if !ask(l, start, lease("2", 2), Misplaced, 0).Granted {
		t.Error("what was given back is not granted again")
	}
}

// Messages come twice, late, or not at all: each means once what it says.
func TestRepeatedAndLateMessages(t *testing.T) {
	l := one(t)
	a := lease("a", 1)
	ask(l, start, a, Misplaced, 0)
	if !ask(l, start, a, Misplaced, 0).Granted || l.Look(start, in).Held != 1 {
		t.Error("a repeated request is not the same lease")
	}
	l.Release(start, in, a)
	l.Release(start, in, a)
	if got := ask(l, start, a, Misplaced, 0); got.Granted || l.Look(start, in) != (Load{}) {
		t.Errorf("a late request got %+v, %+v", got, l.Look(start, in))
	}
	if l.Renew(start, in, a) {
		t.Error("a late renewal brought a lease back")
	}
	next := lease("a", 2)
	if !ask(l, start, next, Misplaced, 0).Granted {
		t.Fatal("the next try of the job was not granted")
	}
	l.Release(start, in, a)
	if l.Look(start, in).Held != 1 {
		t.Error("a late release ended a later lease")
	}
	// The release overtakes its request.
	overtaken := Lease{Holder: "n2", Epoch: 1, Job: "b", Try: 7}
	l.Release(start, in, next)
	l.Release(start, in, overtaken)
	if ask(l, start, overtaken, Degraded, 0).Granted {
		t.Error("a request that its release has overtaken was granted")
	}
}

func TestLeasesRunOut(t *testing.T) {
	l := one(t)
	a, term := lease("a", 1), DefaultRules().Term
	ask(l, start, a, Misplaced, 0)
	almost := start.Add(term - time.Nanosecond)
	if !l.Renew(almost, in, a) {
		t.Fatal("not renewed")
	}
	if ask(l, almost.Add(term-1), lease("b", 1), Misplaced, 0).Granted {
		t.Error("granted beside a renewed lease")
	}
	if got := l.Look(almost.Add(term), in).Held; got != 0 {
		t.Errorf("%d leases after the term", got)
	}
}

// A later process of the same node has none of the pushes of the earlier one.
func TestLaterProcessBuriesTheEarlier(t *testing.T) {
	l := one(t)
	old := lease("a", 9)
	ask(l, start, old, Misplaced, 0)
	fresh := Lease{Holder: "n1", Epoch: 2, Job: "b", Try: 1}
	if !ask(l, start, fresh, Misplaced, 0).Granted {
		t.Error("a dead process holds the lease")
	}
	if l.Renew(start, in, old) || ask(l, start, old, Degraded, time.Hour).Granted {
		t.Error("a message of the dead process counts")
	}
}

// An owner that has restarted takes in what is renewed, as far as there is room.
func TestRestartedOwner(t *testing.T) {
	l := one(t)
	if !l.Renew(start, in, lease("a", 1)) || l.Renew(start, in, lease("b", 1)) {
		t.Error("the first that renews keeps its lease, the second has none")
	}
	if l.Look(start, in).Held != 1 {
		t.Error("more than the limit")
	}
}

func TestOthersDisksAreNotKept(t *testing.T) {
	l := NewLedger(Rules{}, func(d string) bool { return d == "d1" })
	for i := range 100 {
		r := Request{Lease: lease(fmt.Sprint(i), 1), Slot: Slot{fmt.Sprint("x", i), In}}
		if a := l.Reserve(start, r); !a.Granted || a.Term != 0 {
			t.Fatalf("%+v", a)
		}
		l.Release(start, r.Slot, r.Lease)
		r.Slot = Slot{"d1", Direction(2 + i)}
		l.Reserve(start, r)
	}
	if len(l.desks) != 0 {
		t.Errorf("%d slots are kept", len(l.desks))
	}
}

func TestDegradedComesFirst(t *testing.T) {
	l := one(t)
	holder := lease("h", 1)
	ask(l, start, holder, Misplaced, 0)
	misplaced := ask(l, start, lease("m", 1), Misplaced, 0)
	degraded := ask(l, start, lease("d", 1), Degraded, 0)
	if misplaced.Granted || degraded.Granted || degraded.After > misplaced.After {
		t.Fatalf("%+v, %+v", misplaced, degraded)
	}
	l.Release(start, in, holder)
	if ask(l, start, lease("m", 2), Misplaced, 0).Granted {
		t.Error("misplaced data went before degraded data that waits")
	}
	if !ask(l, start, lease("d", 2), Degraded, 0).Granted {
		t.Error("degraded data was not served")
	}
}

// A waiter that does not come back holds nobody up for longer than its grace.
func TestWaiterThatIsGone(t *testing.T) {
	l := one(t)
	holder := lease("h", 1)
	ask(l, start, holder, Misplaced, 0)
	gone := ask(l, start, lease("d", 1), Degraded, time.Hour)
	l.Release(start, in, holder)
	over := start.Add(gone.After + DefaultRules().Grace)
	if ask(l, over.Add(-1), lease("m", 1), Misplaced, 0).Granted {
		t.Error("its place was not kept")
	}
	if !ask(l, over, lease("m", 2), Misplaced, 0).Granted {
		t.Error("its place is kept for ever")
	}
}

// However many degraded pushes come, a misplaced one has its turn.
func TestLowPriorityIsNotStarved(t *testing.T) {
	l := one(t)
	rules := DefaultRules()
	now, held := start, lease("d0", 1)
	ask(l, now, held, Degraded, 0)
	due, try := now, uint64(0)
	for i := 1; i < 100_000; i++ {
		now = now.Add(time.Second)
		if i%3 == 0 { // a lease ends, and newcomers are there at once
			l.Release(now, in, held)
		}
		if next := lease(fmt.Sprint("d", i), 1); ask(l, now, next, Degraded, 0).Granted {
			held = next
		}
		if now.Before(due) {
			continue
		}
		try++
		a := ask(l, now, lease("low", try), Misplaced, now.Sub(start))
		if a.Granted {
			if waited := now.Sub(start); waited < rules.Ahead/2 || waited > 2*rules.Ahead {
				t.Errorf("it waited %v", waited)
			}
			return
		}
		due = now.Add(a.After)
	}
	t.Error("it was starved")
}

func TestWaitingListIsBounded(t *testing.T) {
	l := NewLedger(Rules{In: 1, Waiting: 3}, all)
	ask(l, start, lease("h", 1), Misplaced, 0)
	for i := range 100 {
		if a := ask(l, start, lease(fmt.Sprint(i), 1), Misplaced, 0); i > 3 && a.After != DefaultRules().Most {
			t.Errorf("one without a place got %+v", a)
		}
	}
	if a := ask(l, start, lease("d", 1), Degraded, 0); a.After != DefaultRules().Least {
		t.Errorf("the first in rank got %+v", a)
	}
	if got := l.Look(start, in).Waiting; got != 3 {
		t.Errorf("%d wait", got)
	}
	for i := range 1000 {
		l.Release(start, in, lease(fmt.Sprint(i), 1))
	}
	if got := len(l.desks[in].gone); got > mostGone {
		t.Errorf("%d ended leases are kept", got)
	}
}

// A Waited beyond belief buys no more than a day.
func TestWaitedIsClamped(t *testing.T) {
	l := one(t)
	ask(l, start, lease("h", 1), Misplaced, 0)
	ask(l, start, lease("liar", 1), Misplaced, 1<<62)
	ask(l, start, lease("negative", 1), Misplaced, -1<<62)
	for _, w := range l.desks[in].waiting {
		if w.asked.Before(start.Add(-mostWaited)) || w.asked.After(start) {
			t.Errorf("%s ranks as of %v", w.lease.Job, w.asked)
		}
	}
}
