package metrics

import (
	"time"

	"understudy/internal/observe/status"
	"understudy/messages"
)

var (
	verdicts = []string{string(status.Healthy), string(status.Paused), string(status.Degraded), string(status.Failing)}
	states   = []string{
		messages.StateResting, messages.StateListing, messages.StateRunning, messages.StateUnmounted,
		messages.StateFailing, messages.StateStalled, messages.StateBackingOff,
	}
	disks  = []string{"fine", "read-only", "full"}
	causes = []string{
		string(messages.CausePeer), string(messages.CauseUnmounted), string(messages.CausePush), string(messages.CauseDisk),
		string(messages.CauseLocked), string(messages.CauseStuck), string(messages.CauseCrash), string(messages.CauseOther),
	}
)

var deviceFamilies = []family{
	{"understudy_device_state", "1 for the state of a device.", gauge, []string{"device", "state"}, func(r *status.Report, put func(float64, ...string)) {
		for _, d := range r.Devices {
			oneHot(d.State, states, func(v float64, s string) { put(v, d.Name, s) })
		}
	}},
	{"understudy_device_disk", "1 for what a disk is good for.", gauge, []string{"device", "condition"}, func(r *status.Report, put func(float64, ...string)) {
		for _, d := range r.Devices {
			oneHot(d.Disk, disks, func(v float64, s string) { put(v, d.Name, s) })
		}
	}},
	each("understudy_device_in_service", "1 while a device is in service.", gauge, func(d *status.Device) float64 { return truth(d.InService) }),
	eachMoment("understudy_device_state_begin_time_seconds", "When the state of a device began.", func(d *status.Device) time.Time { return d.Since }),
	each("understudy_device_paused", "1 while an operator holds a device back.", gauge, func(d *status.Device) float64 { return truth(d.Paused != nil) }),
	each("understudy_device_stuck_calls", "Calls on a disk that have not returned in time.", gauge, func(d *status.Device) float64 { return float64(d.Stuck) }),
	each("understudy_device_restarts_total", "Crashes of a device's actor.", counter, func(d *status.Device) float64 { return float64(d.Restarts) }),
	each("understudy_device_passes_total", "Complete passes of a device.", counter, func(d *status.Device) float64 { return float64(d.Passes) }),
	eachMoment("understudy_device_last_complete_pass_time_seconds", "End of the last complete pass; left out before the first.", func(d *status.Device) time.Time { return d.Complete }),
	each("understudy_device_pass_running", "1 while a pass runs.", gauge, func(d *status.Device) float64 { return truth(d.Pass.Running) }),
	eachMoment("understudy_device_pass_begin_time_seconds", "When the running or last pass began.", func(d *status.Device) time.Time { return d.Pass.Begun }),
	each("understudy_device_pass_jobs", "Jobs of the running or last pass.", gauge, func(d *status.Device) float64 { return float64(d.Pass.Jobs) }),
	each("understudy_device_pass_jobs_done", "Jobs of that pass that have ended.", gauge, func(d *status.Device) float64 { return float64(d.Pass.Done) }),
	each("understudy_device_pass_pushed_bytes", "Bytes pushed in that pass.", gauge, func(d *status.Device) float64 { return float64(d.Pass.Bytes) }),
	{"understudy_device_pass_stats", "Numbers of that pass under Swift's names.", gauge, []string{"device", "stat"}, passStats},
	{"understudy_device_pass_failures", "Jobs of that pass that a cause ended or disturbed.", gauge, []string{"device", "cause"}, passFailures},
	each("understudy_device_failed_peers", "Peers that failed in that pass.", gauge, func(d *status.Device) float64 { return float64(len(d.Peers)) }),
	{"understudy_device_eta_seconds", "Until the running pass ends, 0 while none runs; left out while not known.", gauge, []string{"device"}, func(r *status.Report, put func(float64, ...string)) {
		for _, d := range r.Devices {
			if d.ETA >= 0 {
				put(d.ETA, d.Name)
			}
		}
	}},
	each("understudy_device_handoffs", "Handoff partitions left by the last pass.", gauge, func(d *status.Device) float64 { return float64(d.Handoffs) }),
	each("understudy_device_waiting_partitions", "Partitions that wait.", gauge, func(d *status.Device) float64 { return float64(d.Waiting) }),
	each("understudy_device_jobs_in_flight", "Jobs in flight on a device.", gauge, func(d *status.Device) float64 { return float64(len(d.InFlight)) }),
	each("understudy_device_in_flight_bytes", "Bytes pushed so far by the jobs in flight.", gauge, func(d *status.Device) float64 {
		n := int64(0)
		for _, j := range d.InFlight {
			n += j.Bytes
		}
		return float64(n)
	}),
	eachMoment("understudy_device_oldest_job_begin_time_seconds", "When the oldest job in flight began; left out while there is none.", func(d *status.Device) time.Time {
		var oldest time.Time
		for _, j := range d.InFlight {
			if oldest.IsZero() || j.Begun.Before(oldest) {
				oldest = j.Begun
			}
		}
		return oldest
	}),
	each("understudy_device_jobs_total", "Jobs of a device that have ended.", counter, func(d *status.Device) float64 { return float64(d.Totals.Jobs) }),
	each("understudy_device_job_failures_total", "Failures of a device's jobs.", counter, func(d *status.Device) float64 { return float64(d.Totals.Failures) }),
	each("understudy_device_pushed_bytes_total", "Bytes of objects pushed from a device.", counter, func(d *status.Device) float64 { return float64(d.Totals.Bytes) }),
	each("understudy_device_hashed_suffixes_total", "Suffixes hashed on a device.", counter, func(d *status.Device) float64 { return float64(d.Totals.Hashed) }),
	each("understudy_device_pushed_suffixes_total", "Suffixes pushed from a device, one for each peer.", counter, func(d *status.Device) float64 { return float64(d.Totals.Pushed) }),
	each("understudy_device_removed_handoffs_total", "Handoff partitions of a device given up.", counter, func(d *status.Device) float64 { return float64(d.Totals.Removed) }),
}

func passStats(r *status.Report, put func(float64, ...string)) {
	for _, d := range r.Devices {
		s := d.Pass.Stats
		for _, x := range []struct {
			name string
			n    int
		}{
			{"attempted", s.Attempted},
			{"failure", s.Failure},
			{"hashmatch", s.HashMatch},
			{"remove", s.Remove},
			{"rsync", s.Rsync},
			{"success", s.Success},
			{"suffix_count", s.SuffixCount},
			{"suffix_hash", s.SuffixHash},
			{"suffix_sync", s.SuffixSync},
		} {
			put(float64(x.n), d.Name, x.name)
		}
	}
}

func passFailures(r *status.Report, put func(float64, ...string)) {
	for _, d := range r.Devices {
		counts := map[string]int{}
		for _, c := range d.Failures {
			counts[known(c.Why, causes, "other")] += c.Count
		}
		for _, why := range causes {
			put(float64(counts[why]), d.Name, why)
		}
	}
}
