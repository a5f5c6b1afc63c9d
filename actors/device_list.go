package actors

import (
	"context"
	"errors"
	"math"

	"github.com/asynkron/protoactor-go/actor"

	"understudy/internal/plan"
	"understudy/messages"
)

// piece is a part of a disk's listing. Sender: the device's own listing, several
// before its answer.
type piece struct {
	policy  messages.PolicyRing
	listing messages.Listing
}

// IgnoreDeadLetterLogging: the device may have ended meanwhile.
func (*piece) IgnoreDeadLetterLogging() {}

// refusal says why a policy could not be listed.
type refusal struct {
	policy messages.PolicyRing
	err    error
}

// policies are those to work on: whose ring names this device, except those that
// the overrides leave out or that are changing their part power.
// Swift: obj/replicator.py collect_jobs.
func (d *Device) policies() (todo []messages.PolicyRing) {
	for _, p := range d.view.Policies {
		if p.Ring != nil && !p.Ring.NextPartPower() && !d.course.PausedPolicy(p.Policy.Index) && d.e.opts.Only.policy(p.Policy.Index) && hasDevice(p.Ring, d.name) {
			todo = append(todo, p)
		}
	}
	return todo
}

func hasDevice(ring messages.Ring, device string) bool {
	for _, n := range ring.Local() {
		if n.Device == device {
			return true
		}
	}
	return false
}

// list begins to read what is on the disk. Jobs begin with the first piece.
func (d *Device) list(c actor.Context) {
	d.sought = true
	store, device, todo := d.e.deps.Store, d.name, d.policies()
	self, root := c.Self(), c.ActorSystem().Root
	d.lister.run(c, d.ctx, func(ctx context.Context) (any, error) {
		var refused []refusal
		for _, p := range todo {
			err := store.List(ctx, device, p.Policy.Index, func(l messages.Listing) { root.Send(self, &piece{p, l}) })
			if err != nil {
				refused = append(refused, refusal{p, err})
			}
		}
		return refused, nil
	})
	d.noting.set(c, d.e.deps.Clock, cursorInterval, &noteDue{})
}

// found adds a piece to the partitions that wait.
func (d *Device) found(c actor.Context, p *piece) {
	if d.phase != messages.StateListing {
		return // the pass was cut meanwhile
	}
	before := d.cursor.Jobs
	told := &messages.PassFound{Device: d.name, Failures: messages.FailureNodes{}}
	d.collect(told, p)
	told.Jobs = d.cursor.Jobs - before
	d.tell(c, told)
	d.pump(c)
}

// listed ends the listing.
func (d *Device) listed(c actor.Context, a *answer) {
	if d.phase != messages.StateListing {
		d.calm(c)
		return
	}
	if a.err != nil { // it panicked
		d.log.Error().Err(a.err).Msg("list device")
		d.cut = "listing failed: " + a.err.Error()
	} else if !d.allListed(c, a.value.([]refusal)) {
		return
	}
	clear(d.wanted) // what has not been found is not on this disk
	d.become(c, messages.StateRunning, d.running)
	d.pump(c)
}

// allListed counts what could not be listed. A disk that is ill or gone leaves its
// service.
func (d *Device) allListed(c actor.Context, refused []refusal) bool {
	for _, r := range refused {
		var device *messages.DeviceError
		d.tellRefused(c, r)
		switch {
		case d.e.deps.Store.Ill(r.err):
			d.leave(c, messages.StateFailing, r.err.Error())
			return false
		case errors.As(r.err, &device):
			d.leave(c, messages.StateUnmounted, device.Message)
			return false
		}
	}
	return true
}

