package page

import (
	"fmt"
	"html/template"
	"slices"
	"strings"
	"time"

	"understudy/internal/observe/status"
)

// nodeView is a report in words: all that is not about one device.
type nodeView struct {
	Title    string
	Icon     template.URL
	Program  status.Program
	At       *moment
	Verdict  status.Verdict
	Mark     string
	Up       string
	Profile  string
	Limits   []limitView
	Stored   bool
	Faults   *faultsView
	Holds    []string
	Plots    []plot
	Totals   totalsView
	Round    roundView
	Tally    []tallyView
	Devices  []deviceView
	InFlight int
	Policies []policyView
	Peers    []peerView
	Events   []eventView
	Crashes, Births,
	DeadLetters string
}

type faultsView struct {
	Until, Fired string
	Counts       []status.FaultCount
}

type totalsView struct{ Jobs, Failures, Bytes, Hashed, Pushed, Removed string }

type roundView struct {
	Running       bool
	Begun         *moment
	Complete      string
	Percent       int
	Done, Jobs    string
	ETA           string
	Waiting, Rest int // devices that have not ended their pass, and those that have
}

// tallyView is how many devices are of a class.
type tallyView struct {
	Class, Mark string
	Text        string
}

type limitView struct {
	Name, Value, Config string
	Differs             bool
}

type policyView struct {
	Index              int
	Name, State, Class string
	Why                string
	Paused             string
}

type peerView struct {
	Name, Lane, Breaker, Class, Why string
	Failures, Spared                string
	Since                           *moment
	Retry                           string
}

type eventView struct {
	At                            *moment
	Kind, Subject, Directive, Why string
}

var marks = map[status.State]string{status.Healthy: "✓", status.Paused: "‖", status.Degraded: "!", status.Failing: "✕"}

func viewNode(r *status.Report) *nodeView {
	at := r.At.UTC()
	v := &nodeView{
		Program: r.Program, At: since(at, at), Verdict: r.Verdict, Mark: marks[r.Verdict.State], Icon: icon(r.Verdict.State),
		Up: span(at.Sub(r.Program.Started)), Profile: r.Settings.Profile, Stored: r.Settings.Stored, Limits: viewLimits(r.Settings),
		Holds: holds(r), Totals: viewTotals(r.Totals), Round: viewRound(r, at),
		Crashes: plural(r.Crashes, "crash", "crashes"), Births: plural(r.Births, "birth", "births"),
		DeadLetters: plural(r.DeadLetters, "dead letter", "dead letters"),
	}
	if v.Mark == "" {
		v.Mark = "?"
	}
	v.Title = fmt.Sprintf("%s %s: %s", v.Mark, r.Program.Node, r.Verdict.State)
	if f := r.Faults; f != nil {
		v.Title = "FAULTS! " + v.Title
		v.Faults = &faultsView{Until: "until the process ends", Fired: count(f.Fired), Counts: f.Counts}
		if !f.Until.IsZero() {
			v.Faults.Until = "for " + span(f.Until.Sub(at)) + " more"
		}
	}
	if !r.Settings.Until.IsZero() {
		v.Profile += ", " + span(r.Settings.Until.Sub(at)) + " left"
	}
	v.Plots = []plot{
		drawn("Pushed to peers", "/s", r, r.Totals.ByteRate, func(p status.Point) float64 { return p.ByteRate }, size[float64]),
		drawn("Jobs", "/s", r, r.Totals.JobRate, func(p status.Point) float64 { return p.JobRate }, rate),
	}
	for i := range r.Devices {
		v.Devices = append(v.Devices, viewDevice(&r.Devices[i], at))
		v.InFlight += len(r.Devices[i].InFlight)
	}
	inOrder(v.Devices)
	v.Tally = tally(v.Devices)
	for _, p := range r.Policies {
		v.Policies = append(v.Policies, viewPolicy(p, at))
	}
	for _, p := range r.Peers {
		v.Peers = append(v.Peers, viewPeer(p, at))
	}
	for _, e := range slices.Backward(r.Events) {
		v.Events = append(v.Events, eventView{since(e.At, at), e.Kind, e.Subject, e.Directive, e.Why})
	}
	return v
}

func viewTotals(t status.Totals) totalsView {
	return totalsView{count(t.Jobs), count(t.Failures), size(t.Bytes), count(t.Hashed), count(t.Pushed), count(t.Removed)}
}

