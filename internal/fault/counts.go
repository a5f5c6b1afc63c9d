package fault

import "time"

// Count is how often a fault happened.
type Count struct {
	Fault string // its line
	Place Place
	Verb  string
	Seen  int // events that it was for, within its time
	Fired int
}

// Fired is one fault that happened.
type Fired struct {
	After time.Duration // since the plan began
	Fault string        // its line
	Event Event
}

// recentKept is how many of those that happened last are kept.
const recentKept = 64

// note counts a rule that happens. The caller holds mu.
func (l *loaded) note(r *rule, e *Event, now time.Duration) {
	r.fired++
	f := Fired{After: now - l.began, Fault: r.text, Event: *e}
	if len(l.recent) < recentKept {
		l.recent = append(l.recent, f)
	} else {
		l.recent[l.fired%recentKept] = f
	}
	l.fired++
}

// Counts tells for each fault of the plan, in its order, how often it happened.
func (i *Injector) Counts() []Count {
	if i == nil {
		return nil
	}
	l := i.cur.Load()
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make([]Count, len(l.rules))
	for n, r := range l.rules {
		out[n] = Count{Fault: r.text, Place: r.Place, Verb: r.Do.Verb, Seen: r.seen, Fired: r.fired}
	}
	return out
}

// Recent are the faults that happened last, at most 64, the oldest first.
func (i *Injector) Recent() []Fired {
	if i == nil {
		return nil
	}
	l := i.cur.Load()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fired <= recentKept {
		return append([]Fired(nil), l.recent...)
	}
	at := l.fired % recentKept
	return append(append([]Fired(nil), l.recent[at:]...), l.recent[:at]...)
}
