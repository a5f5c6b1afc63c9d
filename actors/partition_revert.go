package actors

import (
	"context"
	"errors"

	"github.com/asynkron/protoactor-go/actor"

	"understudy/internal/plan"
	"understudy/internal/zoo"
	"understudy/messages"
)

// A revert job brings a handoff partition to its primaries and then gives up what
// they have proven to hold. The partition's lock is held from the listing to the
// removal.
//
//	holding ─▶ pushing, primary by primary ─▶ removing ─▶ PartitionDone
//
// The lock is given back when the device lets the actor go.

// revertState is what a revert job knows beyond an update job.
type revertState struct {
	plan   *plan.Revert
	hold   Hold
	ring   messages.Ring // the newest one
	proven bool          // all was proven, and is kept until it has settled
	told   bool          // "Removing partition" has been logged
	gone   bool          // the partition's directory has been removed, or what is left in it only waits
}

func (p *Partition) startRevert(c actor.Context) {
	p.revert.ring = p.job.Ring
	p.holdIt(c)
}

// holdIt locks and lists the partition.
func (p *Partition) holdIt(c actor.Context) {
	p.revert.plan = plan.NewRevert(p.job.Region, p.job.Peers, nil, 0, false) // until it is known what there is
	store, partition, life := p.deps.Store, p.job.Partition, p.ctx
	p.state = p.holding
	p.enter(messages.PhaseHolding)
	p.run(c, p.ctx, func(ctx context.Context) (any, error) {
		hold, err := store.Hold(ctx, partition)
		if err == nil {
			// The lock goes with the actor, also when the actor has gone before it could
			// take the lock in.
			context.AfterFunc(life, hold.Release)
		}
		return hold, err
	})
}

// holding waits for the lock and the listing.
func (p *Partition) holding(c actor.Context, a *answer) {
	if a.err != nil {
		p.notHeld(c, a.err)
		return
	}
	p.attempted()
	p.revert.hold = a.value.(Hold)
	p.revert.plan = plan.NewRevert(p.job.Region, p.job.Peers, p.revert.hold.Manifest().Files,
		p.opts.HandoffDelete, p.opts.CheckRemote)
	p.push(c)
}

// notHeld ends a job that could not have its partition.
func (p *Partition) notHeld(c actor.Context, err error) {
	if errors.Is(err, ErrPartitionLocked) {
		p.attempted()
		p.trouble(messages.CauseLocked, err)
		inSwiftsWords(p.event(p.log.Info())).Msgf("Unable to lock handoff partition %d for replication on device %s policy %d",
			p.job.Partition.Number, p.job.Partition.Device, p.job.Partition.Policy)
		p.deps.Metrics.Count("partition.lock-failure.count", 1)
		p.done(c, err)
		return
	}
	p.brokeDown(c, err)
}

// push serves the next primary, or goes on to what may be given up.
func (p *Partition) push(c actor.Context) {
	p.giveBack(p.node)
	step, ok := p.revert.plan.Next()
	if !ok {
		if !p.postpone(c, p.revert.plan.Latecomers()) {
			p.remove(c)
		}
		return
	}
	p.node = step.Node
	if step.CheckOnly != nil { // moves nothing
		p.sendHeld(c, step)
		return
	}
	p.admit(c, func(c actor.Context) { p.sendHeld(c, step) }, func(c actor.Context) {
		p.revert.plan.Later(step.Node)
		p.push(c)
	})
}

// sendHeld pushes what is held to the primary in hand.
func (p *Partition) sendHeld(c actor.Context, step plan.RevertStep) {
	manifest := p.revert.hold.Manifest()
	transport, job := p.deps.Transport, messages.SyncJob{
		Partition: p.job.Partition, Region: p.job.Region, Node: step.Node, Suffixes: manifest.Suffixes,
		Handoff: true, Held: manifest.Files, CheckOnly: step.CheckOnly,
		Flight: p.job.Flight,
	}
	p.state = p.pushing
	p.enter(messages.PhaseSyncing)
	p.run(c, p.ctx, func(ctx context.Context) (any, error) { return transport.Sync(ctx, job) })
}

