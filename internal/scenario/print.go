package scenario

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// String is the scenario as Parse reads it. Comments are not kept.
func (s *Scenario) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "title %s\n", s.Title)
	for _, line := range s.Story {
		fmt.Fprintf(&b, "story %s\n", line)
	}
	b.WriteString("\n[cluster]\n" + s.Cluster.String())
	section(&b, "data", s.Data)
	section(&b, "workload", s.Workload)
	for _, f := range s.Faults {
		name := "faults"
		if f.Name != "" {
			name += " " + f.Name
		}
		fmt.Fprintf(&b, "\n[%s]\n%s", name, f.Text)
	}
	section(&b, "steps", s.Steps)
	section(&b, "expect", s.Expect)
	return b.String()
}

func section[T fmt.Stringer](b *strings.Builder, name string, lines []T) {
	if len(lines) == 0 {
		return
	}
	fmt.Fprintf(b, "\n[%s]\n", name)
	for _, line := range lines {
		fmt.Fprintln(b, line)
	}
}

// String is the lines of [cluster]: those that are always there, then the others.
func (c Cluster) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "nodes %d\ndevices %d\nreplicas %s\npart-power %d\n", c.Nodes, c.Devices, decimalText(c.Replicas), c.PartPower)
	if c.Policies != usual.Policies {
		fmt.Fprintf(&b, "policies %d\n", c.Policies)
	}
	fmt.Fprintf(&b, "method %s\n", c.Method)
	for _, r := range c.Regions {
		fmt.Fprintf(&b, "region %d of %s\n", r.Region, r.Nodes)
	}
	for _, w := range c.Weights {
		fmt.Fprintf(&b, "weight %s %s\n", w.Devices, loadText(w.Weight))
	}
	for _, o := range c.Options {
		fmt.Fprintf(&b, "set %s = %s\n", o.Name, o.Value)
	}
	return b.String()
}

func decimalText(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }

func loadText(f float64) string {
	if f == Out {
		return "out"
	}
	return decimalText(f)
}

// String is a line of [data].
func (o Objects) String() string {
	text := fmt.Sprintf("objects %d size %s", o.Count, sizesText(o.Least, o.Most))
	if o.Policy != 0 {
		text += " policy " + strconv.Itoa(o.Policy)
	}
	var life []string
	for _, d := range o.Life {
		life = append(life, d.String())
	}
	return text + ": " + strings.Join(life, "; ")
}

// String is a deed as Parse reads it.
func (d Deed) String() string {
	text := d.Verb
	if d.Age != 0 {
		text += " " + durationText(d.Age)
	}
	var on []string
	for _, s := range d.On {
		on = append(on, s.String())
	}
	text += " on " + strings.Join(on, " and ")
	if d.Except != "" {
		text += " except " + d.Except
	}
	return text
}

func (s Share) String() string {
	name := [][2]string{{"primaries", "handoffs"}, {"primary", "handoff"}}
	row, column := 0, 0
	if s.Count == 1 {
		row = 1
	}
	if s.Away {
		column = 1
	}
	if s.Count == 0 {
		return name[row][column]
	}
	return strconv.Itoa(s.Count) + " " + name[row][column]
}

// String is a line of [workload].
func (w Workload) String() string {
	return fmt.Sprintf("%s %d every %s", w.Verb, w.Count, durationText(w.Every))
}

// String is a line of [steps].
func (s Step) String() string {
	words := []string{s.Verb}
	switch verbs[s.Verb] {
	case nodes:
		if s.What != "" {
			words = append(words, s.What)
		}
	case devices, plan:
		words = append(words, s.What)
	case load:
		words = append(words, s.What, loadText(s.Weight))
		if s.For != "" {
			words = append(words, "for", s.For)
		}
	case many:
		words = append(words, strconv.Itoa(s.Count))
	case harmed:
		words = append(words, strconv.Itoa(s.Count), "on", s.What)
	case rounds:
		words = append(words, "in", strconv.Itoa(s.Count), "passes")
	case sight:
		words = append(words, s.sight()...)
	case roles:
		words = append(words, s.What, s.State)
	}
	if s.Within != 0 {
		words = append(words, "within", durationText(s.Within))
	}
	return strings.Join(words, " ")
}

func (s Step) sight() []string {
	switch s.State {
	case "fired":
		return []string{"fired", s.What, strconv.Itoa(s.Count)}
	case "log":
		return []string{"log", strconv.Quote(s.What)}
	}
	return []string{"state", s.What, s.State}
}

// Equal compares all but the names of the files.
func (s *Scenario) Equal(o *Scenario) bool {
	a, b := *s, *o
	a.Name, b.Name = "", ""
	return reflect.DeepEqual(a, b)
}
