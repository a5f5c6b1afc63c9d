package fault

import (
	"strconv"
	"strings"
	"time"
)

// Plan is a seed and faults, one a line.
type Plan struct {
	Seed   uint64
	Faults []Fault
}

// Fault is one line of a plan.
type Fault struct {
	Place Place
	Where []Match // all have to match; none: everywhere
	Do    Action
	When  When
}

// Match restricts a fault to events one of whose keys fits a pattern.
type Match struct {
	Key     string
	Pattern string // alternatives as path.Match knows them, separated by "|"
}

// Action is what is done: a verb of the place and its arguments as they were
// written, each a word or name=word.
type Action struct {
	Verb string
	Arg  []string // nil when there are none
}

// When restricts a fault further. The zero value is always.
type When struct {
	Prob  float64       // chance of each event, above 0 and up to 1; 0: every one
	Nth   int           // only the n-th event that the fault has seen, from 1
	Every int           // only each n-th
	Times int           // at most so many times
	After time.Duration // not before, since the plan began
	For   time.Duration // so long; 0: to the end
}

// String prints a plan so that Parse reads the same one.
func (p Plan) String() string {
	var b strings.Builder
	if p.Seed != 0 {
		b.WriteString("seed " + strconv.FormatUint(p.Seed, 10) + "\n")
	}
	for _, f := range p.Faults {
		b.WriteString(f.String() + "\n")
	}
	return b.String()
}

// String is the fault's line.
func (f Fault) String() string {
	words := []string{string(f.Place)}
	for _, m := range f.Where {
		words = append(words, m.Key+"="+m.Pattern)
	}
	words = append(words, ":", f.Do.Verb)
	words = append(words, f.Do.Arg...)
	return strings.Join(append(words, f.When.words()...), " ")
}

func (w When) words() (out []string) {
	if w.Prob != 0 {
		out = append(out, "p="+strconv.FormatFloat(w.Prob, 'g', -1, 64))
	}
	for _, n := range []struct {
		key string
		n   int
	}{{"nth", w.Nth}, {"every", w.Every}, {"times", w.Times}} {
		if n.n != 0 {
			out = append(out, n.key+"="+strconv.Itoa(n.n))
		}
	}
	if w.After != 0 {
		out = append(out, "after="+short(w.After))
	}
	if w.For != 0 {
		out = append(out, "for="+short(w.For))
	}
	return out
}

// short is a duration without units that are zero: "192h", not "192h0m0s".
func short(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = s[:len(s)-2]
	}
	if strings.HasSuffix(s, "h0m") {
		s = s[:len(s)-2]
	}
	return s
}
