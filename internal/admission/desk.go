package admission

import (
	"slices"
	"time"
)

// mostGone is how many ended leases a desk remembers.
const mostGone = 64

// desk is the leases of one slot. All lists are short: most, Rules.Waiting, mostGone.
type desk struct {
	rules   *Rules
	most    int
	held    []tenure
	waiting []waiter
	gone    []ended       // the oldest first
	mean    time.Duration // how long leases are held: a moving average
}

// tenure is a lease that is held.
type tenure struct {
	lease        Lease
	since, until time.Time
}

// waiter is one that was sent away and is expected again.
type waiter struct {
	lease Lease
	asked time.Time // when it asked first, in the terms of rank
	until time.Time // its place is kept until then
}

// ended is a lease that was given back.
type ended struct {
	lease Lease
	until time.Time // who remembers it longer than that remembers too much
}

// same tells whether two leases are of the same job.
func (l Lease) same(o Lease) bool {
	return l.Holder == o.Holder && l.Epoch == o.Epoch && l.Job == o.Job
}

// outlives tells whether a lease is of a later process of the holder of another one,
// whose pushes are no more.
func (l Lease) outlives(o Lease) bool { return l.Holder == o.Holder && l.Epoch > o.Epoch }

// sweep forgets what has run out.
func (d *desk) sweep(now time.Time) {
	d.held = slices.DeleteFunc(d.held, func(t tenure) bool { return !now.Before(t.until) })
	d.waiting = slices.DeleteFunc(d.waiting, func(w waiter) bool { return !now.Before(w.until) })
	d.gone = slices.DeleteFunc(d.gone, func(e ended) bool { return !now.Before(e.until) })
}

// bury forgets what an earlier process of a lease's holder has left behind.
func (d *desk) bury(l Lease) {
	d.held = slices.DeleteFunc(d.held, func(t tenure) bool { return l.outlives(t.lease) })
	d.waiting = slices.DeleteFunc(d.waiting, func(w waiter) bool { return l.outlives(w.lease) })
}

// stale tells whether a message about a lease has come too late to mean anything: the
// lease has been given back, or its job has a later one.
func (d *desk) stale(l Lease) bool {
	later := func(o Lease) bool { return o.outlives(l) || o.same(l) && o.Try > l.Try }
	return slices.ContainsFunc(d.gone, func(e ended) bool { return e.lease == l || later(e.lease) }) ||
		slices.ContainsFunc(d.held, func(t tenure) bool { return later(t.lease) }) ||
		slices.ContainsFunc(d.waiting, func(w waiter) bool { return later(w.lease) })
}

func (d *desk) reserve(now time.Time, r Request) Answer {
	d.sweep(now)
	if d.stale(r.Lease) {
		return Answer{After: d.rules.Most} // nobody waits for this answer
	}
	d.bury(r.Lease)
	for i := range d.held {
		if t := &d.held[i]; t.lease.same(r.Lease) {
			t.lease, t.until = r.Lease, now.Add(d.rules.Term)
			return Answer{Granted: true, Term: d.rules.Term}
		}
	}
	asked := d.leave(r.Lease, d.rank(now, r))
	ahead := d.before(asked.Add(-d.rules.Slack))
	if len(d.held)+ahead < d.most {
		d.held = append(d.held, tenure{r.Lease, now, now.Add(d.rules.Term)})
		return Answer{Granted: true, Term: d.rules.Term}
	}
	return Answer{After: d.wait(now, r.Lease, asked)}
}

// rank is the time at which a request counts as made.
func (d *desk) rank(now time.Time, r Request) time.Time {
	asked := now.Add(-min(max(r.Waited, 0), mostWaited))
	if r.Priority == Degraded {
		asked = asked.Add(-d.rules.Ahead)
	}
	return asked
}

// leave takes a job out of those that wait. It keeps the earlier of its ranks.
func (d *desk) leave(l Lease, asked time.Time) time.Time {
	for i, w := range d.waiting {
		if w.lease.same(l) {
			d.waiting = slices.Delete(d.waiting, i, i+1)
			if w.asked.Before(asked) {
				return w.asked
			}
			return asked
		}
	}
	return asked
}

// before is how many wait that count as having asked before a time.
func (d *desk) before(at time.Time) (n int) {
	for _, w := range d.waiting {
		if w.asked.Before(at) {
			n++
		}
	}
	return n
}

// wait lets a request wait, if there is room or somebody to take it from, and tells
// when to ask again: when those before it will have been served.
func (d *desk) wait(now time.Time, l Lease, asked time.Time) time.Duration {
	if len(d.waiting) >= d.rules.Waiting {
		last := 0
		for i, w := range d.waiting {
			if w.asked.After(d.waiting[last].asked) {
				last = i
			}
		}
		if !asked.Before(d.waiting[last].asked) {
			return d.rules.Most
		}
		d.waiting = slices.Delete(d.waiting, last, last+1)
	}
	turn := d.mean * time.Duration(d.before(asked)+1) / time.Duration(d.most)
	after := min(max(turn, d.rules.Least), d.rules.Most)
	d.waiting = append(d.waiting, waiter{l, asked, now.Add(after + d.rules.Grace)})
	return after
}

func (d *desk) renew(now time.Time, l Lease) bool {
	d.sweep(now)
	if d.stale(l) {
		return false
	}
	for i := range d.held {
		if t := &d.held[i]; t.lease == l {
			t.until = now.Add(d.rules.Term)
			return true
		}
	}
	d.bury(l)
	if len(d.held) >= d.most || slices.ContainsFunc(d.held, func(t tenure) bool { return t.lease.same(l) }) {
		return false
	}
	d.leave(l, now)
	d.held = append(d.held, tenure{l, now, now.Add(d.rules.Term)}) // the ledger is younger than the lease
	return true
}

func (d *desk) release(now time.Time, l Lease) {
	d.sweep(now)
	d.held = slices.DeleteFunc(d.held, func(t tenure) bool {
		if t.lease != l {
			return false
		}
		d.mean += (now.Sub(t.since) - d.mean) / 8
		return true
	})
	d.waiting = slices.DeleteFunc(d.waiting, func(w waiter) bool { return w.lease == l })
	if len(d.gone) >= mostGone {
		d.gone = slices.Delete(d.gone, 0, 1)
	}
	d.gone = append(d.gone, ended{l, now.Add(d.rules.Term)})
}
