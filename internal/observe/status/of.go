package status

import (
	"maps"
	"net"
	"slices"
	"strings"
	"time"

	"understudy/messages"
)

// Facts are what a snapshot does not know of the process.
type Facts struct {
	Program Program
}

// Of makes the report of a snapshot.
func Of(s *messages.Snapshot, facts Facts) *Report {
	r := &Report{
		Version: Version, At: s.At.UTC(), Program: facts.Program, Paused: pauseOf(s.Course.Node),
		Totals: totalsOf(s.Totals, s.Rates), Plot: []Point{}, Devices: []Device{}, Policies: []Policy{}, Peers: []Peer{}, Events: []Event{},
		Settings: settingsOf(s.Course),
		Crashes:  s.Supervision.Crashes, Births: s.Supervision.Births, DeadLetters: s.Supervision.DeadLetters,
	}
	for _, p := range s.Plot {
		r.Plot = append(r.Plot, Point{p.At.UTC(), ratesOf(p.Rates)})
	}
	for _, d := range s.Devices {
		r.Devices = append(r.Devices, deviceOf(s, d))
	}
	for _, p := range s.Policies {
		r.Policies = append(r.Policies, policyOf(s.Course, p))
	}
	r.Peers = peersOf(s)
	for _, e := range s.Supervision.Recent {
		r.Events = append(r.Events, Event{At: e.At.UTC(), Kind: e.Kind, Subject: e.Actor, Directive: e.Directive, Why: e.Why})
	}
	r.Round = roundOf(s, r.Devices)
	r.Verdict = judge(r)
	return r
}

func roundOf(s *messages.Snapshot, devices []Device) Round {
	round := Round{Complete: s.Rounds, Begun: utc(s.Round), Waiting: s.Waiting}
	for _, d := range devices {
		if !d.Pass.Running {
			continue
		}
		round.Done += d.Pass.Done
		round.Jobs += d.Pass.Jobs
		if d.ETA < 0 || round.ETA < 0 {
			round.ETA = -1
		} else {
			round.ETA = max(round.ETA, d.ETA)
		}
	}
	return round
}

func deviceOf(s *messages.Snapshot, d messages.DeviceSnapshot) Device {
	out := Device{
		Name: d.Device, State: d.State, InService: !messages.OutOfService(d.State), Since: d.Since.UTC(), Disk: "fine", Why: d.Why,
		Stuck: d.Stuck, Restarts: d.Restarts, Complete: utc(d.Complete), Passes: d.Passes, Handoffs: d.Handoffs, Waiting: d.Waiting,
		Failures: causesOf(d.Causes), InFlight: []Job{}, History: []Pass{}, Totals: totalsOf(d.Totals, d.Rates), Peers: failedPeers(d.Stats),
		Pass: Pass{
			Begun: utc(d.Begun), Running: d.State == messages.StateListing || d.State == messages.StateRunning,
			Done: d.Done, Jobs: d.Jobs, Cut: d.Cut, Stats: statsOf(d.Stats), Bytes: d.Bytes,
		},
	}
	if d.Disk != messages.DiskFine {
		out.Disk = string(d.Disk)
	}
	if p, ok := s.Course.Devices[d.Device]; ok {
		out.Paused = pauseOf(&p)
	}
	if t := d.Trouble; t != nil {
		out.LastError = &Trouble{At: t.At.UTC(), Policy: t.Partition.Policy, Partition: t.Partition.Number, Text: t.Text}
	}
	for _, f := range d.Flights {
		out.InFlight = append(out.InFlight, jobOf(f))
	}
	for _, h := range d.History {
		out.History = append(out.History, Pass{
			Begun: utc(h.Begun), Ended: utc(h.Ended), Done: h.Done, Jobs: h.Jobs, Cut: h.Cut, Stats: statsOf(h.Stats), Bytes: h.Bytes,
		})
	}
	if n := len(out.History); n > 0 && !out.Pass.Running {
		out.Pass.Ended = out.History[n-1].Ended
	}
	out.ETA = eta(s.At, d, out)
	out.Action = actionOf(out)
	return out
}