// pushing waits for the end of one push.
func (p *Partition) pushing(c actor.Context, a *answer) {
	if a.err != nil {
		p.revert.plan.Failed(p.node)
		p.trouble(causeOf(a.err), a.err)
		inSwiftsWords(p.event(p.log.WithLevel(levelOf(a.err)))).Err(a.err).Msgf("Error syncing handoff partition: %s", why(a.err))
	} else {
		r := a.value.(messages.SyncResult)
		p.revert.plan.Pushed(p.node, r)
		p.pushed(r.OK)
		if r.OK {
			p.wait.served = append(p.wait.served, p.node)
		}
	}
	p.push(c)
}

// remove gives up what may go, if this is still a handoff of the very primaries
// that have proven it.
func (p *Partition) remove(c actor.Context) {
	p.node = messages.Node{}
	files, ok := p.revert.plan.MayGo()
	if !ok {
		p.done(c, nil)
		return
	}
	if why := p.stillHandoff(); why != "" {
		p.event(p.log.Info()).Msg("handoff is kept: " + why)
		p.done(c, nil)
		return
	}
	if p.opts.HandoffSettle > 0 && !p.job.Settled && !zoo.Bug("unsettled") {
		p.revert.proven = len(files) > 0 || len(p.revert.hold.Manifest().Files) == 0
		p.done(c, nil)
		return
	}
	switch {
	case files.Count() == p.revert.hold.Manifest().Files.Count():
		p.removingAll()
	case len(files) > 0:
		p.revert.plan.Removing()
		inSwiftsWords(p.event(p.log.Info())).Msgf("Removing %d objects", len(files))
	}
	hold, waiting := p.revert.hold, p.revert.plan.Waiting()
	p.state = p.removing
	p.enter(messages.PhaseRemoving)
	p.run(c, p.ctx, func(ctx context.Context) (any, error) { return hold.Remove(ctx, files, waiting) })
}

// removingAll tells that the partition goes. Swift counts none that is empty.
func (p *Partition) removingAll() {
	if len(p.revert.hold.Manifest().Suffixes) > 0 {
		p.revert.plan.Removing()
	}
	p.revert.told = true
	inSwiftsWords(p.event(p.log.Info())).Msgf("Removing partition: %s", p.deps.Store.Path(p.job.Partition))
}

// stillHandoff tells why the newest rings no longer allow this removal, or "".
//
// Unlike Swift: a job looks at the rings again before it removes anything. Swift
// keeps to those of the beginning of the pass, and so can remove a partition of
// which this device has become a primary meanwhile.
func (p *Partition) stillHandoff() string {
	ring := p.revert.ring
	if zoo.Bug("stale-role") {
		ring = p.job.Ring
	}
	role, ok := plan.RoleOf(ring, p.job.Partition.Device, p.job.Partition.Number)
	switch {
	case !ok || ring.NextPartPower():
		return "the ring does not tell its place any more"
	case role.Kind != messages.Revert:
		return "this device has become a primary"
	case !plan.SameNodes(role.Peers, p.job.Peers):
		return "its primaries have changed"
	}
	return ""
}

// removing waits for the end of the removal.
func (p *Partition) removing(c actor.Context, a *answer) {
	if a.err != nil {
		p.revert.plan.Broke()
		p.trouble(causeOf(a.err), a.err)
		inSwiftsWords(p.event(p.log.Error())).Err(a.err).Msgf("Error syncing handoff partition: %s", why(a.err))
		p.done(c, a.err)
		return
	}
	r := a.value.(messages.Removal)
	if r.Whole && !p.revert.told {
		p.removingAll() // what was not proven has gone by itself
	}
	if r.Kept != "" {
		p.event(p.log.Info()).Int("objects", r.Objects).Msg("handoff is kept: " + r.Kept)
	}
	p.revert.gone = r.Whole || r.Waits
	p.done(c, nil)
}
