package actors

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/rs/zerolog"

	"understudy/internal/plan"
	"understudy/internal/zoo"
	"understudy/messages"
)

// errStuck ends a job whose call on the disk or to a peer has not returned.
var errStuck = errors.New("a call has not returned in time")

// insufficientStorage is the status by which a server says that the device is
// not mounted.
const insufficientStorage = 507

// Partition does one sync job and then reports it to its device. It holds the
// state of the job; plan.Update decides, the errands do the work.
//
//	hashing ─▶ asking ─▶ (equal: next peer) ─▶ rehashing ─▶ syncing ─▶ next peer … ─▶ PartitionDone
type Partition struct {
	life
	errand
	opts   *Options
	log    zerolog.Logger
	job    *messages.StartJob
	begun  time.Time
	update *plan.Update
	node   messages.Node                // the peer in hand
	remote messages.Hashes              // its answer
	diff   []string                     // what it lacks
	state  func(actor.Context, *answer) // what to do with the next answer
	stuck  bool                         // reported as stuck; only the end is awaited
	ill    error                        // an illness of the disk that hashing met
	revert revertState

	asker    errand                       // the question whether a push may begin
	admitted func(actor.Context, *answer) // what to do with its answer
	grants   []grant
	wait     deferral // what earlier actors of the job have handed on

	troubles []messages.Trouble
}

func partitionProps(e *engine) *actor.Props {
	return e.props(func() actor.Actor {
		return &Partition{
			life: newLife(), errand: errand{deps: e.deps, timeout: e.opts.CallTimeout, grace: callGrace},
			asker: errand{deps: e.deps, timeout: reserveTimeout, grace: reserveGrace},
			opts:  e.opts, log: e.deps.Log,
		}
	})
}

// Receive implements actor.Actor.
func (p *Partition) Receive(c actor.Context) {
	switch m := c.Message().(type) {
	case *messages.StartJob:
		p.start(c, m)
	case *resumed:
		p.resume(c, m)
	case *messages.RingsChanged:
		if p.job != nil {
			p.revert.ring = m.View.Find(p.job.Partition.Policy)
		}
	case *answer:
		p.answered(c, m)
	case *overdue:
		switch {
		case p.late(m) && !p.stuck:
			p.giveUp(c, errStuck.Error())
		case p.asker.late(m):
			p.asker.out = false
			p.heard(c, nil)
		}
	case *messages.GiveUp:
		if (p.out || p.asker.out) && !p.stuck {
			p.giveUp(c, m.Why)
		}
	case *actor.Stopping:
		p.drop()
		p.asker.drop()
	}
}

// answered takes in what a call has brought.
func (p *Partition) answered(c actor.Context, a *answer) {
	switch {
	case p.asker.back(a):
		p.heard(c, a)
	case a.task == &p.asker:
		belated(a)
	case !p.back(a):
	case p.stuck:
		c.Request(c.Parent(), &messages.PartitionDone{})
	default:
		p.state(c, a)
	}
}

func (p *Partition) start(c actor.Context, job *messages.StartJob) {
	p.job, p.begun = job, p.deps.Clock.Now()
	p.enter(messages.PhaseHashing)
	if job.Kind == messages.Revert {
		p.startRevert(c)
		return
	}
	peers := slices.Clone(job.Peers)
	p.deps.Rand.Shuffle(len(peers), func(i, j int) { peers[i], peers[j] = peers[j], peers[i] })
	ring, number := job.Ring, job.Partition.Number
	p.update = plan.NewUpdate(job.Region, peers,
		func() []messages.Node { return slices.Collect(ring.Handoffs(number)) }, p.opts.HandoffDelete)
	p.hash(c, messages.HashOptions{List: job.List}, p.hashing)
}

// hash looks at the local suffixes and then goes on in state.
func (p *Partition) hash(c actor.Context, o messages.HashOptions, state func(actor.Context, *answer)) {
	store, partition := p.deps.Store, p.job.Partition
	p.state = state
	p.run(c, p.ctx, func(ctx context.Context) (any, error) { return store.Hashes(ctx, partition, o) })
}

// hashing waits for the first look at the local suffixes.
func (p *Partition) hashing(c actor.Context, a *answer) {
	if a.err != nil {
		p.brokeDown(c, a.err)
		return
	}
	p.attempted()
	r := a.value.(messages.HashReport)
	r.Hashed += p.job.Hashed
	p.update.Hashed(r)
	p.ill = r.Ill
	p.deps.Metrics.Count("suffix.hashes", r.Hashed)
	p.ask(c)
}

