package text

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"understudy/internal/observe/status"
	"understudy/messages"
)

// Status is what "understudy status" prints: how the node stands and what to do
// first, then its disks, then what is out of the ordinary.
func Status(r *status.Report, style Style) string {
	s := newSheet(style)
	s.head(r)
	s.blank()
	s.devices(r)
	s.peers(r)
	s.policies(r)
	s.settings(r)
	return s.String()
}

// Device is what is known of the devices of a report: for "understudy status
// --device", whose report holds only those that were asked for.
func Device(r *status.Report, style Style) string {
	s := newSheet(style)
	s.devices(r)
	for _, d := range r.Devices {
		s.blank()
		s.detail(r.At, &d)
	}
	return s.String()
}

// stateInk is the colour of a verdict.
func stateInk(state status.State) ink {
	switch state {
	case status.Healthy:
		return green
	case status.Paused, status.Degraded:
		return yellow
	case status.Failing:
		return red
	}
	return plain
}

func (s *sheet) head(r *status.Report) {
	s.faults(r)
	p := r.Program
	s.put(fmt.Sprintf("  node: %s, pid %d, up %s, %s", p.Node, p.PID, since(r.At, p.Started), p.Version), plain)
	s.line(span{" state: ", plain}, span{strings.ToUpper(string(r.Verdict.State)), stateInk(r.Verdict.State)}, span{pauseNote(r.At, r.Paused), yellow})
	if r.Verdict.Summary != "" {
		s.paragraph("   why: ", r.Verdict.Summary, plain)
	}
	if r.Verdict.Action != "" {
		s.paragraph("action: ", r.Verdict.Action, bold)
	}
	s.put(" round: "+round(r), plain)
	t := r.Totals
	s.put(fmt.Sprintf("  rate: %s jobs/s, %s/s", several(t.JobRate), Bytes(int64(t.ByteRate))), plain)
	s.put(fmt.Sprintf(" total: %s, %s, %s pushed since the start", plural(t.Jobs, "job"), plural(t.Failures, "failure"), Bytes(t.Bytes)), plain)
	if r.Crashes > 0 {
		s.put(fmt.Sprintf("actors: %s, %s; see \"understudy events\"", plural(int64(r.Crashes), "crash"), plural(int64(r.Births), "birth")), yellow)
	}
}

// pauseNote says that something is paused, and for how long.
func pauseNote(at time.Time, p *status.Pause) string {
	switch {
	case p == nil:
		return ""
	case p.Until.IsZero():
		return fmt.Sprintf(", paused %s ago until it is resumed", since(at, p.Since))
	}
	return fmt.Sprintf(", paused for %s more", until(at, p.Until))
}

func round(r *status.Report) string {
	o := r.Round
	done := fmt.Sprintf("%d complete", o.Complete)
	if o.Begun.IsZero() {
		return done + "; between two rounds"
	}
	text := fmt.Sprintf("%s; running for %s, %s of %s jobs", done, since(r.At, o.Begun), Count(int64(o.Done)), Count(int64(o.Jobs)))
	if o.Jobs > 0 {
		text += " (" + percent(o.Done, o.Jobs) + ")"
	}
	if o.ETA > 0 {
		text += ", done in " + seconds(o.ETA)
	}
	return text
}

// nameWidth bounds the first column, so that the others have room.
const nameWidth = 16

// columnsOf is the layout of the line of a device; the name comes before.
const columnsOf = "  %s  %6s  %4s  %7s  %6s  %8s  %8s"

func (s *sheet) devices(r *status.Report) {
	name := len("device")
	for _, d := range r.Devices {
		name = max(name, width(Clean(d.Name)))
	}
	name = min(name, nameWidth)
	s.put(pad("device", name)+fmt.Sprintf(columnsOf, pad("state", 11), "since", "pass", "rate", "eta", "handoffs", "failures"), faint)
	for _, d := range r.Devices {
		s.device(r.At, &d, name)
	}
	if len(r.Devices) == 0 {
		s.put("none", faint)
	}
}

func (s *sheet) device(at time.Time, d *status.Device, name int) {
	eta := "-"
	if d.ETA != 0 {
		eta = seconds(d.ETA)
	}
	rest := fmt.Sprintf(strings.Replace(columnsOf, "  %s", "", 1), since(at, d.Since), percent(d.Pass.Done, d.Pass.Jobs), rate(d.Totals.JobRate),
		eta, Count(int64(d.Handoffs)), Count(int64(d.Pass.Stats.Failure)))
	s.line(span{pad(d.Name, name) + "  ", plain}, span{pad(d.State, 11), deviceInk(d)}, span{rest, plain})
	if note := deviceNote(at, d); note != "" {
		s.paragraph("  ", note, yellow)
	}
	if d.Why != "" {
		s.paragraph("  why: ", d.Why, plain)
	}
	if d.Action != "" {
		s.paragraph("  do:  ", d.Action, bold)
	}
}

func deviceInk(d *status.Device) ink {
	switch {
	case d.State == messages.StateBackingOff:
		return yellow
	case !d.InService:
		return red
	}
	return plain
}

// deviceNote is what beside its state is out of the ordinary.
func deviceNote(at time.Time, d *status.Device) string {
	var notes []string
	if d.Disk != "fine" && d.Disk != "" {
		notes = append(notes, d.Disk)
	}
	if d.Paused != nil {
		notes = append(notes, strings.TrimPrefix(pauseNote(at, d.Paused), ", "))
	}
	if d.Stuck > 0 {
		notes = append(notes, plural(int64(d.Stuck), "call")+" stuck")
	}
	if d.Restarts > 0 {
		notes = append(notes, plural(int64(d.Restarts), "restart"))
	}
	return strings.Join(notes, ", ")
}

func (s *sheet) peers(r *status.Report) {
	if len(r.Peers) == 0 {
		return
	}
	s.blank()
	s.put("peers that are not asked", faint)
	for _, p := range r.Peers {
		line := fmt.Sprintf("  %s  %s", p.Name, p.Breaker)
		if p.Lane != "" {
			line += " for " + p.Lane
		}
		if !p.Since.IsZero() {
			line += " since " + since(r.At, p.Since)
		}
		switch {
		case p.Retry.IsZero():
		case p.Retry.After(r.At):
			line += ", next try in " + until(r.At, p.Retry)
		default:
			line += ", next try with the next job"
		}
		if p.Spared > 0 {
			line += ", " + plural(int64(p.Spared), "job") + " spared"
		}
		s.put(line, plain)
		if p.Why != "" {
			s.paragraph("    ", p.Why, plain)
		}
	}
}

func (s *sheet) policies(r *status.Report) {
	odd := slices.DeleteFunc(slices.Clone(r.Policies), func(p status.Policy) bool { return p.State == "active" && p.Paused == nil })
	if len(odd) == 0 {
		return
	}
	s.blank()
	s.put("policies that are left out", faint)
	for _, p := range odd {
		why := cmp.Or(p.Why, p.State)
		if p.Paused != nil {
			why = strings.TrimPrefix(pauseNote(r.At, p.Paused), ", ")
		}
		s.put(fmt.Sprintf("  %d (%s)  %s", p.Index, p.Name, why), plain)
	}
}
