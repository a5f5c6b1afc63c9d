package scenario

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// shape says what follows a verb.
type shape int

const (
	alone   shape = iota // nothing
	nodes                // a pattern of nodes, or nothing for all
	devices              // a pattern of devices
	load                 // a pattern of devices, a weight, and whom is told
	plan                 // the name of a fault plan, or clear
	many                 // a number of objects
	harmed               // a number of copies, and on which devices
	rounds               // a number of passes at most
	sight                // what to wait for
	roles                // a pattern of nodes, and what takes their place
)

// What an impostor does with a connection that has asked it something.
const (
	Noise   = "noise"    // 64 KiB of it
	Yes     = "yes"      // 200 and nothing
	Pickle  = "pickle"   // 200 and half a pickle
	Drips   = "drips"    // 200 and a byte now and then, for ever
	Resets  = "resets"   // the connection is reset
	HangsUp = "hangs-up" // without having read
)

// Roles are all of them.
var Roles = []string{Drips, HangsUp, Noise, Pickle, Resets, Yes}

var verbs = map[string]shape{
	"pass": nodes, "begin": nodes, "end": alone, "settle": rounds, "run": nodes, "halt": nodes,
	"kill": nodes, "power-cut": nodes, "revive": nodes, "freeze": nodes, "thaw": nodes,
	"unmount": devices, "mount": devices, "wipe": devices,
	"weight": load, "faults": plan, "put": many, "post": many, "delete": many,
	"flip": harmed, "truncate": harmed, "empty": harmed, "bare": harmed, "await": sight,
	"impostor": roles,
}

// Verbs are all verbs of steps, in order.
func Verbs() []string { return slices.Sorted(maps.Keys(verbs)) }

// settleRounds is how many passes "settle" takes at most when it does not say.
const settleRounds = 6

// step reads a line of [steps]; "within 30s" may end each.
func (p *parser) step(w *list) error {
	s := Step{Verb: w.next()}
	kind, ok := verbs[s.Verb]
	if !ok {
		return fmt.Errorf("unknown step %q; there are %s", s.Verb, strings.Join(Verbs(), ", "))
	}
	if err := s.read(kind, w); err != nil {
		return err
	}
	if w.has("within") {
		var err error
		if s.Within, err = w.duration("within"); err != nil {
			return err
		}
	}
	p.s.Steps = append(p.s.Steps, s)
	return w.end()
}

func (s *Step) read(kind shape, w *list) (err error) {
	switch kind {
	case nodes:
		if next := w.peek(); next != "" && next != "within" {
			s.What, err = w.pattern(s.Verb)
		}
	case devices:
		s.What, err = w.pattern(s.Verb)
	case load:
		return s.weight(w)
	case plan:
		if s.What = w.next(); !isName(s.What) {
			return fmt.Errorf("faults: %q is no name of a plan, nor clear", s.What)
		}
	case many:
		s.Count, err = w.number(s.Verb, 1, 10_000)
	case harmed:
		if s.Count, err = w.number(s.Verb, 1, 10_000); err != nil {
			return err
		}
		if !w.has("on") {
			return fmt.Errorf("%s: it is written \"%s 3 on n1/d*\"", s.Verb, s.Verb)
		}
		s.What, err = w.pattern(s.Verb)
	case rounds:
		s.Count = settleRounds
		if w.has("in") {
			if s.Count, err = w.number(s.Verb, 1, 100); err == nil && !w.has("passes") {
				err = errors.New("settle: it is written \"settle in 4 passes\"")
			}
		}
	case sight:
		return s.await(w)
	case roles:
		if s.What, err = w.pattern(s.Verb); err != nil {
			return err
		}
		if s.State = w.next(); !slices.Contains(Roles, s.State) {
			return fmt.Errorf("impostor: %q is none of %s", s.State, strings.Join(Roles, ", "))
		}
	}
	return err
}

// weight reads: weight n1/d* 0 for n1|n2
func (s *Step) weight(w *list) (err error) {
	if s.What, err = w.pattern(s.Verb); err != nil {
		return err
	}
	if s.Weight, err = w.load(); err != nil {
		return err
	}
	if w.has("for") {
		s.For, err = w.pattern("for")
	}
	return err
}

// await reads: await fired disk-hang 1, await state n1/d1 stalled, await log "words"
func (s *Step) await(w *list) (err error) {
	switch s.State = w.next(); s.State {
	case "fired":
		if s.What = w.next(); !isName(s.What) {
			return fmt.Errorf("await fired: %q is no place-verb like disk-hang", s.What)
		}
		s.Count, err = w.number("await fired", 1, 1_000_000)
	case "state":
		if s.What, err = w.pattern("await state"); err != nil {
			return err
		}
		if s.State = w.next(); !states[s.State] {
			return fmt.Errorf("await state: %q is none of %s", s.State, stateNames())
		}
	case "log":
		if s.What = w.next(); s.What == "" {
			return errors.New("await log: what words?")
		}
	default:
		return fmt.Errorf("await %q: there are fired, state and log", s.State)
	}
	return err
}

// states are those of a device that can be waited for or expected. See messages.
var states = map[string]bool{"unmounted": true, "failing": true, "stalled": true, "back": true}

func stateNames() string { return strings.Join(slices.Sorted(maps.Keys(states)), ", ") }