func viewRound(r *status.Report, at time.Time) roundView {
	waiting := len(r.Round.Waiting)
	return roundView{
		Running: !r.Round.Begun.IsZero(), Begun: since(r.Round.Begun, at), Complete: count(r.Round.Complete),
		Percent: percent(r.Round.Done, r.Round.Jobs), Done: count(r.Round.Done), Jobs: count(r.Round.Jobs),
		ETA: eta(r.Round.ETA), Waiting: waiting, Rest: max(0, len(r.Devices)-waiting),
	}
}

var classes = []tallyView{
	{"trouble", "✕", "out of service"},
	{"warned", "!", "with warnings"},
	{"held", "‖", "paused"},
	{"busy", "●", "at work"},
	{"idle", "○", "resting"},
}

func tally(devices []deviceView) []tallyView {
	var out []tallyView
	for _, c := range classes {
		n := 0
		for _, d := range devices {
			if d.Class == c.Class {
				n++
			}
		}
		if n > 0 {
			out = append(out, tallyView{c.Class, c.Mark, fmt.Sprintf("%d %s", n, c.Text)})
		}
	}
	return out
}

// timeLeft of a pause.
func timeLeft(p status.Pause, at time.Time) string {
	if p.Until.IsZero() {
		return "until it is resumed"
	}
	return span(p.Until.Sub(at)) + " left"
}

// holds are the operators' pauses, one line each.
func holds(r *status.Report) []string {
	var out []string
	add := func(what string, p *status.Pause) {
		if p != nil {
			begun := ""
			if !p.Since.IsZero() {
				begun = " since " + clock(p.Since.UTC(), r.At)
			}
			out = append(out, fmt.Sprintf("%s paused%s, %s", what, begun, timeLeft(*p, r.At)))
		}
	}
	add("the node is", r.Paused)
	for _, d := range r.Devices {
		add("device "+d.Name+" is", d.Paused)
	}
	for _, p := range r.Policies {
		add("policy "+p.Name+" is", p.Paused)
	}
	for _, p := range r.Peers {
		if p.Breaker == "paused" {
			add("peer "+p.Name+" is", &status.Pause{Since: p.Since, Until: p.Retry})
		}
	}
	return out
}

func viewPolicy(p status.Policy, at time.Time) policyView {
	v := policyView{Index: p.Index, Name: p.Name, State: p.State, Why: p.Why, Class: "warned"}
	switch {
	case p.Paused != nil:
		v.Paused, v.Class = timeLeft(*p.Paused, at), "held"
	case p.State == "active":
		v.Class = "idle"
	}
	return v
}

func viewPeer(p status.Peer, at time.Time) peerView {
	v := peerView{
		Name: p.Name, Lane: p.Lane, Breaker: p.Breaker, Class: "trouble", Why: p.Why,
		Failures: count(p.Failures), Spared: count(p.Spared), Since: since(p.Since, at),
	}
	switch p.Breaker {
	case "half-open":
		v.Class = "warned"
	case "paused":
		v.Class = "held"
	}
	if p.Retry.After(at) {
		v.Retry = span(p.Retry.Sub(at))
	}
	return v
}

// viewLimits are the limits in force, with what the configuration says where it is
// something else.
func viewLimits(s status.Settings) []limitView {
	bound := func(s string, none bool) string {
		if none {
			return "no bound"
		}
		return s
	}
	written := func(l status.Limits) []limitView {
		return []limitView{
			{Name: "jobs", Value: count(l.Jobs)},
			{Name: "device_jobs", Value: bound(count(l.DeviceJobs), l.DeviceJobs == 0)},
			{Name: "bytes_per_second", Value: bound(size(l.Bytes)+"/s", l.Bytes == 0)},
			{Name: "device_bytes_per_second", Value: bound(size(l.DeviceBytes)+"/s", l.DeviceBytes == 0)},
			{Name: "hashes_per_second", Value: bound(rate(l.Hashes), l.Hashes == 0)},
			{Name: "tranquility", Value: rate(l.Tranquility)},
			{Name: "handoffs_first", Value: map[bool]string{true: "yes", false: "no"}[l.HandoffsFirst]},
		}
	}
	limits, config := written(s.Limits), written(s.Config)
	for i := range limits {
		limits[i].Config = config[i].Value
		limits[i].Differs = slices.Contains(s.Differ, limits[i].Name)
		limits[i].Name = strings.ReplaceAll(limits[i].Name, "_", " ")
	}
	return limits
}
