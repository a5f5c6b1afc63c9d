package actors

import (
	"strconv"
	"strings"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"understudy/internal/plan"
	"understudy/messages"
)

// openRound begins a round and says what Swift says at the start of a pass.
func (r *Recorder) openRound(c actor.Context, at time.Time) {
	r.round = &round{begun: at, waiting: map[string]bool{}}
	for name, d := range r.disks {
		r.round.waiting[name] = true
		if d.round != nil { // a pass that began in the round before: the rest of it counts in this one
			r.round.jobs += d.Jobs - d.Done
		}
	}
	if r.opts.Once {
		inSwiftsWords(r.log.Info()).Msg("Running object replicator in script mode.")
	} else {
		inSwiftsWords(r.log.Info()).Msg("Starting object replication pass.")
	}
	r.sayPolicies()
	r.startHeartbeat(c)
	r.startSampling(c)
}

// sayPolicies names the policies that take no part in the round.
func (r *Recorder) sayPolicies() {
	for _, p := range r.view.Policies {
		switch {
		case !r.opts.Only.policy(p.Policy.Index):
		case p.Ring == nil:
			inSwiftsWords(r.log.Error()).Err(p.Err).Msgf("Exception in top-level replication loop: %s", why(p.Err))
		case p.Ring.NextPartPower():
			inSwiftsWords(r.log.Warn()).Msgf("next_part_power set in policy '%s'. Skipping", p.Policy.Name)
		case len(p.Ring.Local()) == 0:
			inSwiftsWords(r.log.Error()).Msgf("Can't find itself in policy with index %d with ips %s and with port %s in ring file, not replicating",
				p.Policy.Index, strings.Join(r.opts.IPs, ", "), r.port())
		}
		if p.Ring != nil && p.Err != nil {
			r.log.Error().Err(p.Err).Int("policy", p.Policy.Index).Msg("ring file cannot be used, the earlier one is kept")
		}
	}
}

func (r *Recorder) port() string {
	if r.opts.Port == 0 {
		return "None"
	}
	return strconv.Itoa(r.opts.Port)
}

// ringsChanged keeps to the newest rings. Operators know the line of a ring change
// by Swift's words, though no pass is aborted here.
//
// Unlike Swift: which abandons the pass. Here each job takes its role from the
// newest rings when it begins, so that what has moved is planned anew and the
// rest goes on.
func (r *Recorder) ringsChanged(m *messages.RingsChanged) {
	changed := m.View.Differs(r.view)
	r.view = m.View
	if r.round != nil && changed {
		inSwiftsWords(r.log.Info()).Msg("Ring change detected. Aborting current replication pass.")
	}
}

// closeRound ends the round when no device is waited for.
func (r *Recorder) closeRound(c actor.Context) {
	if r.round == nil || len(r.round.waiting) > 0 {
		return
	}
	r.stopHeartbeat()
	r.sayProgress()
	spent := r.now().Sub(r.round.begun)
	once := ""
	if r.opts.Once {
		once = " (once)"
	}
	inSwiftsWords(r.log.Info()).Msgf("Object replication complete%s. (%.2f minutes)", once, spent.Minutes())
	r.round = nil
	r.rounds++
	r.publishRound(c, spent)
	r.publishAllStates(c)
	r.ended = &messages.RoundDone{Stats: r.total()}
	for name, d := range r.disks {
		if d.Cut != "" {
			r.ended.Cut = append(r.ended.Cut, name)
		}
	}
	r.announce(c)
}

// announce tells the supervisor about a finished round once the recon cache has
// been told.
func (r *Recorder) announce(c actor.Context) {
	if r.ended != nil && !r.out && len(r.todo) == 0 && len(r.dirty) == 0 {
		c.Request(c.Parent(), r.ended)
		r.ended = nil
	}
}

// total adds up every device's last pass.
func (r *Recorder) total() messages.Stats {
	var sum messages.Stats
	for _, d := range r.disks {
		if d.whole != nil {
			sum.Add(*d.whole)
		}
	}
	return sum
}

func (r *Recorder) startHeartbeat(c actor.Context) {
	self, root := c.Self(), c.ActorSystem().Root
	r.beat = r.deps.Clock.AfterFunc(r.opts.StatsInterval, func() { root.Send(self, &heartbeat{}) })
}

func (r *Recorder) stopHeartbeat() {
	if r.beat != nil {
		r.beat()
		r.beat = nil
	}
}

// sayProgress logs the stats lines of the open round.
func (r *Recorder) sayProgress() {
	if r.round == nil {
		return
	}
	moved := r.round.stats.Attempted > r.round.said
	r.round.said = r.round.stats.Attempted
	lines := plan.StatsLines(plan.Progress{
		Stats: r.round.stats, Jobs: r.round.jobs, Spent: r.now().Sub(r.round.begun), Times: &r.round.times,
	}, moved)
	for _, line := range lines {
		inSwiftsWords(r.log.Info()).Msg(line)
	}
}
