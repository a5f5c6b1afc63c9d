package page

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"understudy/internal/observe/status"
	"understudy/messages"
)

// deviceView is a device in words.
type deviceView struct {
	ID        string // of its element
	Name      string
	State     string
	Class     string // "trouble", "warned", "held", "busy" or "idle": its colour, beside the words
	Mark      string // the same as a sign
	Words     string // what the filter finds
	Since     *moment
	Disk      string // empty when fine
	Why       string
	Action    string
	Paused    string
	Stuck     int
	Restarts  int
	Percent   int
	Done      string
	Jobs      string
	Running   bool
	Cut       string
	Begun     *moment
	InFlight  []jobView
	JobRate   string
	ByteRate  string
	ETA       string
	Failures  string
	Causes    []status.Cause
	Peers     []peerCount
	MorePeers int
	LastError *troubleView
	Handoffs  string
	Complete  *moment
	Passes    string
	Waiting   string
	Totals    totalsView
	past      []status.Pass // the newest last
	at        time.Time     // of the report
	rank      int
}

type jobView struct {
	Kind, Phase, Letter, Policy, Partition, Peer string
	Age, PhaseAge, Bytes                         string
	Stuck                                        bool
}

type troubleView struct {
	At                *moment
	Policy, Partition string
	Text              string
}

type passView struct {
	Begun, Ended                             *moment
	Took, Jobs, Failure, Pushed, Removed, By string
	Hashed, Cut                              string
}

type peerCount struct {
	Name  string
	Count int
}

const (
	shownPeers   = 5
	shownHistory = 10
	shownJobs    = 64 // in flight on one device; more are counted
)

func viewDevice(d *status.Device, at time.Time) deviceView {
	v := deviceView{
		ID: deviceID(d.Name), Name: d.Name, State: d.State, Since: since(d.Since, at), Why: d.Why, Action: d.Action,
		Stuck: d.Stuck, Restarts: d.Restarts, Percent: percent(d.Pass.Done, d.Pass.Jobs),
		Done: count(d.Pass.Done), Jobs: count(d.Pass.Jobs), Running: d.Pass.Running, Cut: d.Pass.Cut,
		Begun: since(d.Pass.Begun, at), JobRate: rate(d.Totals.JobRate), ByteRate: size(d.Totals.ByteRate), ETA: eta(d.ETA),
		Causes: d.Failures, Handoffs: count(d.Handoffs), Complete: since(d.Complete, at), Passes: count(d.Passes),
		Waiting: count(d.Waiting), Totals: viewTotals(d.Totals),
	}
	if d.Disk != "fine" {
		v.Disk = d.Disk
	}
	if d.Paused != nil {
		v.Paused = timeLeft(*d.Paused, at)
	}
	failures := d.Pass.Stats.Failure
	if failures > 0 {
		v.Failures = count(failures)
	}
	v.rank, v.Class, v.Mark = class(d, failures)
	v.Words = strings.ToLower(strings.Join([]string{d.Name, d.State, v.Disk, v.Class, held(d.Paused)}, " "))
	for _, j := range d.InFlight[:min(len(d.InFlight), shownJobs)] {
		v.InFlight = append(v.InFlight, viewJob(j, at))
	}
	v.Peers, v.MorePeers = worst(d.Peers)
	if e := d.LastError; e != nil {
		v.LastError = &troubleView{At: since(e.At, at), Policy: fmt.Sprint(e.Policy), Partition: fmt.Sprint(e.Partition), Text: e.Text}
	}
	v.past, v.at = d.History[max(0, len(d.History)-shownHistory):], at
	return v
}

