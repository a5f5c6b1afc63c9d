package actors

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"understudy/internal/plan"
	"understudy/messages"
)

// With an Admission, a job asks before each push whether it may begin. A peer that is
// busy is left for later while the job serves its others; when only such are left, the
// job hands what it knows to its device, which gives the slot to another job and starts
// an actor that goes on from there after a while. However often it has waited, a job
// pushes in the end, and it never waits for one who does not answer.

const (
	reserveTimeout = 2 * time.Second // for an answer; then the push begins
	reserveGrace   = time.Second     // for one that does not honour its context
	mostDeferrals  = 64              // of one job; then its pushes begin unasked
	leastDeferral  = time.Second     // bounds of what an owner may ask for
	mostDeferral   = 5 * time.Minute
)

// grant is a push that may begin.
type grant struct {
	node    messages.Node
	release func()
}

// deferral is a job between two partition actors: what the first has learned and the
// next goes on with. One actor or device has it at a time.
type deferral struct {
	job      *messages.StartJob
	update   *plan.Update    // of an update job
	revert   *plan.Revert    // of a revert job's last attempt; the next one begins anew
	owed     []messages.Node // peers that were busy
	served   []messages.Node // revert: those that have taken a push, and are only asked what they hold
	since    time.Time       // it waits since then, with pauses; zero: it never has
	after    time.Duration   // when to ask again
	times    int             // it was deferred
	spent    time.Duration   // at work so far
	ill      error
	troubles []messages.Trouble

	seat *flight   // the device's: what it knows of the job
	due  time.Time // the device's: when it goes on
}

// postponed ends a partition actor whose job waits for busy peers. Sender: partition.
// Receiver: its device, which stops the actor.
type postponed struct {
	rest   *deferral
	worked time.Duration // by this actor
}

// resumed gives a partition actor a job that has waited. Sender: device.
type resumed struct {
	rest *deferral
	ring messages.Ring // the newest one
}

// admit goes on with push once the peer in hand may be pushed to, or with later if it
// is busy.
func (p *Partition) admit(c actor.Context, push, later func(actor.Context)) {
	a := p.deps.Admission
	if a == nil || p.wait.times >= mostDeferrals || p.granted(p.node) || slices.Contains(p.wait.served, p.node) || !a.Asks(p.node) {
		push(c)
		return
	}
	now := p.deps.Clock.Now()
	if p.wait.since.IsZero() {
		p.wait.since = now
	}
	ask := messages.PushAsk{
		Partition: p.job.Partition, Node: p.node, Degraded: p.job.Kind == messages.Update, Waited: now.Sub(p.wait.since),
	}
	p.enter(messages.PhaseReserving)
	p.admitted = func(c actor.Context, answer *answer) {
		if p.busy(answer) {
			later(c)
			return
		}
		push(c)
	}
	life := p.ctx
	p.asker.run(c, p.ctx, func(ctx context.Context) (any, error) {
		release, err := a.Reserve(ctx, ask)
		if release != nil {
			context.AfterFunc(life, release) // whatever becomes of the job
		}
		return release, err
	})
}

// busy takes in the answer of whoever was asked; nil is one that has not come. Only a
// clear no makes a push wait.
func (p *Partition) busy(a *answer) bool {
	var busy *messages.BusyError
	g := grant{node: p.node}
	switch {
	case a == nil:
		p.event(p.log.Debug()).Msg("reservation: no answer in time")
	case errors.As(a.err, &busy):
		after := min(max(busy.After, leastDeferral), mostDeferral)
		if p.wait.after == 0 || after < p.wait.after {
			p.wait.after = after
		}
		return true
	case a.err != nil:
		p.event(p.log.Debug()).Err(a.err).Msg("reservation")
	default:
		g.release, _ = a.value.(func())
	}
	p.grants = append(p.grants, g)
	return false
}

// heard takes in an answer about a push, or that there is none.
func (p *Partition) heard(c actor.Context, a *answer) {
	if p.stuck {
		c.Request(c.Parent(), &messages.PartitionDone{})
		return
	}
	p.admitted(c, a)
}

