package scenario

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// Requests are what clients do.
var Requests = []string{"put", "post", "delete"}

// Harms are what happens to copies: a bit flips, a file loses its end, or all, or its
// metadata; an rsync has left a temporary file beside it.
var Harms = []string{"flip", "truncate", "empty", "bare", "temp"}

// data reads: objects 10 size 1-8k policy 1: put 3h on primaries; delete 1h on 1 handoff
func (p *parser) data(w *list) (err error) {
	if key := w.next(); key != "objects" {
		return fmt.Errorf("unknown word %q in [data]; a line begins with objects", key)
	}
	o := Objects{Least: 1, Most: 8 << 10}
	if o.Count, err = w.number("objects", 1, 10_000); err != nil {
		return err
	}
	for err == nil && len(w.words) > 0 && w.peek() != ":" {
		switch key := w.next(); key {
		case "size":
			o.Least, o.Most, err = w.sizes()
		case "policy":
			o.Policy, err = w.number(key, 0, 2)
		default:
			return fmt.Errorf("unknown word %q of objects; there are size and policy, and : before a life", key)
		}
	}
	if err != nil {
		return err
	}
	if w.next() == "" { // no life of its own
		o.Life = []Deed{{Verb: "put", Age: 2 * time.Hour, On: []Share{{}}}}
	}
	for len(w.words) > 0 {
		d, err := w.deed()
		if err != nil {
			return err
		}
		o.Life = append(o.Life, d)
		if len(w.words) > 0 && !w.has(";") {
			return fmt.Errorf("unexpected %q; deeds are parted by ;", w.peek())
		}
	}
	if len(o.Life) == 0 {
		return errors.New("objects: no life follows the colon")
	}
	if !slices.ContainsFunc(o.Life, func(d Deed) bool { return d.Verb == "put" || d.Verb == "delete" }) {
		return errors.New("objects: a life has a put or a delete")
	}
	p.s.Data = append(p.s.Data, o)
	return nil
}

func (w *list) deed() (d Deed, err error) {
	d.Verb = w.next()
	switch {
	case slices.Contains(Requests, d.Verb):
		if d.Age, err = w.duration(d.Verb); err != nil {
			return d, err
		}
	case !slices.Contains(Harms, d.Verb):
		return d, fmt.Errorf("unknown deed %q; there are %v and %v", d.Verb, Requests, Harms)
	}
	if !w.has("on") {
		return d, fmt.Errorf("%s: on whom? Like \"on primaries\" or \"on 1 handoff\"", d.Verb)
	}
	for {
		s, err := w.share(d.Verb)
		if err != nil {
			return d, err
		}
		d.On = append(d.On, s)
		if !w.has("and") {
			break
		}
	}
	if w.has("except") {
		d.Except, err = w.pattern("except")
	}
	return d, err
}

func (w *list) share(verb string) (s Share, err error) {
	if _, isNumber := strconv.Atoi(w.peek()); isNumber == nil {
		if s.Count, err = w.number(verb, 1, 64); err != nil {
			return s, err
		}
	}
	switch word := w.next(); word {
	case "primary", "primaries":
	case "handoff", "handoffs":
		s.Away = true
	default:
		return s, fmt.Errorf("%s on %q: there are primaries and handoffs, all or a number of them", verb, word)
	}
	return s, nil
}

// workload reads: put 20 every 5ms
func (p *parser) workload(w *list) (err error) {
	one := Workload{Verb: w.next()}
	if !slices.Contains(Requests, one.Verb) {
		return fmt.Errorf("unknown word %q in [workload]; there are put, post and delete", one.Verb)
	}
	if one.Count, err = w.number(one.Verb, 1, 10_000); err != nil {
		return err
	}
	if !w.has("every") {
		return fmt.Errorf("%s: it is written \"%s 20 every 5ms\"", one.Verb, one.Verb)
	}
	if one.Every, err = w.duration("every"); err != nil {
		return err
	}
	p.s.Workload = append(p.s.Workload, one)
	return w.end()
}
