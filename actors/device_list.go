package actors

import (
	"context"
	"errors"
	"math"

	"github.com/asynkron/protoactor-go/actor"

	"understudy/internal/plan"
	"understudy/messages"
)

// policyListing is what one policy has on the disk, or why that is not known.
type policyListing struct {
	policy  messages.Policy
	ring    messages.Ring
	listing messages.Listing
	err     error
}

// begin starts a pass by listing the disk: every policy whose ring names this
// device, except those that the overrides leave out or that are changing their
// part power. Swift: obj/replicator.py collect_jobs.
func (d *Device) begin(c actor.Context) {
	d.rouse()
	d.begun, d.cut, d.handoffs = d.deps.Clock.Now(), "", 0
	d.cycle = (d.cycle + 1) % 10
	d.become(c, messages.StateListing, d.listing)
	var todo []policyListing
	for _, p := range d.view.Policies {
		if p.Ring == nil || p.Ring.NextPartPower() || !d.opts.Only.policy(p.Policy.Index) || !hasDevice(p.Ring, d.name) {
			continue
		}
		todo = append(todo, policyListing{policy: p.Policy, ring: p.Ring})
	}
	store, device := d.deps.Store, d.name
	d.run(c, d.ctx, func(ctx context.Context) (any, error) {
		for i := range todo {
			todo[i].err = store.List(ctx, device, todo[i].policy.Index, func(l messages.Listing) { todo[i].listing = l })
		}
		return todo, nil
	})
}

func hasDevice(ring messages.Ring, device string) bool {
	for _, n := range ring.Local() {
		if n.Device == device {
			return true
		}
	}
	return false
}

// listed turns the listing into jobs and begins with them.
func (d *Device) listed(c actor.Context, a *answer) {
	started := &messages.PassStarted{Device: d.name, At: d.begun, Failures: messages.FailureNodes{}}
	if a.err != nil {
		d.log.Error().Err(a.err).Msg("list device")
		d.cut = "listing failed: " + a.err.Error()
	} else {
		for _, l := range a.value.([]policyListing) {
			d.collect(started, l)
		}
	}
	plan.Order(d.jobs, d.deps.Rand.Shuffle, d.opts.HandoffsFirst, d.isHandoff)
	started.Jobs = len(d.jobs)
	d.tell(c, started)
	d.become(c, messages.StateRunning, d.running)
	d.pump(c)
}

// collect adds one policy's jobs. What cannot be worked on counts as a failure of
// every device of the ring, as Swift counts it.
func (d *Device) collect(started *messages.PassStarted, l policyListing) {
	fail := func() {
		nodes := l.ring.Devices()
		started.Counts.Failure += len(nodes)
		started.Failures.Count(nodes...)
	}
	var create *messages.CreateError
	if errors.As(l.err, &create) { // Swift counts no failure
		inSwiftsWords(d.log.Error()).Err(create.Err).Msg(create.Error())
		return
	}
	if l.err != nil {
		fail()
		var device *messages.DeviceError
		if errors.As(l.err, &device) {
			inSwiftsWords(d.log.Warn()).Msg(device.Message)
			return
		}
		d.log.Error().Err(l.err).Int("policy", l.policy.Index).Msg("list partitions")
		return
	}
	for _, name := range l.listing.Strange {
		d.log.Warn().Int("policy", l.policy.Index).Str("name", name).Msg("not a partition, left alone")
		fail()
	}
	for _, number := range l.listing.Partitions {
		if !d.opts.Only.partition(number) {
			continue
		}
		if number >= l.ring.Partitions() {
			// Unlike Swift: a partition outside the ring is an error to look into, not a
			// handoff that may be removed without a copy.
			d.log.Error().Int("policy", l.policy.Index).Uint32("partition", number).
				Uint32("partitions", l.ring.Partitions()).Msg("partition is not in the ring, left alone")
			fail()
			continue
		}
		d.jobs = append(d.jobs, job{policy: policyIndex(l.policy), number: number})
	}
}

func (d *Device) isHandoff(j job) bool {
	role, _, ok := d.role(j)
	return ok && role.Kind == messages.Revert
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
