package text

import (
	"fmt"
	"time"

	"understudy/internal/observe/status"
)

// Tree is what "understudy tree" prints: the devices under the supervisor, and
// under each the jobs in flight.
func Tree(r *status.Report, style Style) string {
	s := newSheet(style)
	s.put(fmt.Sprintf("supervisor  %s, %s, %s", plural(int64(r.Crashes), "crash"), plural(int64(r.Births), "birth"),
		plural(int64(r.DeadLetters), "dead letter")), plain)
	for i := range r.Devices {
		twig, bough := "├── ", "│   "
		if i == len(r.Devices)-1 {
			twig, bough = "└── ", "    "
		}
		d := &r.Devices[i]
		s.line(span{twig + d.Name + "  ", plain}, span{d.State, deviceInk(d)}, span{branch(r.At, d), plain})
		for j, job := range d.InFlight {
			leaf := "├── "
			if j == len(d.InFlight)-1 {
				leaf = "└── "
			}
			s.job(bough+leaf, r.At, &job)
		}
	}
	return s.String()
}

func branch(at time.Time, d *status.Device) string {
	text := " for " + since(at, d.Since)
	if d.Pass.Running {
		text += fmt.Sprintf(", %s of %s jobs", Count(int64(d.Pass.Done)), Count(int64(d.Pass.Jobs)))
	}
	if d.Waiting > 0 {
		text += ", " + Count(int64(d.Waiting)) + " wait"
	}
	if note := deviceNote(at, d); note != "" {
		text += "; " + note
	}
	if d.Why != "" {
		text += ": " + d.Why
	}
	return text
}

// job writes a job in flight: what, in which phase and for how long, with whom.
func (s *sheet) job(indent string, at time.Time, j *status.Job) {
	name := fmt.Sprintf("%s %d/%d", j.Kind, j.Policy, j.Partition)
	if j.Kind == "survey" {
		name = "survey of " + Count(int64(j.Survey))
	}
	age, i := "age "+since(at, j.Begun), plain
	if j.Stuck {
		age, i = "STUCK", red
	}
	text := j.Peer
	if j.Bytes > 0 {
		text += "  " + Bytes(j.Bytes)
	}
	s.line(span{indent + column(name, 15) + column(j.Phase+" "+since(at, j.Since), 14), plain}, span{column(age, 8), i}, span{text, plain})
}
