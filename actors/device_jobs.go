package actors

import (
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/asynkron/protoactor-go/actor"

	"understudy/internal/plan"
	"understudy/internal/zoo"
	"understudy/messages"
)

// errCrashed is the outcome of a job whose actor ended without a report.
var errCrashed = errors.New("partition actor crashed")

// pump asks for slots while there are jobs, and ends the pass when there are none.
func (d *Device) pump(c actor.Context) {
	if d.stopping || !d.open {
		return
	}
	if d.cut == "" {
		d.handoffsFirst()
	}
	if d.cut != "" {
		d.drop()
		d.abandonAll(c)
	}
	if !d.paused() {
		d.askSlots(c, min(d.ready(), d.window())-d.asked)
	}
	d.finish(c)
}

// window is how many more jobs may be in flight.
func (d *Device) window() int {
	most := d.course.Limits.Jobs
	if one := d.course.Limits.DeviceJobs; one > 0 {
		most = min(most, one)
	}
	return most - d.held()
}

// ready is how many of those that wait may begin.
func (d *Device) ready() int {
	n := len(d.front) + d.dueNow()
	if len(d.deferred) >= mostDeferred {
		return n
	}
	n += d.handoffs.Len()
	if d.course.Limits.HandoffsFirst && (d.phase == messages.StateListing || d.reverting()) {
		return n
	}
	n += d.singles.Len()
	if d.batch == nil {
		n += d.queue.Len() // else a survey tells which of them need a job
	}
	return n
}

// reverting tells whether a handoff waits or is in flight.
func (d *Device) reverting() bool {
	if d.handoffs.Len() > 0 {
		return true
	}
	for _, f := range d.live {
		if f.kind == messages.Revert && !f.reported {
			return true
		}
	}
	return slices.ContainsFunc(d.deferred, func(w *deferral) bool { return w.job.Kind == messages.Revert })
}

// handoffsFirst cuts the pass when it comes to the primaries and handoffs are left.
// Swift: obj/replicator.py replicate.
func (d *Device) handoffsFirst() {
	if d.course.Limits.HandoffsFirst && d.phase == messages.StateRunning && d.queue.Len()+d.singles.Len() > 0 && !d.reverting() && d.remain > 0 {
		inSwiftsWords(d.log.Warn()).Msg("Handoffs first mode still has handoffs remaining.  Aborting current replication pass.")
		d.cut = "handoffs remain"
		d.drop()
	}
}

func (d *Device) drop() {
	d.queue.Drop()
	d.handoffs.Drop()
	d.singles.Drop()
	d.front = nil
	clear(d.looked)
}

func (d *Device) askSlots(c actor.Context, n int) {
	if n > 0 {
		d.asked += n
		c.Request(d.wiring.Budget, &messages.AskSlots{N: n})
	}
}

// granted puts the next job into a slot, or gives the slot back.
func (d *Device) granted(c actor.Context) {
	if !c.Sender().Equal(d.wiring.Budget) {
		return // from a budget that is gone
	}
	if d.asked == 0 { // something came twice; below nought it would be asked for, and given back, for ever
		c.Request(d.wiring.Budget, &messages.ReturnSlots{N: 1})
		return
	}
	d.asked--
	if d.stopping || d.paused() || d.window() <= 0 || !d.launch(c) {
		c.Request(d.wiring.Budget, &messages.ReturnSlots{N: 1})
	}
	d.pump(c)
}

// launch starts the next job or survey. Roles are taken from the newest rings, so that a
// ring change needs no new listing.
func (d *Device) launch(c actor.Context) bool {
	for d.ready() > 0 {
		from := d.queue
		switch {
		case len(d.front) > 0:
			j := d.front[0]
			d.front = d.front[1:]
			if d.try(c, plan.Waiting{Policy: j.policy, Number: j.number, Place: d.queue.Place(j.policy, j.number)}) {
				return true
			}
			continue
		case d.dueNow() > 0:
			if d.goOn(c) {
				return true
			}
			continue // those that were due are not gone on with
		case len(d.deferred) >= mostDeferred:
			continue
		case d.handoffs.Len() > 0:
			from = d.handoffs
		case d.singles.Len() > 0:
			from = d.singles
		case d.survey(c):
			return true
		case d.singles.Len() > 0: // there was nothing to survey
			from = d.singles
		}
		if w, some := from.Next(); some && d.try(c, w) {
			return true
		}
	}
	return false
}

