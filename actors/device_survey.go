package actors

import (
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"understudy/internal/plan"
	"understudy/messages"
)

// Partitions whose peers all run this program, too, are compared with them many at a
// time. Those that all peers have as this disk has them are done and never become an
// actor; any other one gets a job of its own, as if there were no surveys.

// batch is the partitions of one survey. Only over changes after its beginning.
type batch struct {
	jobs   []sample
	peers  []messages.Node // of all jobs, each once
	which  []int32         // in peers; each job has a part of it
	begun  time.Time
	first  uint64 // place of the first job
	flight *messages.Flight
	over   bool // it was given up; its slot is given back
}

// sample is one partition of a batch.
type sample struct {
	job
	list     bool
	from, to int // in which
}

// of are the peers of a job.
func (b *batch) of(s sample) (peers []messages.Node) {
	for _, i := range b.which[s.from:s.to] {
		peers = append(peers, b.peers[i])
	}
	return peers
}

// survey begins to compare the next partitions that wait, if there are any that can
// be. Those that cannot are moved to the singles on the way.
func (d *Device) survey(c actor.Context) bool {
	if d.e.deps.Lane == nil || d.batch != nil || !d.e.deps.Lane.Any() {
		return false
	}
	b := d.gather(d.e.deps.Lane)
	if len(b.jobs) == 0 {
		return false
	}
	b.flight = &messages.Flight{Survey: len(b.jobs), Partition: messages.Partition{Device: d.name}, Begun: b.begun}
	b.flight.Enter(messages.PhaseComparing, messages.Node{}, b.begun)
	d.tell(c, &messages.JobBegun{Device: d.name, Flight: b.flight})
	d.batch = b
	d.surveyor.run(c, d.ctx, comparison(d.e.deps, d.name, b))
	return true
}

// gather takes partitions that wait and sorts out those that can be surveyed.
func (d *Device) gather(lane Lane) *batch {
	b := &batch{begun: d.e.deps.Clock.Now()}
	known := map[messages.Node]int32{} // place in peers; -1: not ours
	for taken := 0; taken < surveyMost && d.queue.Len() > 0; taken++ {
		w, _ := d.queue.Next()
		j := job{w.Policy, w.Number}
		role, _, ok := d.role(j)
		if !ok || d.course.PausedPolicy(int(w.Policy)) || role.Kind != messages.Update || !b.add(lane, known, j, role.Peers, plan.ListsDir(w.Number, d.cycle)) {
			d.singles.Add(w.Policy, w.Number)
			continue
		}
		if len(b.jobs) == 1 {
			b.first = uint64(w.Place)
		}
	}
	return b
}

// add puts a partition into the batch, unless one of its peers is not ours.
func (b *batch) add(lane Lane, known map[messages.Node]int32, j job, peers []messages.Node, list bool) bool {
	from := len(b.which)
	for _, n := range peers {
		n.Index = 0
		at, seen := known[n]
		if !seen {
			at = -1
			if lane.Ours(n) {
				at = int32(len(b.peers))
				b.peers = append(b.peers, n)
			}
			known[n] = at
		}
		if at < 0 {
			b.which = b.which[:from]
			return false
		}
		b.which = append(b.which, at)
	}
	if len(peers) == 0 {
		return false // it needs no peer's word, and no survey
	}
	b.jobs = append(b.jobs, sample{job: j, list: list, from: from, to: len(b.which)})
	return true
}

// surveyed takes in what a survey has found.
func (d *Device) surveyed(c actor.Context, a *answer) {
	b := d.batch
	d.batch = nil
	d.tell(c, &messages.JobGone{Device: d.name, Flight: b.flight})
	if b.over {
		d.tellState(c) // one call less
		d.calm(c)
		return
	}
	results, _ := a.value.([]compared)
	if a.err != nil {
		d.log.Warn().Err(a.err).Int("partitions", len(b.jobs)).Msg("survey failed, each partition gets a job")
	}
	share := d.e.deps.Clock.Now().Sub(b.begun) / time.Duration(len(b.jobs))
	same := 0
	for i, s := range b.jobs {
		switch {
		case results != nil && results[i].same:
			same++
			d.inSync(c, b, s, results[i].report, share)
			continue
		case results != nil && results[i].looked && results[i].report.Err == nil:
			d.looked[s.job] = results[i].report.Hashed
		}
		d.singles.Add(s.policy, s.number)
	}
	d.log.Debug().Int("partitions", len(b.jobs)).Int("same", same).Int("peers", len(b.peers)).Msg("survey")
	d.giveBack(c, d.e.deps.Clock.Now().Sub(b.begun))
	d.pump(c)
}

// inSync counts a partition that all peers have, as its job would have counted it.
func (d *Device) inSync(c actor.Context, b *batch, s sample, r messages.DigestReport, spent time.Duration) {
	d.ills = 0
	metrics := d.e.deps.Metrics
	metrics.Count("partition.update.count."+d.name, 1)
	metrics.Count("suffix.hashes", r.Hashed)
	metrics.Timing("partition.update.timing", spent)
	d.account(c, s.job, nil, messages.Outcome{
		Kind: messages.Update, Counts: plan.InSync(b.of(s), r.Suffixes, r.Hashed), Elapsed: spent,
	})
}

// giveUpSurvey writes a survey off: its disk has stalled. Its partitions count as jobs
// do that were given up before they had a peer.
func (d *Device) giveUpSurvey(c actor.Context) {
	b := d.batch
	if b == nil || b.over {
		return
	}
	b.over = true
	b.flight.Stick()
	spent := d.e.deps.Clock.Now().Sub(b.begun) / time.Duration(len(b.jobs))
	d.log.Error().Int("partitions", len(b.jobs)).Msg("survey is written off: " + errStuck.Error())
	for _, s := range b.jobs {
		u := plan.NewUpdate(0, nil, nil, 0)
		u.Broke()
		counts, _ := u.Result()
		d.e.deps.Metrics.Timing("partition.update.timing", spent)
		d.account(c, s.job, nil, messages.Outcome{
			Kind: messages.Update, Counts: counts, Elapsed: spent, Err: errStuck,
			Troubles: []messages.Trouble{{Cause: messages.CauseStuck, Text: errStuck.Error()}},
		})
	}
	c.Request(d.wiring.Budget, &messages.ReturnSlots{N: 1})
}
