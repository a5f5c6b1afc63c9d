package actors

import (
	"slices"
	"strconv"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"understudy/internal/plan"
	"understudy/messages"
)

// Jobs whose peers are busy wait here, without a slot and without an actor, until it is
// time to ask again. They go before new ones then: each new job could meet the same
// busy peers. A pass ends when none is left.

// mostDeferred is how many jobs of a disk may wait for busy peers. With that many, no new
// one begins: the disk has more to push than its peers take.
const mostDeferred = 128

// recallDue tells that a job that waits may be due. Sender: the device's own alarm.
type recallDue struct{}

// IgnoreDeadLetterLogging: the device may have ended meanwhile.
func (*recallDue) IgnoreDeadLetterLogging() {}

// postpone lets a job wait and takes another one.
func (d *Device) postpone(c actor.Context, m *postponed) {
	r := d.live[c.Sender().Id]
	c.Stop(c.Sender())
	if r == nil || r.reported {
		return
	}
	r.reported, r.waits = true, true
	w := m.rest
	wait := w.after + w.after*time.Duration(d.e.deps.Rand.IntN(256))/1024
	w.seat, w.due = r, d.e.deps.Clock.Now().Add(wait)
	d.deferred = append(d.deferred, w)
	d.giveBack(c, m.worked)
	d.recallNext(c)
	d.pump(c)
}

// recallNext sets the alarm for the next job that will be due.
func (d *Device) recallNext(c actor.Context) {
	now, next := d.e.deps.Clock.Now(), time.Time{}
	for _, w := range d.deferred {
		if w.due.After(now) && (next.IsZero() || w.due.Before(next)) {
			next = w.due
		}
	}
	if !next.IsZero() {
		d.recalling.set(c, d.e.deps.Clock, next.Sub(now), &recallDue{})
	}
}

// recall lets jobs go on whose time has come.
func (d *Device) recall(c actor.Context) {
	d.recallNext(c)
	d.pump(c)
}

// dueNow is how many have waited long enough.
func (d *Device) dueNow() (n int) {
	now := d.e.deps.Clock.Now()
	for _, w := range d.deferred {
		if !w.due.After(now) {
			n++
		}
	}
	return n
}

// goOn starts the job that is due for the longest time.
func (d *Device) goOn(c actor.Context) bool {
	for d.dueNow() > 0 {
		first := 0
		for i, w := range d.deferred {
			if w.due.Before(d.deferred[first].due) {
				first = i
			}
		}
		w := d.deferred[first]
		d.deferred = slices.Delete(d.deferred, first, first+1)
		role, ring, ok := d.role(w.seat.job)
		if !ok || d.course.PausedPolicy(int(w.seat.job.policy)) {
			d.abandon(c, w)
			continue
		}
		if w.overtaken(role) {
			d.tell(c, &messages.JobGone{Device: d.name, Flight: w.seat.flight})
			d.start(c, plan.Waiting{Policy: w.seat.job.policy, Number: w.seat.job.number, Place: w.seat.place}, role, ring)
			return true
		}
		pid := c.SpawnPrefix(d.kid, "p"+strconv.FormatUint(uint64(w.seat.job.number), 10)+"-")
		seat := *w.seat
		seat.pid, seat.reported, seat.waits, seat.spent = pid, false, false, w.spent
		d.live[pid.Id] = &seat
		c.Send(pid, &resumed{w, ring})
		return true
	}
	return false
}

// overtaken tells whether the rings have made another job of an update job that waited: a
// wait is long enough for peers to be primaries no more. It begins anew then and counts
// once. A revert job looks at the newest ring itself, before it removes anything.
func (w *deferral) overtaken(role plan.Role) bool {
	return w.job.Kind == messages.Update && (role.Kind != messages.Update || !plan.SameNodes(role.Peers, w.job.Peers))
}

// abandon counts what has been done of a job that will not be gone on with in this pass.
func (d *Device) abandon(c actor.Context, w *deferral) {
	d.account(c, w.seat.job, w.seat.flight, w.outcome())
	d.tell(c, &messages.JobGone{Device: d.name, Flight: w.seat.flight})
}

// abandonAll does so for all: the pass is cut.
func (d *Device) abandonAll(c actor.Context) {
	for _, w := range d.deferred {
		d.abandon(c, w)
	}
	d.deferred = nil
}

// hasten makes a job go on with the next slot, if it waits here.
func (d *Device) hasten(j job) bool {
	for _, w := range d.deferred {
		if w.seat.job == j {
			w.due = d.e.deps.Clock.Now()
			return true
		}
	}
	return false
}
