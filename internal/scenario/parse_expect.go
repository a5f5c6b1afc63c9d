package scenario

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// counted are the numbers that can be expected beside those of Defaults.
var counted = []string{"crashes", "passes", "removed", "pushed", "failures", "quarantined", "written", "restarts"}

func counts() []string {
	var all []string
	for _, e := range Defaults() {
		all = append(all, e.What)
	}
	return append(all, counted...)
}

// expect reads: lost 0, coverage disk-hang >= 1, state n1/d1 stalled, log "words" >= 2
func (p *parser) expect(w *list) (err error) {
	e := Expect{What: w.next(), Op: "="}
	switch {
	case e.What == "coverage":
		if e.Of = w.next(); !isName(e.Of) {
			return fmt.Errorf("coverage: %q is no place-verb like disk-hang", e.Of)
		}
		err = e.compare(w, true)
	case e.What == "state":
		if e.Of, err = w.pattern("state"); err != nil {
			return err
		}
		if e.Is = w.next(); !states[e.Is] {
			return fmt.Errorf("state: %q is none of %s", e.Is, stateNames())
		}
		e.Op, e.N = ">=", 1
	case e.What == "log":
		if e.Of = w.next(); e.Of == "" {
			return errors.New("log: what words?")
		}
		err = e.compare(w, true)
	case slices.Contains(counts(), e.What):
		err = e.compare(w, false)
	default:
		return fmt.Errorf("unknown expectation %q; there are coverage, state, log, %s", e.What, strings.Join(counts(), ", "))
	}
	if err != nil {
		return err
	}
	p.s.Expect = append(p.s.Expect, e)
	return w.end()
}

// compare reads a relation and a number; when open, none means at least one.
func (e *Expect) compare(w *list, open bool) (err error) {
	switch next := w.peek(); {
	case next == "" && open:
		e.Op, e.N = ">=", 1
		return nil
	case next == "=" || next == "<=" || next == ">=":
		e.Op = w.next()
	}
	e.N, err = w.number(e.What, 0, 1_000_000_000)
	return err
}

// Holds compares a number with what is expected of it.
func (e Expect) Holds(n int) bool {
	switch e.Op {
	case "<=":
		return n <= e.N
	case ">=":
		return n >= e.N
	}
	return n == e.N
}

// String is the expectation as Parse reads it.
func (e Expect) String() string {
	words := []string{e.What}
	switch e.What {
	case "state":
		return strings.Join([]string{e.What, e.Of, e.Is}, " ")
	case "coverage":
		words = append(words, e.Of)
	case "log":
		words = append(words, strconv.Quote(e.Of))
	}
	if e.Op != "=" {
		words = append(words, e.Op)
	}
	return strings.Join(append(words, strconv.Itoa(e.N)), " ")
}
