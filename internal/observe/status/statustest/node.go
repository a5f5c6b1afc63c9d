package statustest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"understudy/internal/observe/status"
	"understudy/messages"
)

// Node is a report of a node with as many devices at a moment. One in twelve is out
// of service. The same arguments make the same report.
func Node(devices int, at time.Time) *status.Report {
	random := rand.New(rand.NewPCG(7, uint64(devices)))
	r := &status.Report{
		Version: status.Version, At: at,
		Program: status.Program{
			Name: "object-replicator", Version: "1.0.0", Node: "storage-07.example.net", PID: 4403,
			Started: at.Add(-51*time.Hour - 12*time.Minute), Config: "/etc/swift/object-server.conf",
		},
		Round: status.Round{Complete: 17, Begun: at.Add(-2*time.Hour - 5*time.Minute), ETA: 4320},
		Policies: []status.Policy{
			{Index: 0, Name: "gold", State: "active"},
			{Index: 1, Name: "silver", State: "active"},
		},
		Settings: settings(),
		Crashes:  1, Births: 1, DeadLetters: 2,
	}
	r.Verdict = status.Verdict{State: status.Healthy, Summary: fmt.Sprintf("All %d devices are in service.", devices)}
	for i := range devices {
		d := device(fmt.Sprintf("d%d", i+1), i, at, random)
		r.Devices = append(r.Devices, d)
		r.Round.Done += d.Pass.Done
		r.Round.Jobs += d.Pass.Jobs
		if d.Pass.Running {
			r.Round.Waiting = append(r.Round.Waiting, d.Name)
		}
		add(&r.Totals, d.Totals)
	}
	r.Plot = plot(r.Totals.Rates, at, random)
	for i := range devices {
		switch i % 24 {
		case 4:
			Stall(r, r.Devices[i].Name)
		case 16:
			out(r, i, messages.StateUnmounted, "the device is not mounted", "Mount it: the next probe takes it in again.")
		case 9:
			r.Devices[i].Disk = "full"
		}
	}
	if devices > 8 {
		r.Peers = peers(at)
		r.Devices[6].Paused = &status.Pause{Since: at.Add(-8 * time.Minute), Until: at.Add(22 * time.Minute)}
		r.Devices[1].Restarts = 1
	}
	r.Events = events(at)
	return r
}

func settings() status.Settings {
	config := status.Limits{Jobs: 16, DeviceJobs: 4}
	limits := config
	limits.Bytes = 100 << 20
	return status.Settings{Profile: "balanced", Limits: limits, Config: config, Differ: []string{"bytes_per_second"}}
}

func plot(mean status.Rates, at time.Time, random *rand.Rand) []status.Point {
	var points []status.Point
	for i := range 150 {
		wave := 1 + 0.45*math.Sin(float64(i)/11) + 0.25*math.Sin(float64(i)/4) + 0.2*random.Float64()
		points = append(points, status.Point{
			At:    at.Add(time.Duration(i-149) * 2 * time.Second),
			Rates: status.Rates{JobRate: mean.JobRate * wave, ByteRate: mean.ByteRate * wave},
		})
	}
	return points
}

func device(name string, i int, at time.Time, random *rand.Rand) status.Device {
	jobs := 18000 + random.IntN(4000)
	d := status.Device{
		Name: name, State: messages.StateRunning, InService: true, Since: at.Add(-time.Duration(20+random.IntN(100)) * time.Minute),
		Disk: "fine", Complete: at.Add(-time.Duration(130+random.IntN(60)) * time.Minute), Passes: 16 + random.IntN(3),
		Handoffs: random.IntN(3) * random.IntN(40), ETA: float64(600 + random.IntN(5000)), Waiting: jobs / 2,
		Pass: pass(at.Add(-2*time.Hour), jobs, random),
	}
	d.Pass.Running, d.Pass.Ended = true, time.Time{}
	d.Pass.Done = jobs * (30 + random.IntN(60)) / 100
	for h := range 10 {
		d.History = append(d.History, pass(at.Add(-time.Duration(2+3*(10-h))*time.Hour), jobs, random))
	}
	if i%7 == 5 {
		d.State, d.Pass = messages.StateResting, d.History[9]
		d.ETA, d.Waiting = 0, 0
	} else {
		for range 1 + random.IntN(3) {
			d.InFlight = append(d.InFlight, job(at, random))
		}
		d.Totals.Rates = status.Rates{JobRate: 1 + 3*random.Float64(), ByteRate: 4e6 * random.Float64()}
	}
	if d.Pass.Stats.Failure > 0 {
		d.Failures = []status.Cause{{Why: "peer", Count: d.Pass.Stats.Failure/2 + 1}, {Why: "locked", Count: d.Pass.Stats.Failure / 2}}
		d.LastError = &status.Trouble{
			At: at.Add(-time.Duration(random.IntN(3000)) * time.Second), Policy: 0, Partition: random.Uint32N(1 << 18),
			Text: "ask 10.0.0.9:6200/d4: connect: connection refused",
		}
	}
	n := int64(d.Passes) * int64(jobs)
	rates := d.Totals.Rates
	d.Totals = status.Totals{Jobs: n, Failures: n / 4000, Bytes: n * 91000, Hashed: n / 3, Pushed: n / 40, Removed: n / 900, Rates: rates}
	return d
}

