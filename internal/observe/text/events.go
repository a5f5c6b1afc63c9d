package text

import "understudy/internal/observe/status"

// Events is what "understudy events" prints, oldest first: one line for each, more
// for one whose reason is long.
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
		head := []span{{clock(e.At) + "  ", plain}, {pad(e.Kind, 11), i}}
		if one := text + ": " + e.Why; e.Why != "" && 21+11+width(Clean(one)) <= s.style.Width {
			s.line(append(head, span{one, plain})...)
			continue
		}
		s.line(append(head, span{text, plain})...)
		if e.Why != "" {
			s.paragraph("    ", e.Why, plain)
		}
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