// eta is how long the running pass will take from now on, in seconds: at the rate of the
// last minute, or of the whole pass when there was none.
func eta(now time.Time, d messages.DeviceSnapshot, out Device) float64 {
	if !out.Pass.Running {
		return 0
	}
	jobs := out.Pass.Jobs
	if n := len(out.History); n > 0 && d.State == messages.StateListing {
		jobs = max(jobs, out.History[n-1].Jobs) // not all is known yet
	}
	rate := out.Totals.JobRate
	if spent := now.Sub(d.Begun).Seconds(); rate == 0 && spent > 0 {
		rate = float64(d.Done) / spent
	}
	left := jobs - d.Done
	switch {
	case left <= 0 && d.State == messages.StateRunning:
		return 0
	case rate <= 0, left <= 0:
		return -1
	}
	return float64(left) / rate
}

func jobOf(f messages.FlightSnapshot) Job {
	j := Job{
		Kind: f.Kind.String(), Policy: f.Partition.Policy, Partition: f.Partition.Number, Phase: f.Phase.Name,
		Begun: f.Begun.UTC(), Since: f.Phase.Since.UTC(), Bytes: f.Bytes, Stuck: f.Stuck,
	}
	if f.Survey > 0 {
		j.Kind, j.Survey = "survey", f.Survey
	}
	if f.Phase.Node.Device != "" {
		j.Peer = f.Phase.Node.String()
	}
	if f.Phase.Name == "" {
		j.Phase, j.Since = "starting", j.Begun
	}
	return j
}

func causesOf(causes map[messages.Cause]int) []Cause {
	out := []Cause{}
	for why, n := range causes {
		out = append(out, Cause{Why: string(why), Count: n})
	}
	slices.SortFunc(out, func(a, b Cause) int {
		if a.Count != b.Count {
			return b.Count - a.Count
		}
		return strings.Compare(a.Why, b.Why)
	})
	return out
}

func failedPeers(s messages.Stats) map[string]int {
	peers := map[string]int{}
	for ip, devices := range s.FailureNodes {
		for device, n := range devices {
			peers[ip+"/"+device] = n
		}
	}
	return peers
}

func policyOf(c *messages.Course, p messages.PolicyRing) Policy {
	out := Policy{Index: p.Policy.Index, Name: p.Policy.Name, State: "active"}
	if p.Err != nil {
		out.Why = p.Err.Error()
	}
	pause, paused := c.Policies[p.Policy.Index]
	switch {
	case p.Ring == nil:
		out.State = "no ring"
	case p.Ring.NextPartPower():
		out.State = "part power change"
	case len(p.Ring.Local()) == 0:
		out.State = "not in the ring"
	case paused:
		out.State = "paused"
	}
	if paused {
		out.Paused = pauseOf(&pause)
	}
	return out
}

func peersOf(s *messages.Snapshot) []Peer {
	peers := []Peer{}
	paused := func(name string) bool { _, held := s.Course.Peers[name]; return held }
	for _, name := range slices.Sorted(maps.Keys(s.Course.Peers)) {
		p := s.Course.Peers[name]
		peers = append(peers, Peer{Name: name, Breaker: "paused", Since: p.Since.UTC(), Retry: utc(p.Until)})
	}
	for _, p := range s.Peers {
		ip, _, _ := net.SplitHostPort(strings.SplitN(p.Peer, "/", 2)[0])
		if slices.ContainsFunc([]string{p.Peer, ip, strings.SplitN(p.Peer, "/", 2)[0]}, paused) {
			continue // its pause says it all
		}
		peers = append(peers, Peer{
			Name: p.Peer, Lane: p.Lane, Breaker: p.Breaker, Failures: p.Failures, Why: p.Why,
			Since: utc(p.Since), Retry: utc(p.Retry), Spared: p.Untried,
		})
	}
	return peers
}

func totalsOf(t messages.Totals, r messages.Rates) Totals {
	return Totals{
		Jobs: t.Jobs, Failures: t.Failure, Bytes: t.Bytes, Hashed: t.Hashed, Pushed: t.Pushed, Removed: t.Removed, Rates: ratesOf(r),
	}
}

func ratesOf(r messages.Rates) Rates { return Rates{JobRate: r.Jobs, ByteRate: r.Bytes} }

func statsOf(s messages.Stats) Stats {
	return Stats{
		Attempted: s.Attempted, Failure: s.Failure, HashMatch: s.HashMatch, Remove: s.Remove, Rsync: s.Rsync,
		Success: s.Success, SuffixCount: s.SuffixCount, SuffixHash: s.SuffixHash, SuffixSync: s.SuffixSync,
	}
}

func pauseOf(p *messages.Pause) *Pause {
	if p == nil {
		return nil
	}
	return &Pause{Since: p.Since.UTC(), Until: utc(p.Until)}
}

// utc keeps a zero time zero.
func utc(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.UTC()
}
