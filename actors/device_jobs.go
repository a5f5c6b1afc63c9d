package actors

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/asynkron/protoactor-go/actor"

	"understudy/internal/plan"
	"understudy/messages"
)

// errCrashed is the outcome of a job whose actor ended without a report.
var errCrashed = errors.New("partition actor crashed")

// pump asks for slots while there are jobs, and ends the pass when there are none.
func (d *Device) pump(c actor.Context) {
	if d.stopping {
		return
	}
	if d.cut != "" {
		d.jobs = nil
	}
	window := min(len(d.jobs), d.opts.Slots-d.held())
	d.askSlots(c, window-d.asked)
	if len(d.jobs) == 0 && d.held() == 0 {
		d.endPass(c)
	}
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
	d.asked--
	if d.stopping || !d.launch(c) {
		c.Request(d.wiring.Budget, &messages.ReturnSlots{N: 1})
	}
	if len(d.jobs) == 0 && d.held() == 0 && d.phase == messages.StateRunning {
		d.endPass(c)
	}
}

// launch starts the next job. Roles are taken from the newest rings, so that a
// ring change needs no new listing.
func (d *Device) launch(c actor.Context) bool {
	for len(d.jobs) > 0 {
		j := d.jobs[0]
		role, ring, ok := d.role(j)
		if ok && role.Kind == messages.Update && d.opts.HandoffsFirst && d.handoffs > 0 {
			inSwiftsWords(d.log.Warn()).Msg("Handoffs first mode still has handoffs remaining.  Aborting current replication pass.")
			d.cut, d.jobs = "handoffs remain", nil
			return false
		}
		d.jobs = d.jobs[1:]
		if !ok {
			d.log.Warn().Uint32("policy", j.policy).Uint32("partition", j.number).Msg("partition left the ring, left alone")
			continue
		}
		d.start(c, j, role, ring)
		return true
	}
	return false
}

func (d *Device) start(c actor.Context, j job, role plan.Role, ring messages.Ring) {
	pid := c.SpawnPrefix(d.kid, "p"+strconv.FormatUint(uint64(j.number), 10)+"-")
	d.live[pid.Id] = &flight{pid: pid, job: j, kind: role.Kind, peers: role.Peers}
	since, proven := d.settling[j]
	c.Send(pid, &messages.StartJob{
		Kind: role.Kind, Region: role.Local.Region, Peers: role.Peers, Ring: ring,
		Partition: messages.Partition{Device: d.name, Policy: int(j.policy), Number: j.number},
		List:      plan.ListsDir(j.number, d.cycle),
		Settled:   proven && d.deps.Clock.Now().Sub(since) >= d.opts.HandoffSettle,
	})
}

// partitionDone takes in a job's end and lets its actor go.
func (d *Device) partitionDone(c actor.Context, m *messages.PartitionDone) {
	if r := d.live[c.Sender().Id]; r != nil && !r.reported {
		d.report(c, r, m.Outcome)
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
	d.cut = fmt.Sprintf("partition %d: %v", r.job.number, errStuck)
	d.report(c, r, m.Outcome)
	d.pump(c)
}

// partitionGone sees a partition actor end. One that ends without a report has
// crashed: its job failed, and comes again in the next pass.
func (d *Device) partitionGone(c actor.Context, who *actor.PID) {
	r := d.live[who.Id]
	if r == nil {
		return
	}
	delete(d.live, who.Id)
	if !r.reported {
		failures := messages.FailureNodes{}
		failures.Count(r.peers...)
		d.report(c, r, messages.Outcome{
			Kind: r.kind, Remains: r.kind == messages.Revert,
			Counts: messages.Counts{Attempted: 1, Failure: len(r.peers)}, Failures: failures, Err: errCrashed,
		})
	}
	switch {
	case d.stopping:
	case d.phase == messages.StateRunning:
		d.pump(c)
	default:
		d.revive(c)
	}
}

// report gives a job's numbers to the recorder and its slot to the budget.
func (d *Device) report(c actor.Context, r *flight, o messages.Outcome) {
	r.reported = true
	d.settle(r.job, o)
	d.tell(c, &messages.JobDone{Device: d.name, Outcome: o})
	c.Request(d.wiring.Budget, &messages.ReturnSlots{N: 1})
}

// settle keeps account of handoffs: how many are left, and since when those are
// proven that are kept for a while.
func (d *Device) settle(j job, o messages.Outcome) {
	if o.Kind == messages.Revert && o.Remains {
		d.handoffs++
	}
	switch _, known := d.settling[j]; {
	case !o.Proven:
		delete(d.settling, j)
	case !known:
		d.settling[j] = d.deps.Clock.Now()
	}
}

// endPass reports the pass and rests, or stalls if a call is still out.
func (d *Device) endPass(c actor.Context) {
	d.jobs = nil
	d.tell(c, &messages.PassDone{Device: d.name, Handoffs: d.handoffs, Cut: d.cut})
	if d.out || d.stuckFlights() > 0 {
		d.become(c, messages.StateStalled, d.stalled)
		return
	}
	d.rest(c)
}

// revive leaves the stalled state once every stuck call has returned.
func (d *Device) revive(c actor.Context) {
	if d.phase == messages.StateStalled && !d.out && d.stuckFlights() == 0 {
		d.log.Warn().Msg("device answers again")
		d.cut = ""
		d.rest(c)
	}
}

func (d *Device) stuckFlights() int {
	n := 0
	for _, r := range d.live {
		if r.stuck {
			n++
		}
	}
	return n
}
