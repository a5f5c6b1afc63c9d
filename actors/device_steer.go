package actors

import (
	"slices"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"understudy/internal/plan"
	"understudy/messages"
)

// mostFailed is how many failed partitions a device remembers for a retry.
const mostFailed = 1000

// longestRest bounds the rest after one job.
const longestRest = 5 * time.Minute

// rested ends the rest of one slot. Sender: the device's own timer.
type rested struct{ spell uint64 }

// IgnoreDeadLetterLogging: the device may have ended meanwhile.
func (*rested) IgnoreDeadLetterLogging() {}

// paused tells whether an operator holds the device back.
func (d *Device) paused() bool { return d.course.PausedDevice(d.name) }

// courseChanged keeps to another course from the next job on.
func (d *Device) courseChanged(c actor.Context, next *messages.Course) {
	before := d.course
	d.course = next
	if before.Limits.Tranquility != next.Limits.Tranquility {
		d.rouse(c)
	}
	if before.Limits.HandoffsFirst != next.Limits.HandoffsFirst {
		d.resort()
	}
	if d.due && !d.paused() && d.phase == messages.StateResting {
		d.begin(c)
		return
	}
	d.pump(c)
}

// giveBack returns a slot, after a rest that is in proportion to the work done in it.
func (d *Device) giveBack(c actor.Context, worked time.Duration) {
	rest := min(time.Duration(d.course.Limits.Tranquility*float64(worked)), longestRest)
	if rest <= 0 || d.stopping || messages.OutOfService(d.phase) {
		c.Request(d.wiring.Budget, &messages.ReturnSlots{N: 1})
		return
	}
	d.tired++
	self, root, over := c.Self(), c.ActorSystem().Root, &rested{d.spell}
	d.e.deps.Clock.AfterFunc(rest, func() { root.Send(self, over) })
}

// slotRested ends the rest of a slot.
func (d *Device) slotRested(c actor.Context, m *rested) {
	if m.spell != d.spell || d.tired == 0 {
		return
	}
	d.tired--
	c.Request(d.wiring.Budget, &messages.ReturnSlots{N: 1})
	d.pump(c)
}

// rouse ends the rests of all slots.
func (d *Device) rouse(c actor.Context) {
	d.spell++
	if d.tired > 0 {
		c.Request(d.wiring.Budget, &messages.ReturnSlots{N: d.tired})
	}
	d.tired = 0
}

// runPass begins a pass of a device that rests, and has one out of service probed.
func (d *Device) runPass(c actor.Context) {
	told := &messages.Forwarded{Known: true, State: d.phase}
	switch {
	case d.paused():
	case d.phase == messages.StateResting:
		told.Began = !d.e.opts.Once
		if told.Began {
			d.begin(c)
		}
	case messages.OutOfService(d.phase):
		d.probe(c)
	}
	c.Respond(told)
}

// bringForward makes partitions go next.
func (d *Device) bringForward(c actor.Context, m *messages.Front) {
	told := &messages.Forwarded{Known: true, State: d.phase}
	for _, number := range m.Partitions {
		j := job{uint32(m.Policy), number}
		if d.hasten(j) {
			told.Count++
		} else if d.take(j) {
			d.front = append(d.front, j)
			told.Count++
		} else if len(d.wanted) < mostFailed {
			d.wanted[j] = true
		}
	}
	c.Respond(told)
	d.pump(c)
}

// take takes a partition out of those that wait.
func (d *Device) take(j job) bool {
	for _, b := range []*plan.Backlog{d.queue, d.handoffs, d.singles} {
		if b.Take(j.policy, j.number) {
			return true
		}
	}
	return false
}

// retry makes what has failed go next, once more.
func (d *Device) retry(c actor.Context) {
	told := &messages.Forwarded{Known: true, State: d.phase}
	switch {
	case len(d.failed) == 0 || d.paused():
	case d.open:
		told.Count = d.again(c)
	case d.phase == messages.StateResting && !d.e.opts.Once:
		for j := range d.failed {
			d.wanted[j] = true
		}
		told.Count, told.Began = len(d.failed), true
		d.begin(c)
	}
	c.Respond(told)
	d.pump(c)
}

// again gives failed partitions another job in the running pass.
func (d *Device) again(c actor.Context) (n int) {
	for j := range d.failed {
		switch {
		case d.cut != "" || d.atWork(j) || slices.Contains(d.front, j):
			continue
		case !d.take(j):
			d.cursor.Jobs++
			d.tell(c, &messages.PassFound{Device: d.name, Jobs: 1})
		}
		d.front = append(d.front, j)
		n++
	}
	return n
}

// atWork tells whether a partition has a job or is being surveyed.
func (d *Device) atWork(j job) bool {
	for _, f := range d.live {
		if f.job == j {
			return true
		}
	}
	if slices.ContainsFunc(d.deferred, func(w *deferral) bool { return w.seat.job == j }) {
		return true
	}
	return d.batch != nil && slices.ContainsFunc(d.batch.jobs, func(s sample) bool { return s.job == j })
}

// remember notes what a retry would do.
func (d *Device) remember(j job, o messages.Outcome) {
	switch {
	case o.Counts.Failure == 0 && o.Err == nil:
		delete(d.failed, j)
	case len(d.failed) < mostFailed:
		d.failed[j] = true
	}
}

// leaveOut takes a partition out of the pass that was counted as a part of it.
func (d *Device) leaveOut(c actor.Context) {
	d.cursor.Jobs--
	d.tell(c, &messages.PassFound{Device: d.name, Jobs: -1})
}

// tellFlights tells a recorder that has just been born what is at work.
func (d *Device) tellFlights(c actor.Context) {
	for _, f := range d.live {
		d.tell(c, &messages.JobBegun{Device: d.name, Flight: f.flight})
	}
	for _, w := range d.deferred {
		d.tell(c, &messages.JobBegun{Device: d.name, Flight: w.seat.flight})
	}
	if d.batch != nil {
		d.tell(c, &messages.JobBegun{Device: d.name, Flight: d.batch.flight})
	}
}