// belated gives back what was granted when nobody waited for it any more.
func belated(a *answer) {
	if release, _ := a.value.(func()); release != nil {
		release()
	}
}

func (p *Partition) granted(n messages.Node) bool {
	return slices.ContainsFunc(p.grants, func(g grant) bool { return g.node == n })
}

// giveBack ends what was granted for a peer.
func (p *Partition) giveBack(n messages.Node) {
	p.grants = slices.DeleteFunc(p.grants, func(g grant) bool {
		if g.node == n && g.release != nil {
			g.release()
		}
		return g.node == n
	})
}

// postpone hands the job to the device if peers are owed a push. The lock of a handoff
// goes with this actor; nothing is removed in this attempt.
func (p *Partition) postpone(c actor.Context, owed []messages.Node) bool {
	if len(owed) == 0 {
		return false
	}
	w := p.wait
	w.job, w.update, w.revert, w.owed = p.job, p.update, p.revert.plan, slices.Clone(owed)
	w.times++
	w.spent, w.ill, w.troubles = p.elapsed(), p.ill, p.troubles
	p.node = messages.Node{}
	p.enter(messages.PhaseDeferred)
	c.Request(c.Parent(), &postponed{&w, p.elapsed() - p.wait.spent})
	return true
}

// resume goes on with a job that has waited: first it asks whether the wait is over.
func (p *Partition) resume(c actor.Context, m *resumed) {
	w := m.rest
	p.job, p.begun, p.wait = w.job, p.deps.Clock.Now().Add(-w.spent), *w
	p.wait.after, p.ill, p.troubles = 0, w.ill, w.troubles
	if p.job.Kind == messages.Revert {
		p.revert.ring, p.revert.plan = m.ring, w.revert
		p.knock(c, w.owed)
		return
	}
	p.update = w.update
	p.update.Again()
	p.askAgain(c)
}

// askAgain looks for a peer that takes a push now; the partition is hashed for it.
func (p *Partition) askAgain(c actor.Context) {
	node, ok := p.update.Next()
	if !ok {
		p.wentThrough(c)
		return
	}
	p.node = node
	p.admit(c, func(c actor.Context) {
		p.enter(messages.PhaseHashing)
		p.hash(c, messages.HashOptions{}, p.hashedAgain)
	}, func(c actor.Context) {
		p.update.Later(node)
		p.askAgain(c)
	})
}

// hashedAgain asks the peer in hand with fresh hashes.
func (p *Partition) hashedAgain(c actor.Context, a *answer) {
	if a.err != nil {
		p.trouble(causeOf(a.err), a.err)
		inSwiftsWords(p.event(p.log.Error())).Err(a.err).Msgf("Error syncing partition: %s", why(a.err))
		p.update.Broke()
		p.done(c, a.err)
		return
	}
	r := a.value.(messages.HashReport)
	p.update.Hashed(r)
	p.ill = r.Ill
	p.deps.Metrics.Count("suffix.hashes", r.Hashed)
	p.question(c)
}

// knock looks for a primary that takes a push now. Then the handoff is locked and listed
// anew, and every primary has to prove anew what it holds.
func (p *Partition) knock(c actor.Context, owed []messages.Node) {
	if len(owed) == 0 {
		p.postpone(c, p.wait.owed)
		return
	}
	p.node = owed[0]
	p.admit(c, func(c actor.Context) {
		p.node = messages.Node{}
		p.holdIt(c)
	}, func(c actor.Context) { p.knock(c, owed[1:]) })
}

// outcome is what has been done of a job that will not be gone on with. The peers that
// were busy have failed.
func (w *deferral) outcome() messages.Outcome {
	o := messages.Outcome{Kind: w.job.Kind, Elapsed: w.spent, Ill: w.ill, Bytes: w.job.Flight.Bytes(), Troubles: w.troubles}
	if w.job.Kind == messages.Revert {
		o.Counts, o.Failures = w.revert.Result()
		o.Remains = true
	} else {
		o.Counts, o.Failures = w.update.Result()
	}
	return o
}