// ask puts the question to the next peer, or ends the job.
func (p *Partition) ask(c actor.Context) {
	p.giveBack(p.node)
	node, ok := p.update.Next()
	if !ok {
		p.wentThrough(c)
		return
	}
	p.node = node
	p.question(c)
}

// wentThrough ends an update job that has been through its peers.
func (p *Partition) wentThrough(c actor.Context) {
	if p.postpone(c, p.update.Latecomers()) {
		return
	}
	if p.update.RanOut() {
		inSwiftsWords(p.event(p.log.Error())).Msgf("Ran out of handoffs while replicating partition %d of policy %d",
			p.job.Partition.Number, p.job.Partition.Policy)
	}
	p.done(c, nil)
}

// question asks the peer in hand for its suffix hashes.
func (p *Partition) question(c actor.Context) {
	peers, node, policy, number := p.deps.Peers, p.node, p.job.Partition.Policy, p.job.Partition.Number
	p.state = p.asking
	p.enter(messages.PhaseAsking)
	p.run(c, p.ctx, func(ctx context.Context) (any, error) { return peers.Hashes(ctx, node, policy, number) })
}

// asking waits for a peer's suffix hashes.
func (p *Partition) asking(c actor.Context, a *answer) {
	if a.err != nil {
		p.refused(a.err)
		p.ask(c)
		return
	}
	p.remote = a.value.(messages.Hashes)
	diff := p.update.Compare(p.remote)
	if len(diff) == 0 {
		p.update.Matched()
		p.ask(c)
		return
	}
	p.enter(messages.PhaseRehashing)
	p.hash(c, messages.HashOptions{Recalculate: diff}, p.rehashing)
}

// refused notes a peer that gave no hashes.
func (p *Partition) refused(err error) {
	var status *messages.StatusError
	switch {
	case !errors.As(err, &status):
		p.nodeFailed(err)
	case status.Status == insufficientStorage && zoo.Bug("507-counts"):
		p.update.Matched()
	case status.Status == insufficientStorage:
		inSwiftsWords(p.event(p.log.Error())).Msgf("%s responded as unmounted", p.node)
		p.trouble(messages.CauseUnmounted, err)
		p.update.Unmounted(p.node)
	default:
		inSwiftsWords(p.event(p.log.Error())).Msgf("Invalid response %d from %s", status.Status, p.node)
		p.trouble(messages.CausePeer, err)
		p.update.Failed(p.node)
	}
}

// rehashing waits for fresh hashes of the suffixes that differed.
func (p *Partition) rehashing(c actor.Context, a *answer) {
	if a.err != nil {
		p.nodeFailed(a.err)
		p.ask(c)
		return
	}
	r := a.value.(messages.HashReport)
	p.update.Recalculated(r)
	p.deps.Metrics.Count("suffix.hashes", r.Hashed)
	p.diff = p.update.Compare(p.remote)
	if len(p.diff) == 0 {
		p.update.Matched()
		p.ask(c)
		return
	}
	p.admit(c, p.sync, func(c actor.Context) {
		p.update.Later(p.node)
		p.ask(c)
	})
}

// sync pushes what differs to the peer in hand.
func (p *Partition) sync(c actor.Context) {
	p.update.Pushing()
	transport, job := p.deps.Transport, messages.SyncJob{
		Partition: p.job.Partition, Region: p.job.Region, Node: p.node, Suffixes: p.diff,
		Flight: p.job.Flight,
	}
	p.state = p.syncing
	p.enter(messages.PhaseSyncing)
	p.run(c, p.ctx, func(ctx context.Context) (any, error) { return transport.Sync(ctx, job) })
}

// syncing waits for the end of a push.
func (p *Partition) syncing(c actor.Context, a *answer) {
	if a.err != nil {
		p.nodeFailed(a.err)
	} else {
		ok := a.value.(messages.SyncResult).OK
		p.update.Pushed(p.node, len(p.diff), ok)
		p.pushed(ok)
		p.deps.Metrics.Count("suffix.syncs", len(p.diff))
	}
	p.ask(c)
}

