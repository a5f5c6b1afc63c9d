package fault

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Bounds of a plan.
const (
	MaxText   = 64 << 10 // bytes
	MaxFaults = 256
)

// Parse reads a plan: "seed NUMBER" and faults, one a line, "#" begins a comment. An
// error names the line.
func Parse(text string) (Plan, error) {
	if len(text) > MaxText {
		return Plan{}, fmt.Errorf("fault plan: %d bytes, %d is the most", len(text), MaxText)
	}
	var p Plan
	seeded := false
	for i, line := range strings.Split(text, "\n") {
		words := fields(line)
		if len(words) == 0 {
			continue
		}
		var err error
		switch {
		case words[0] == "seed" && seeded:
			err = errors.New("a second seed")
		case words[0] == "seed":
			p.Seed, err = parseSeed(words[1:])
			seeded = true
		case len(p.Faults) == MaxFaults:
			err = fmt.Errorf("more than %d faults", MaxFaults)
		default:
			var f Fault
			f, err = parseFault(words)
			p.Faults = append(p.Faults, f)
		}
		if err != nil {
			return Plan{}, fmt.Errorf("fault plan line %d: %w", i+1, err)
		}
	}
	return p, nil
}

// fields are the words of a line up to one that begins with "#".
func fields(line string) []string {
	words := strings.Fields(line)
	if i := slices.IndexFunc(words, func(w string) bool { return w[0] == '#' }); i >= 0 {
		return words[:i]
	}
	return words
}

func parseSeed(words []string) (uint64, error) {
	if len(words) != 1 {
		return 0, errors.New("a seed is one number: seed 42")
	}
	n, err := strconv.ParseUint(words[0], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("seed %q is no whole number below 2^64", words[0])
	}
	return n, nil
}

func parseFault(words []string) (Fault, error) {
	f := Fault{Place: Place(words[0])}
	known := wordsOf(f.Place)
	if known == nil {
		return f, fmt.Errorf("unknown place %q, there are %s", words[0], listed(Places, func(w PlaceWords) string { return string(w.Place) }))
	}
	colon := slices.Index(words, ":")
	if colon < 0 || colon+1 == len(words) {
		return f, errors.New(`no action: a fault is "place key=pattern : verb", with blanks beside the colon`)
	}
	for _, w := range words[1:colon] {
		if err := f.parseWhere(known, w); err != nil {
			return f, err
		}
	}
	verb := known.verb(words[colon+1])
	if verb == nil {
		return f, fmt.Errorf("unknown verb %q of %s, there are %s", words[colon+1], f.Place, listed(known.Verbs, func(v Verb) string { return v.Name }))
	}
	f.Do.Verb = verb.Name
	if err := f.parseRest(verb, words[colon+2:]); err != nil {
		return f, err
	}
	return f, f.sensible(verb)
}

func listed[T any](of []T, name func(T) string) string {
	names := make([]string, len(of))
	for i, v := range of {
		names[i] = name(v)
	}
	return strings.Join(names, " ")
}

func (f *Fault) parseWhere(known *PlaceWords, word string) error {
	key, pattern, ok := strings.Cut(word, "=")
	switch {
	case !ok || pattern == "":
		return fmt.Errorf("%q is no key=pattern", word)
	case !slices.Contains(known.Keys, key):
		return fmt.Errorf("unknown key %q of %s, there are %s", key, f.Place, strings.Join(known.Keys, " "))
	case slices.ContainsFunc(f.Where, func(m Match) bool { return m.Key == key }):
		return fmt.Errorf("key %s comes twice", key)
	}
	alternatives := strings.Split(pattern, "|")
	for _, a := range alternatives {
		if _, err := path.Match(a, ""); err != nil || a == "" {
			return fmt.Errorf("%s=%s is a bad pattern", key, pattern)
		}
		if key == "op" && !slices.ContainsFunc(known.Ops, func(op string) bool { return matches(key, a, op) }) {
			return fmt.Errorf("op=%s is none of %s", a, strings.Join(known.Ops, " "))
		}
	}
	f.Where = append(f.Where, Match{Key: key, Pattern: pattern})
	return nil
}

// parseRest reads what follows the verb: its arguments and the when, in any order.
func (f *Fault) parseRest(verb *Verb, words []string) error {
	var plain, named []string
	var seen []string
	for _, w := range words {
		key, value, ok := strings.Cut(w, "=")
		if !ok {
			plain = append(plain, w)
			continue
		}
		if slices.Contains(seen, key) {
			return fmt.Errorf("%s comes twice", key)
		}
		seen = append(seen, key)
		if isWhen, err := f.When.parse(key, value); err != nil {
			return err
		} else if isWhen {
			continue
		}
		i := slices.IndexFunc(verb.Named, func(a Arg) bool { return a.Name == key })
		if i < 0 {
			return fmt.Errorf("unknown argument %q of %s", key, verb.Name)
		}
		if err := verb.Named[i].check(value); err != nil {
			return fmt.Errorf("%s: %w", verb.Name, err)
		}
		named = append(named, w)
	}
	for i, a := range verb.Args {
		if i >= len(plain) {
			if a.Optional {
				break
			}
			return fmt.Errorf("%s needs its %s", verb.Name, a.Name)
		}
		if err := a.check(plain[i]); err != nil {
			return fmt.Errorf("%s: %w", verb.Name, err)
		}
	}
	if len(plain) > len(verb.Args) {
		return fmt.Errorf("%s takes no %q", verb.Name, plain[len(verb.Args)])
	}
	f.Do.Arg = append(plain, named...)
	return nil
}

// parse takes one of the keys of a When, and tells whether it is one.
func (w *When) parse(key, value string) (bool, error) {
	var err error
	switch key {
	case "p":
		w.Prob, err = strconv.ParseFloat(value, 64)
		if err != nil || !(w.Prob > 0 && w.Prob <= 1) {
			return true, fmt.Errorf("p=%s is no chance above 0 and up to 1", value)
		}
	case "nth":
		w.Nth, err = positive(key, value)
	case "every":
		w.Every, err = positive(key, value)
	case "times":
		w.Times, err = positive(key, value)
	case "after":
		w.After, err = span(key, value)
	case "for":
		w.For, err = span(key, value)
	default:
		return false, nil
	}
	return true, err
}

func positive(key, value string) (int, error) {
	n, err := strconv.ParseInt(value, 10, 32)
	if err != nil || n < 1 {
		return 0, fmt.Errorf("%s=%s is no whole number from 1 to 2147483647", key, value)
	}
	return int(n), nil
}

// longest is more than any experiment takes, and sums of it do not overflow.
const longest = 10 * 365 * 24 * time.Hour

func span(key, value string) (time.Duration, error) {
	d, err := time.ParseDuration(value)
	if err != nil || d <= 0 || d > longest {
		return 0, fmt.Errorf("%s=%s is no duration like 300ms or 1m30s", key, value)
	}
	return d, nil
}

// sensible refuses what could never happen.
func (f *Fault) sensible(verb *Verb) error {
	if f.When.Nth > 0 && f.When.Every > 0 {
		return errors.New("nth and every exclude each other")
	}
	for _, m := range f.Where {
		if m.Key == "op" && verb.Ops != nil && !slices.ContainsFunc(verb.Ops, m.fits) {
			return fmt.Errorf("%s never happens at op=%s, only at %s", verb.Name, m.Pattern, strings.Join(verb.Ops, " "))
		}
	}
	return nil
}