// class of a device: the lowest rank is shown first.
func class(d *status.Device, failures int) (rank int, class, mark string) {
	switch {
	case d.State == messages.StateStalled:
		return 0, "trouble", "✕"
	case !d.InService:
		return 1, "trouble", "✕"
	case d.Stuck > 0:
		return 2, "warned", "!"
	case d.Disk != "fine" && d.Disk != "":
		return 3, "warned", "!"
	case d.Paused != nil:
		return 4, "held", "‖"
	case failures > 0:
		return 5, "warned", "!"
	case d.State == messages.StateResting:
		return 7, "idle", "○"
	}
	return 6, "busy", "●"
}

func held(p *status.Pause) string {
	if p == nil {
		return ""
	}
	return "paused"
}

func viewJob(j status.Job, at time.Time) jobView {
	v := jobView{
		Kind: j.Kind, Phase: j.Phase, Policy: fmt.Sprint(j.Policy), Partition: fmt.Sprint(j.Partition), Peer: j.Peer,
		Age: span(at.Sub(j.Begun)), PhaseAge: span(at.Sub(j.Since)), Stuck: j.Stuck, Letter: "·",
	}
	for _, letter := range j.Phase {
		v.Letter = strings.ToUpper(string(letter))
		break
	}
	if j.Kind == "survey" {
		v.Partition = count(j.Survey) + " together"
	}
	if j.Bytes > 0 {
		v.Bytes = size(j.Bytes)
	}
	return v
}

// History is made when it is shown: it is long, and changes with each pass only.
func (d *deviceView) History() (passes []passView) {
	for _, p := range slices.Backward(d.past) {
		passes = append(passes, viewPass(p, d.at))
	}
	return passes
}

func viewPass(p status.Pass, at time.Time) passView {
	v := passView{
		Begun: since(p.Begun, at), Ended: since(p.Ended, at), Jobs: count(p.Done), Failure: count(p.Stats.Failure),
		Pushed: count(p.Stats.SuffixSync), Removed: count(p.Stats.Remove), By: size(p.Bytes),
		Hashed: count(p.Stats.SuffixHash), Cut: p.Cut,
	}
	if p.Done < p.Jobs {
		v.Jobs += " of " + count(p.Jobs)
	}
	if !p.Begun.IsZero() && !p.Ended.IsZero() {
		v.Took = span(p.Ended.Sub(p.Begun))
	}
	return v
}

// worst are the peers with most failures, and how many others there are.
func worst(failed map[string]int) ([]peerCount, int) {
	var all []peerCount
	for name, n := range failed {
		all = append(all, peerCount{name, n})
	}
	slices.SortFunc(all, func(a, b peerCount) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Name, b.Name))
	})
	shown := min(len(all), shownPeers)
	return all[:shown], len(all) - shown
}

// inOrder puts trouble first, and names as people count them.
func inOrder(devices []deviceView) {
	slices.SortStableFunc(devices, func(a, b deviceView) int {
		return cmp.Or(cmp.Compare(a.rank, b.rank), natural(a.Name, b.Name))
	})
}

// natural compares names so that d2 comes before d10.
func natural(a, b string) int {
	for a != "" && b != "" {
		na, nb := leadingDigits(a), leadingDigits(b)
		if na > 0 && nb > 0 {
			x, y := strings.TrimLeft(a[:na], "0"), strings.TrimLeft(b[:nb], "0")
			if c := cmp.Or(cmp.Compare(len(x), len(y)), cmp.Compare(x, y)); c != 0 {
				return c
			}
			a, b = a[na:], b[nb:]
			continue
		}
		if a[0] != b[0] {
			return cmp.Compare(a[0], b[0])
		}
		a, b = a[1:], b[1:]
	}
	return cmp.Compare(len(a), len(b))
}

func leadingDigits(s string) int {
	return len(s) - len(strings.TrimLeft(s, "0123456789"))
}

// deviceID is a name that an element may have. Names come from rings and may be
// anything.
func deviceID(name string) string {
	for _, c := range []byte(name) {
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_') {
			return "devicex-" + hex.EncodeToString([]byte(name))
		}
	}
	return "device-" + name
}
