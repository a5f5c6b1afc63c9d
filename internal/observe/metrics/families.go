package metrics

import (
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"understudy/internal/observe/status"
)

// family is one metric: how it is called and how a report gives its samples.
type family struct {
	Name    string
	Help    string
	Type    prometheus.ValueType
	Labels  []string
	samples func(r *status.Report, put func(value float64, labels ...string))
}

const (
	gauge   = prometheus.GaugeValue
	counter = prometheus.CounterValue
)

// one is a family of a single sample.
func one(name, help string, kind prometheus.ValueType, value func(*status.Report) float64) family {
	return family{Name: name, Help: help, Type: kind, samples: func(r *status.Report, put func(float64, ...string)) { put(value(r)) }}
}

// moment is a gauge that is left out while there is no such time.
func moment(name, help string, value func(*status.Report) time.Time) family {
	return family{Name: name, Help: help, Type: gauge, samples: func(r *status.Report, put func(float64, ...string)) {
		if t := value(r); !t.IsZero() {
			put(seconds(t))
		}
	}}
}

// each is a family with a sample for each device.
func each(name, help string, kind prometheus.ValueType, value func(*status.Device) float64) family {
	return family{Name: name, Help: help, Type: kind, Labels: []string{"device"}, samples: func(r *status.Report, put func(float64, ...string)) {
		for i := range r.Devices {
			put(value(&r.Devices[i]), r.Devices[i].Name)
		}
	}}
}

// eachMoment is each for times; a device that has none is left out.
func eachMoment(name, help string, value func(*status.Device) time.Time) family {
	return family{Name: name, Help: help, Type: gauge, Labels: []string{"device"}, samples: func(r *status.Report, put func(float64, ...string)) {
		for i := range r.Devices {
			if t := value(&r.Devices[i]); !t.IsZero() {
				put(seconds(t), r.Devices[i].Name)
			}
		}
	}}
}

func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// families are all metrics that a report gives, in the order of docs/metrics.md.
var families = concat(nodeFamilies, deviceFamilies, peerFamilies, settingFamilies)

func concat(parts ...[]family) []family {
	var all []family
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

var nodeFamilies = []family{
	{"understudy_build_info", "1, with the version of the program and of Go.", gauge, []string{"program", "version", "goversion"}, func(r *status.Report, put func(float64, ...string)) {
		put(1, r.Program.Name, r.Program.Version, runtime.Version())
	}},
	moment("understudy_start_time_seconds", "When the engine started.", func(r *status.Report) time.Time { return r.Program.Started }),
	moment("understudy_report_time_seconds", "When the engine made the report that these numbers are of.", func(r *status.Report) time.Time { return r.At }),
	{"understudy_verdict", "1 for the state of the node: healthy, paused, degraded or failing.", gauge, []string{"state"}, func(r *status.Report, put func(float64, ...string)) {
		oneHot(string(r.Verdict.State), verdicts, func(v float64, s string) { put(v, s) })
	}},
	one("understudy_faults_active", "1 while a fault plan is in force: things go wrong on purpose.", gauge, func(r *status.Report) float64 { return truth(r.Faults != nil) }),
	one("understudy_faults_fired", "Faults that have happened by the plan in force; 0 without one.", gauge, func(r *status.Report) float64 {
		if r.Faults == nil {
			return 0
		}
		return float64(r.Faults.Fired)
	}),
	one("understudy_paused", "1 while an operator holds the whole node back.", gauge, func(r *status.Report) float64 { return truth(r.Paused != nil) }),
	{"understudy_policy_state", "1 for the state of a policy.", gauge, []string{"policy", "state"}, policyStates},
	{"understudy_policy_paused", "1 while an operator leaves a policy out.", gauge, []string{"policy"}, policyPauses},
	one("understudy_rounds_total", "Rounds through all devices that have ended.", counter, func(r *status.Report) float64 { return float64(r.Round.Complete) }),
	moment("understudy_round_begin_time_seconds", "When the running round began; left out between two.", func(r *status.Report) time.Time { return r.Round.Begun }),
	one("understudy_round_jobs", "Jobs of the devices' running passes; grows while disks are listed.", gauge, func(r *status.Report) float64 { return float64(r.Round.Jobs) }),
	one("understudy_round_jobs_done", "Jobs of the devices' running passes that have ended.", gauge, func(r *status.Report) float64 { return float64(r.Round.Done) }),
	one("understudy_round_waiting_devices", "Devices that have not ended their pass of the running round.", gauge, func(r *status.Report) float64 { return float64(len(r.Round.Waiting)) }),
	{"understudy_round_eta_seconds", "Until the slowest device has ended its pass; left out while not known.", gauge, nil, func(r *status.Report, put func(float64, ...string)) {
		if r.Round.ETA >= 0 {
			put(r.Round.ETA)
		}
	}},
	one("understudy_jobs_total", "Jobs that have ended, of devices that left as well.", counter, func(r *status.Report) float64 { return float64(r.Totals.Jobs) }),
	one("understudy_job_failures_total", "Failures of jobs.", counter, func(r *status.Report) float64 { return float64(r.Totals.Failures) }),
	one("understudy_pushed_bytes_total", "Bytes of objects pushed to peers.", counter, func(r *status.Report) float64 { return float64(r.Totals.Bytes) }),
	one("understudy_hashed_suffixes_total", "Suffixes hashed.", counter, func(r *status.Report) float64 { return float64(r.Totals.Hashed) }),
	one("understudy_pushed_suffixes_total", "Suffixes pushed, one for each peer.", counter, func(r *status.Report) float64 { return float64(r.Totals.Pushed) }),
	one("understudy_removed_handoffs_total", "Handoff partitions given up.", counter, func(r *status.Report) float64 { return float64(r.Totals.Removed) }),
	one("understudy_actor_crashes_total", "Actors that crashed.", counter, func(r *status.Report) float64 { return float64(r.Crashes) }),
	one("understudy_actor_births_total", "Successors born after a crash.", counter, func(r *status.Report) float64 { return float64(r.Births) }),
	one("understudy_dead_letters_total", "Messages to actors that were gone.", counter, func(r *status.Report) float64 { return float64(r.DeadLetters) }),
	one("understudy_surveyed_partitions_in_flight", "Partitions of the surveys in flight.", gauge, func(r *status.Report) float64 {
		n := 0
		for _, d := range r.Devices {
			for _, j := range d.InFlight {
				n += j.Survey
			}
		}
		return float64(n)
	}),
	{"understudy_jobs_in_flight", "Jobs in flight by kind and phase.", gauge, []string{"kind", "phase"}, jobPhases},
}