// tellRefused counts a policy that cannot be worked on as a failure of every device
// of its ring, as Swift counts it.
func (d *Device) tellRefused(c actor.Context, r refusal) {
	var create *messages.CreateError
	if errors.As(r.err, &create) { // Swift counts no failure
		inSwiftsWords(d.log.Error()).Err(create.Err).Msg(create.Error())
		return
	}
	d.countFailure(c, r.policy.Ring)
	var device *messages.DeviceError
	if errors.As(r.err, &device) {
		inSwiftsWords(d.log.Warn()).Msg(device.Message)
		return
	}
	d.log.Error().Err(r.err).Int("policy", r.policy.Policy.Index).Msg("list partitions")
}

func (d *Device) countFailure(c actor.Context, ring messages.Ring) {
	told := &messages.PassFound{Device: d.name, Failures: messages.FailureNodes{}}
	fail(told, ring)
	d.tell(c, told)
}

func fail(told *messages.PassFound, ring messages.Ring) {
	nodes := ring.Devices()
	told.Counts.Failure += len(nodes)
	told.Failures.Count(nodes...)
}

// collect adds the jobs of a piece to those that wait.
func (d *Device) collect(told *messages.PassFound, p *piece) {
	index, ring := policyIndex(p.policy.Policy), p.policy.Ring
	for _, name := range p.listing.Strange {
		d.log.Warn().Uint32("policy", index).Str("name", name).Msg("not a partition, left alone")
		fail(told, ring)
	}
	outside := 0
	for _, number := range p.listing.Partitions {
		switch {
		case !d.e.opts.Only.partition(number):
		case number >= ring.Partitions():
			// Unlike Swift: a partition outside the ring is an error to look into, not a
			// handoff that may be removed without a copy.
			if outside++; outside == 1 {
				d.log.Error().Uint32("policy", index).Uint32("partition", number).
					Uint32("partitions", ring.Partitions()).Msg("partition is not in the ring, left alone")
			}
			fail(told, ring)
		case uint64(d.queue.Place(index, number)) < d.cursor.Reached: // an earlier part of this pass had it
		default:
			d.enqueue(job{index, number})
			d.cursor.Jobs++
		}
	}
	if outside > 1 {
		d.log.Error().Uint32("policy", index).Int("more", outside-1).Msg("partitions are not in the ring, left alone")
	}
}

// enqueue lets a partition wait for its job.
func (d *Device) enqueue(j job) {
	if d.wanted[j] {
		delete(d.wanted, j)
		d.front = append(d.front, j)
		return
	}
	if d.course.Limits.HandoffsFirst {
		if role, _, ok := d.role(j); ok && role.Kind == messages.Revert {
			d.handoffs.Add(j.policy, j.number)
			return
		}
	}
	d.queue.Add(j.policy, j.number)
}

// ringsChanged takes the newest rings. What waits under handoffs_first is sorted
// anew.
func (d *Device) ringsChanged(c actor.Context, m *messages.RingsChanged) {
	d.view = m.View
	for _, f := range d.live {
		c.Send(f.pid, m) // a revert job looks at it before it removes anything
	}
	if d.course.Limits.HandoffsFirst {
		d.resort()
		d.pump(c)
	}
}

// resort sorts what waits anew.
func (d *Device) resort() {
	queue, handoffs, singles, front := d.queue, d.handoffs, d.singles, d.front
	d.empty(plan.Order(d.cursor.Seed))
	d.front = front
	for _, b := range []*plan.Backlog{queue, handoffs, singles} {
		for w, ok := b.Next(); ok; w, ok = b.Next() {
			d.enqueue(job{w.Policy, w.Number})
		}
	}
}

func policyIndex(p messages.Policy) uint32 {
	if p.Index < 0 || p.Index > math.MaxInt32 {
		panic("policy index out of range") // the configuration does not let it through
	}
	return uint32(p.Index)
}

// role is what a job has to do by the newest rings.
func (d *Device) role(j job) (plan.Role, messages.Ring, bool) {
	ring := d.view.Find(int(j.policy))
	if ring == nil || ring.NextPartPower() {
		return plan.Role{}, nil, false
	}
	role, ok := plan.RoleOf(ring, d.name, j.number)
	return role, ring, ok
}
