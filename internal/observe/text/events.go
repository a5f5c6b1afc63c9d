package text

import "understudy/internal/observe/status"

// Events is what "understudy events" prints: one line for each, oldest first.
func Events(events []status.Event, style Style) string {
	s := newSheet(style)
	for _, e := range events {
		i := plain
		switch e.Kind {
		case "crash":
			i = red
		case "dead letter":
			i = faint
		}
		text := "  " + e.Subject
		if e.Directive != "" {
			text += " (" + e.Directive + ")"
		}
		if e.Why != "" {
			text += ": " + e.Why
		}
		s.line(span{clock(e.At) + "  ", plain}, span{pad(e.Kind, 11), i}, span{text, plain})
	}
	return s.String()
}

// NewEvents are those of a report that come after the ones of an earlier report:
// both hold the newest only, so the longest end of the earlier one with which the
// later begins is what was seen already.
func NewEvents(before, now []status.Event) []status.Event {
	for k := range before {
		seen := before[k:]
		if len(seen) <= len(now) && same(seen, now[:len(seen)]) {
			return now[len(seen):]
		}
	}
	return now
}

func same(a, b []status.Event) bool {
	for i := range a {
		x, y := a[i], b[i]
		if !x.At.Equal(y.At) || x.Kind != y.Kind || x.Subject != y.Subject || x.Directive != y.Directive || x.Why != y.Why {
			return false
		}
	}
	return true
}