func (p *Partition) nodeFailed(err error) {
	p.update.Failed(p.node)
	p.trouble(causeOf(err), err)
	inSwiftsWords(p.event(p.log.WithLevel(levelOf(err)))).Err(err).Msgf("Error syncing with node: %s: %s", p.node, why(err))
}

// brokeDown ends a job that this node itself could not do.
func (p *Partition) brokeDown(c actor.Context, err error) {
	var device *messages.DeviceError
	var file *messages.NotDirectoryError
	p.trouble(causeOf(err), err)
	switch {
	case errors.As(err, &device):
		inSwiftsWords(p.event(p.log.Warn())).Msg(device.Message)
		p.skipped(c, err, p.job.Peers, true)
	case errors.As(err, &file):
		p.skipped(c, err, nil, false) // the store has told what it did with the file
	default:
		what := "partition"
		if p.job.Kind == messages.Revert {
			what = "handoff partition"
		}
		inSwiftsWords(p.event(p.log.Error())).Err(err).Msgf("Error syncing %s: %s", what, why(err))
		p.attempted()
		p.decided().Broke()
		p.done(c, err)
	}
}

// attempted tells the collector that a job has begun which is not skipped, once.
func (p *Partition) attempted() {
	if p.wait.times > 0 {
		return
	}
	p.deps.Metrics.Count(p.metric("count."+p.job.Partition.Device), 1)
}

// decided is the part of a job that decides and counts.
func (p *Partition) decided() interface {
	Broke()
	Failed(messages.Node)
	Result() (messages.Counts, messages.FailureNodes)
} {
	if p.job.Kind == messages.Revert {
		return p.revert.plan
	}
	return p.update
}

// skipped ends a job that was never attempted; failed are the nodes it counts
// as failed. there tells whether the partition is still one: a file in its place
// is no handoff that others would have to wait for. Swift: obj/replicator.py replicate.
func (p *Partition) skipped(c actor.Context, err error, failed []messages.Node, there bool) {
	o := messages.Outcome{
		Kind: p.job.Kind, Skipped: true, Err: err, Elapsed: p.elapsed(), Remains: there && p.job.Kind == messages.Revert,
		Troubles: p.troubles,
	}
	if len(failed) > 0 {
		o.Counts.Failure, o.Failures = len(failed), messages.FailureNodes{}
		o.Failures.Count(failed...)
	}
	c.Request(c.Parent(), &messages.PartitionDone{Outcome: o})
}

// giveUp reports the job as stuck. What has been done so far counts; the peer in
// hand, if any, counts as failed. Nothing is removed any more.
func (p *Partition) giveUp(c actor.Context, why string) {
	p.stuck = true
	p.trouble(messages.CauseStuck, errors.New(why))
	p.cancel()
	if p.node.Device == "" {
		p.decided().Broke()
	} else {
		p.decided().Failed(p.node)
	}
	p.event(p.log.Error()).Dur("elapsed", p.elapsed()).Msg("job is written off: " + why)
	c.Request(c.Parent(), &messages.PartitionStuck{Outcome: p.outcome(fmt.Errorf("%s: %w", p.job.Partition, errStuck))})
}

func (p *Partition) done(c actor.Context, err error) {
	c.Request(c.Parent(), &messages.PartitionDone{Outcome: p.outcome(err)})
}

func (p *Partition) outcome(err error) messages.Outcome {
	counts, failures := p.decided().Result()
	p.deps.Metrics.Timing(p.metric("timing"), p.elapsed())
	return messages.Outcome{
		Kind: p.job.Kind, Counts: counts, Failures: failures, Elapsed: p.elapsed(), Err: err,
		Remains: p.job.Kind == messages.Revert && !p.revert.gone, Proven: p.revert.proven,
		Ill: p.ill, Bytes: p.job.Flight.Bytes(), Troubles: p.troubles,
	}
}

// metric is a statistic's name in Swift's words: revert jobs are "delete" there.
func (p *Partition) metric(what string) string {
	if p.job.Kind == messages.Revert {
		return "partition.delete." + what
	}
	return "partition.update." + what
}

func (p *Partition) elapsed() time.Duration { return p.deps.Clock.Now().Sub(p.begun) }

func (p *Partition) event(e *zerolog.Event) *zerolog.Event {
	e = e.Str("device", p.job.Partition.Device).Int("policy", p.job.Partition.Policy).Uint32("partition", p.job.Partition.Number)
	if p.node.Device != "" {
		e = e.Stringer("peer", p.node)
	}
	return e
}
