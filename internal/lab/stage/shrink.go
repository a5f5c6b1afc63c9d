package stage

import (
	"context"
	"slices"
	"strings"

	"understudy/internal/scenario"
)

// Shrink makes a scenario smaller as long as it fails: it leaves out faults, steps,
// workload and kinds of objects, and halves numbers. fails runs one; what cannot be run
// does not fail. It gives up after so many runs.
func Shrink(ctx context.Context, s *scenario.Scenario, runs int, fails func(context.Context, *scenario.Scenario) bool) *scenario.Scenario {
	small := copyOf(s)
	for progress := true; progress; {
		progress = false
		for _, smaller := range less(small) {
			if runs == 0 || ctx.Err() != nil {
				return small
			}
			runs--
			if fails(ctx, smaller) {
				small, progress = smaller, true
				break
			}
		}
	}
	return small
}

// Blamed are the expectations that a smaller scenario has to break as well: the worst of
// those about data and liveness, if one of them is broken, for the others may follow from
// it or come of other reasons; else all that are.
func (r *Result) Blamed() map[string]bool {
	worst, others := "", map[string]bool{}
	for _, d := range scenario.Defaults() { // the worst first
		for _, c := range r.Checks {
			if worst == "" && !c.Held && c.Expect.What == d.What {
				worst = d.What
			}
		}
	}
	if worst != "" {
		return map[string]bool{worst: true}
	}
	for _, c := range r.Checks {
		if !c.Held {
			others[c.Expect.String()] = true
		}
	}
	return others
}

// Fails tells whether a result breaks one of the expectations that are blamed.
func (r *Result) Fails(blamed map[string]bool) bool {
	return slices.ContainsFunc(r.Checks, func(c Check) bool {
		return !c.Held && (blamed[c.Expect.What] || blamed[c.Expect.String()])
	})
}

// Only leaves a scenario those expectations that are blamed, or about data.
func Only(s *scenario.Scenario, blamed map[string]bool) *scenario.Scenario {
	s = copyOf(s)
	s.Expect = slices.DeleteFunc(s.Expect, func(e scenario.Expect) bool {
		return !blamed[e.What] && !blamed[e.String()] &&
			!slices.ContainsFunc(scenario.Defaults(), func(d scenario.Expect) bool { return d.What == e.What })
	})
	return s
}

func copyOf(s *scenario.Scenario) *scenario.Scenario {
	c := *s
	c.Data, c.Workload, c.Steps = slices.Clone(s.Data), slices.Clone(s.Workload), slices.Clone(s.Steps)
	c.Faults, c.Expect = slices.Clone(s.Faults), slices.Clone(s.Expect)
	return &c
}

// less are all scenarios that are a bit smaller, the much smaller ones first.
func less(s *scenario.Scenario) (all []*scenario.Scenario) {
	with := func(change func(*scenario.Scenario)) {
		c := copyOf(s)
		change(c)
		if _, err := scenario.Parse(c.String()); err == nil {
			all = append(all, c)
		}
	}
	for i := range s.Data {
		with(func(c *scenario.Scenario) { c.Data = slices.Delete(c.Data, i, i+1) })
	}
	for i := range s.Workload {
		with(func(c *scenario.Scenario) { c.Workload = slices.Delete(c.Workload, i, i+1) })
	}
	for i, f := range s.Faults {
		lines := slices.Collect(strings.Lines(f.Text))
		for line := range lines {
			with(func(c *scenario.Scenario) {
				c.Faults[i].Text = strings.Join(slices.Delete(slices.Clone(lines), line, line+1), "")
			})
		}
	}
	for i := range s.Steps {
		if needless(s.Steps, i) {
			with(func(c *scenario.Scenario) { c.Steps = slices.Delete(c.Steps, i, i+1) })
		}
	}
	for i, o := range s.Data {
		if o.Count > 1 {
			with(func(c *scenario.Scenario) { c.Data[i].Count = o.Count / 2 })
		}
	}
	for i, w := range s.Workload {
		if w.Count > 1 {
			with(func(c *scenario.Scenario) { c.Workload[i].Count = w.Count / 2 })
		}
	}
	return all
}

// harms are the steps that a healing one makes good.
var harms = map[string][]string{
	"revive": {"kill", "power-cut", "impostor"}, "thaw": {"freeze"}, "mount": {"unmount"}, "end": {"begin"}, "halt": {"run"},
}

// needless tells whether a step may be left out. One that heals stays as long as there is
// something to be healed, else a smaller scenario would fail for another reason; so does
// the last one that lets replicators do their work.
func needless(steps []scenario.Step, at int) bool {
	s := steps[at]
	rest := slices.Delete(slices.Clone(steps), at, at+1)
	has := func(verbs ...string) bool {
		return slices.ContainsFunc(rest, func(s scenario.Step) bool { return slices.Contains(verbs, s.Verb) && s.What != "clear" })
	}
	switch s.Verb {
	case "faults":
		return s.What != "clear"
	case "settle":
		return has("settle")
	case "pass":
		return has("settle", "pass")
	}
	return !has(harms[s.Verb]...)
}