func pass(begun time.Time, jobs int, random *rand.Rand) status.Pass {
	failures := max(0, random.IntN(12)-7)
	return status.Pass{
		Begun: begun, Ended: begun.Add(time.Duration(100+random.IntN(70)) * time.Minute), Done: jobs, Jobs: jobs,
		Bytes: int64(jobs) * int64(60000+random.IntN(90000)),
		Stats: status.Stats{
			Attempted: jobs, Failure: failures, HashMatch: 2*jobs - 40, Remove: random.IntN(60), Rsync: 40,
			Success: 2*jobs - failures, SuffixCount: jobs * 9, SuffixHash: jobs / 3, SuffixSync: 40 + random.IntN(900),
		},
	}
}

var phases = map[string][]string{
	"update": {"hashing", "asking", "rehashing", "syncing"},
	"revert": {"holding", "pushing", "removing"},
	"survey": {"hashing", "comparing"},
}

func job(at time.Time, random *rand.Rand) status.Job {
	kind := []string{"update", "update", "revert", "survey"}[random.IntN(4)]
	since := at.Add(-time.Duration(random.IntN(9000)) * time.Millisecond)
	j := status.Job{
		Kind: kind, Policy: random.IntN(2), Partition: random.Uint32N(1 << 18), Phase: phases[kind][random.IntN(len(phases[kind]))],
		Begun: since.Add(-time.Duration(random.IntN(4000)) * time.Millisecond), Since: since,
	}
	if kind == "survey" {
		j.Partition, j.Survey = 0, 1+random.IntN(1024)
	}
	if j.Phase == "asking" || j.Phase == "syncing" || j.Phase == "pushing" {
		j.Peer = fmt.Sprintf("10.0.0.%d:6200/d%d", 1+random.IntN(12), 1+random.IntN(12))
	}
	if j.Phase == "syncing" || j.Phase == "pushing" {
		j.Bytes = random.Int64N(60 << 20)
	}
	return j
}

// Stall makes a device of a new report stalled, and the node degraded.
func Stall(r *status.Report, name string) {
	for i := range r.Devices {
		if r.Devices[i].Name == name {
			r.Devices[i].Stuck = 2
			out(r, i, messages.StateStalled, "probe: a call has not returned in time",
				"Look at the kernel's log for this disk; replace or repair it. It is back when its calls return.")
		}
	}
}

func out(r *status.Report, i int, state, why, action string) {
	d := &r.Devices[i]
	d.State, d.InService, d.Why, d.Action = state, false, why, action
	d.Since = r.At.Add(-11 * time.Minute)
	d.InFlight, d.ETA, d.Totals.Rates = nil, -1, status.Rates{}
	d.Pass.Running, d.Pass.Cut = false, why
	n, first := 0, ""
	for _, d := range r.Devices {
		if !d.InService {
			n++
			if first == "" || d.State == messages.StateStalled {
				first = d.Name
			}
		}
	}
	r.Verdict = status.Verdict{
		State:   status.Degraded,
		Summary: fmt.Sprintf("%d of %d devices are out of service; the others go on.", n, len(r.Devices)),
		Action:  fmt.Sprintf("Look at the kernel's log for %s: calls on it hang. It is back when they return.", first),
	}
}

func peers(at time.Time) []status.Peer {
	return []status.Peer{
		{
			Name: "10.0.0.9:6200", Lane: "replicate", Breaker: "open", Failures: 4, Why: "connect: connection refused",
			Since: at.Add(-6 * time.Minute), Retry: at.Add(41 * time.Second), Spared: 311,
		},
		{
			Name: "10.0.0.11:6200/d2", Lane: "sync", Breaker: "half-open", Failures: 1, Why: "no answer within 60 s",
			Since: at.Add(-90 * time.Second), Spared: 12,
		},
		{
			Name: "10.0.0.12:6200", Lane: "native", Breaker: "refused", Failures: 1, Why: "its object ring has another version",
			Since: at.Add(-2 * time.Minute), Retry: at.Add(8 * time.Minute), Spared: 1024,
		},
	}
}

func events(at time.Time) []status.Event {
	return []status.Event{
		{At: at.Add(-40 * time.Hour), Kind: "crash", Subject: "supervisor/device-d2-1", Directive: "stop", Why: "index out of range [3] with length 3"},
		{At: at.Add(-40*time.Hour + time.Second), Kind: "birth", Subject: "d2"},
		{At: at.Add(-11 * time.Minute), Kind: "device", Subject: "d5", Why: "stalled: probe: a call has not returned in time"},
		{At: at.Add(-8 * time.Minute), Kind: "control", Subject: "d7", Why: "paused for 30 min"},
		{At: at.Add(-3 * time.Minute), Kind: "dead letter", Subject: "supervisor/device-d5-1/partition-77", Why: "*actors.answer"},
	}
}

func add(sum *status.Totals, t status.Totals) {
	sum.Jobs += t.Jobs
	sum.Failures += t.Failures
	sum.Bytes += t.Bytes
	sum.Hashed += t.Hashed
	sum.Pushed += t.Pushed
	sum.Removed += t.Removed
	sum.JobRate += t.JobRate
	sum.ByteRate += t.ByteRate
}