// try starts a partition's job, if it still has one to do.
func (d *Device) try(c actor.Context, w plan.Waiting) bool {
	if d.course.PausedPolicy(int(w.Policy)) { // comes again when it is listed next
		d.leaveOut(c)
		return false
	}
	role, ring, ok := d.role(job{w.Policy, w.Number})
	if !ok {
		d.log.Warn().Uint32("policy", w.Policy).Uint32("partition", w.Number).Msg("partition left the ring, left alone")
		d.leaveOut(c)
		return false
	}
	d.start(c, w, role, ring)
	return true
}

func (d *Device) start(c actor.Context, w plan.Waiting, role plan.Role, ring messages.Ring) {
	j := job{w.Policy, w.Number}
	pid := c.SpawnPrefix(d.kid, "p"+strconv.FormatUint(uint64(w.Number), 10)+"-")
	p := messages.Partition{Device: d.name, Policy: int(w.Policy), Number: w.Number}
	seen := &messages.Flight{Kind: role.Kind, Partition: p, Begun: d.e.deps.Clock.Now()}
	d.live[pid.Id] = &flight{pid: pid, job: j, place: w.Place, kind: role.Kind, peers: role.Peers, flight: seen}
	d.tell(c, &messages.JobBegun{Device: d.name, Flight: seen})
	since, proven := d.settling[j]
	hashed, looked := d.looked[j]
	delete(d.looked, j)
	c.Send(pid, &messages.StartJob{
		Kind: role.Kind, Region: role.Local.Region, Peers: role.Peers, Ring: ring,
		Partition: p, Flight: seen,
		List:    !looked && plan.ListsDir(w.Number, d.cycle),
		Hashed:  hashed,
		Settled: proven && d.e.deps.Clock.Now().Sub(since) >= d.e.opts.HandoffSettle,
	})
}

// partitionDone takes in a job's end and lets its actor go.
func (d *Device) partitionDone(c actor.Context, m *messages.PartitionDone) {
	if r := d.live[c.Sender().Id]; r != nil && !r.reported {
		d.report(c, r, m.Outcome)
		d.diagnose(c, m.Outcome)
	}
	c.Stop(c.Sender())
}

// partitionStuck writes a job off: its slot goes back to the node, this device
// takes no new work until the call returns.
func (d *Device) partitionStuck(c actor.Context, m *messages.PartitionStuck) {
	r := d.live[c.Sender().Id]
	if r == nil || r.reported {
		return
	}
	r.stuck = true
	r.flight.Stick()
	d.report(c, r, m.Outcome)
	d.leave(c, messages.StateStalled, fmt.Sprintf("partition %d: %v", r.job.number, errStuck))
}

// partitionGone sees a partition actor end. One that ends without a report has
// crashed: its job failed, and comes again in the next pass.
func (d *Device) partitionGone(c actor.Context, who *actor.PID) {
	r := d.live[who.Id]
	if r == nil {
		return
	}
	delete(d.live, who.Id)
	if !r.waits {
		d.tell(c, &messages.JobGone{Device: d.name, Flight: r.flight})
	}
	if !r.reported && !zoo.Bug("slot-leak") {
		failures := messages.FailureNodes{}
		failures.Count(r.peers...)
		d.report(c, r, messages.Outcome{
			Kind: r.kind, Remains: r.kind == messages.Revert,
			Counts: messages.Counts{Attempted: 1, Failure: len(r.peers)}, Failures: failures, Err: errCrashed,
			Bytes: r.flight.Bytes(), Troubles: []messages.Trouble{{Cause: messages.CauseCrash, Text: errCrashed.Error()}},
		})
	}
	if r.stuck {
		d.tellState(c) // one call less
	}
	d.pump(c)
	d.calm(c)
}

// report gives a job's numbers to the recorder and its slot to the budget.
func (d *Device) report(c actor.Context, r *flight, o messages.Outcome) {
	r.reported = true
	d.account(c, r.job, r.flight, o)
	d.giveBack(c, o.Elapsed-r.spent)
}

// account counts one partition that has been looked at.
func (d *Device) account(c actor.Context, j job, f *messages.Flight, o messages.Outcome) {
	d.settle(j, o)
	d.remember(j, o)
	d.cursor.Done++
	d.cursor.Stats.Add(messages.Stats{Counts: o.Counts, FailureNodes: o.Failures})
	p := messages.Partition{Device: d.name, Policy: int(j.policy), Number: j.number}
	d.tell(c, &messages.JobDone{Device: d.name, Partition: p, Flight: f, Outcome: o})
}

// settle keeps account of handoffs: how many are left, and since when those are
// proven that are kept for a while.
func (d *Device) settle(j job, o messages.Outcome) {
	if o.Kind == messages.Revert && o.Remains {
		d.remain++
	}
	switch _, known := d.settling[j]; {
	case !o.Proven:
		delete(d.settling, j)
	case !known:
		d.settling[j] = d.e.deps.Clock.Now()
	}
}
