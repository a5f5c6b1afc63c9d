package text

import (
	"fmt"

	"understudy/internal/observe/status"
)

// faults says before all else that things go wrong on purpose.
func (s *sheet) faults(r *status.Report) {
	f := r.Faults
	if f == nil {
		return
	}
	s.put("!!! FAULT PLAN IN FORCE: things go wrong here on purpose", red)
	line := fmt.Sprintf("!!! since %s, %s", since(r.At, f.Since), plural(int64(f.Fired), "fault")+" so far")
	if f.Until.IsZero() {
		line += ", without an end"
	} else {
		line += ", for " + until(r.At, f.Until) + " more"
	}
	s.put(line+"; end it: understudy faults clear", red)
	s.blank()
}

// Faults is what "understudy faults show" prints: the plan in force and what it has done.
func Faults(r *status.Report, style Style) string {
	s := newSheet(style)
	if r.Faults == nil {
		s.put("no fault plan is in force", plain)
		return s.String()
	}
	s.faults(r)
	s.put("  fired     seen  fault", faint)
	for _, c := range r.Faults.Counts {
		s.paragraph(fmt.Sprintf("%7s  %7s  ", Count(int64(c.Fired)), Count(int64(c.Seen))), c.Fault, plain)
	}
	return s.String()
}
