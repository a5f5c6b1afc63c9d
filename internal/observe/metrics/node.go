package metrics

import (
	"fmt"
	"slices"
	"time"

	"understudy/internal/observe/status"
)

// oneHot puts 1 for the value and 0 for all others. One that is not among them comes
// beside them, so that it is not hidden.
func oneHot(value string, all []string, put func(float64, string)) {
	for _, v := range all {
		put(truth(v == value), v)
	}
	if !slices.Contains(all, value) {
		put(1, value)
	}
}

// known bounds what may become a label.
func known(value string, all []string, other string) string {
	if slices.Contains(all, value) {
		return value
	}
	return other
}

var policies = []string{"active", "paused", "part power change", "no ring", "not in the ring"}

func policyStates(r *status.Report, put func(float64, ...string)) {
	for _, p := range r.Policies {
		oneHot(p.State, policies, func(v float64, s string) { put(v, fmt.Sprint(p.Index), s) })
	}
}

func policyPauses(r *status.Report, put func(float64, ...string)) {
	for _, p := range r.Policies {
		put(truth(p.Paused != nil), fmt.Sprint(p.Index))
	}
}

var phases = []struct {
	kind   string
	phases []string
}{
	{"update", []string{"hashing", "asking", "rehashing", "syncing", "other"}},
	{"revert", []string{"holding", "pushing", "removing", "other"}},
	{"survey", []string{"hashing", "comparing", "other"}},
	{"other", []string{"other"}},
}

func jobPhases(r *status.Report, put func(float64, ...string)) {
	type key struct{ kind, phase string }
	counts := map[key]int{}
	for _, d := range r.Devices {
		for _, j := range d.InFlight {
			k := key{"other", "other"}
			for _, p := range phases {
				if p.kind == j.Kind {
					k = key{p.kind, known(j.Phase, p.phases, "other")}
				}
			}
			counts[k]++
		}
	}
	for _, p := range phases {
		for _, phase := range p.phases {
			put(float64(counts[key{p.kind, phase}]), p.kind, phase)
		}
	}
}

var (
	lanes    = []string{"replicate", "sync", "native", "other"}
	breakers = []string{"open", "half-open", "refused", "paused", "other"}
)

// perLane sums what value says of the peers of each lane.
func perLane(name, help string, value func(status.Peer) int) family {
	return family{Name: name, Help: help, Type: gauge, Labels: []string{"lane"}, samples: func(r *status.Report, put func(float64, ...string)) {
		sums := map[string]int{}
		for _, p := range r.Peers {
			sums[known(p.Lane, lanes, "other")] += value(p)
		}
		for _, l := range lanes {
			put(float64(sums[l]), l)
		}
	}}
}

var peerFamilies = []family{
	{"understudy_peers", "Peers, or devices of theirs, that are not asked, by lane and state of the breaker. An answering peer is not counted.", gauge, []string{"lane", "breaker"}, func(r *status.Report, put func(float64, ...string)) {
		counts := map[[2]string]int{}
		for _, p := range r.Peers {
			counts[[2]string{known(p.Lane, lanes, "other"), known(p.Breaker, breakers, "other")}]++
		}
		for _, l := range lanes {
			for _, b := range breakers {
				put(float64(counts[[2]string{l, b}]), l, b)
			}
		}
	}},
	perLane("understudy_peers_failures", "Failures in a row of the peers that are not asked.", func(p status.Peer) int { return p.Failures }),
	perLane("understudy_peers_spared_jobs", "Jobs that were spared the wait for the peers that are not asked.", func(p status.Peer) int { return p.Spared }),
	{"understudy_peers_oldest_begin_time_seconds", "Since when the peer that has not been asked for longest is not asked; paused ones and lanes without one are left out.", gauge, []string{"lane"}, func(r *status.Report, put func(float64, ...string)) {
		oldest := map[string]time.Time{}
		for _, p := range r.Peers {
			l := known(p.Lane, lanes, "other")
			if t, ok := oldest[l]; p.Breaker != "paused" && !p.Since.IsZero() && (!ok || p.Since.Before(t)) {
				oldest[l] = p.Since
			}
		}
		for _, l := range lanes {
			if t, ok := oldest[l]; ok {
				put(seconds(t), l)
			}
		}
	}},
}

// limit is a family with what is in force and what the configuration says.
func limit(name, help string, value func(status.Limits) float64) family {
	return family{Name: name, Help: help, Type: gauge, Labels: []string{"source"}, samples: func(r *status.Report, put func(float64, ...string)) {
		put(value(r.Settings.Limits), "in_force")
		put(value(r.Settings.Config), "configuration")
	}}
}

var settingFamilies = []family{
	{"understudy_profile", "1 for the profile in force.", gauge, []string{"profile"}, func(r *status.Report, put func(float64, ...string)) {
		oneHot(r.Settings.Profile, []string{"client-first", "balanced", "drain", "custom"}, func(v float64, s string) { put(v, s) })
	}},
	moment("understudy_profile_end_time_seconds", "When the profile ends by itself; left out if it does not.", func(r *status.Report) time.Time { return r.Settings.Until }),
	limit("understudy_limit_jobs", "Jobs in flight in the node.", func(l status.Limits) float64 { return float64(l.Jobs) }),
	limit("understudy_limit_device_jobs", "Jobs in flight on one disk, 0 for no bound.", func(l status.Limits) float64 { return float64(l.DeviceJobs) }),
	limit("understudy_limit_bytes_per_second", "Bytes a second pushed by the node, 0 for no bound.", func(l status.Limits) float64 { return float64(l.Bytes) }),
	limit("understudy_limit_device_bytes_per_second", "Bytes a second pushed from one disk, 0 for no bound.", func(l status.Limits) float64 { return float64(l.DeviceBytes) }),
	limit("understudy_limit_hashes_per_second", "Suffixes a second hashed by the node, 0 for no bound.", func(l status.Limits) float64 { return l.Hashes }),
	limit("understudy_limit_tranquility_ratio", "Rest after a job, in durations of that job.", func(l status.Limits) float64 { return l.Tranquility }),
	limit("understudy_limit_handoffs_first", "1 if revert jobs go first.", func(l status.Limits) float64 { return truth(l.HandoffsFirst) }),
	one("understudy_limits_changed", "Limits in force that are not the configuration's.", gauge, func(r *status.Report) float64 { return float64(len(r.Settings.Differ)) }),
	one("understudy_settings_persisted", "1 if the settings in force outlive a restart.", gauge, func(r *status.Report) float64 { return truth(r.Settings.Stored) }),
}
