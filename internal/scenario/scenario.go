// Package scenario is the language in which experiments on a small cluster are told: one
// text file says what the cluster is, what lies on its disks, what goes wrong, what is done,
// and what must hold in the end. docs/experiments.md is its reference. The package reads and
// prints such files and has a library of them; internal/lab/stage runs them.
package scenario

import "time"

// Scenario is one experiment.
type Scenario struct {
	Name     string   // of the file, without its ending; not part of the text
	Title    string   // one line
	Story    []string // lines of what it tells
	Cluster  Cluster
	Data     []Objects  // what lies on the disks in the beginning
	Workload []Workload // what clients do while engines run
	Faults   []Faults   // fault plans; the first one without a name acts from the beginning
	Steps    []Step
	Expect   []Expect // beside what must always hold, see Defaults
}

// Cluster is the shape of it. Node k is called n1, n2, …, its devices d1, d2, ….
type Cluster struct {
	Nodes     int     // 1 to 16
	Devices   int     // of each node, 1 to 16
	Replicas  float64 // of each partition
	PartPower int     // 0 to 10
	Policies  int     // replicated ones, 1 to 3
	Method    string  // ssync or rsync
	Regions   []Region
	Weights   []Weight
	Options   []Option // of [object-replicator]
}

// Region puts nodes into another region than the first.
type Region struct {
	Nodes  string // pattern of node names
	Region int
}

// Weight is a device's weight in the ring, which is 100 without one.
type Weight struct {
	Devices string  // pattern of n1/d1
	Weight  float64 // Out: not in the ring
}

// Out is the weight of a device that is not in the ring.
const Out = -1

// Option is one line of a configuration.
type Option struct{ Name, Value string }

// Objects are a number of objects that have lived the same life.
type Objects struct {
	Count  int
	Least  int // bytes of an upload
	Most   int
	Policy int // its place among the policies, from 0
	Life   []Deed
}

// Deed is one request of a client, or one harm, and whom it has reached.
type Deed struct {
	Verb   string        // put, post, delete; flip, truncate, empty, bare, temp
	Age    time.Duration // of a request, when the experiment begins
	On     []Share
	Except string // pattern of devices that it has not reached; empty: none
}

// Share is a part of an object's devices.
type Share struct {
	Count int  // 0: all of them
	Away  bool // of the handoffs, not of the primaries
}

// Workload is what clients do while engines run: requests, one after the other.
type Workload struct {
	Verb  string // put, post, delete
	Count int
	Every time.Duration
}

// Faults is a plan in the language of internal/fault.
type Faults struct {
	Name string // empty: it acts from the beginning
	Text string // lines, each with its end
}

// Step is one thing that is done. Which fields count depends on the verb: see verbs.
type Step struct {
	Verb   string
	What   string // pattern of nodes or devices, name of a plan, words to wait for
	Count  int
	Weight float64
	For    string        // pattern of the nodes that hear of a new ring; empty: all
	State  string        // of a device, or what kind of thing is meant
	Within time.Duration // bound; 0: Patience
}

// Patience is the bound of a step that names none.
const Patience = 60 * time.Second

// Expect is one thing that must hold in the end.
type Expect struct {
	What string // lost, wrong, …, coverage, state, log
	Of   string // of coverage: place-verb; of state: a device; of log: words
	Is   string // of state: its name
	Op   string // =, <=, >=
	N    int
}

// Defaults are expected unless the scenario says otherwise about the same.
func Defaults() []Expect {
	var all []Expect
	for _, what := range []string{"lost", "wrong", "resurrected", "touched", "short", "handoffs", "stale", "mismatch", "stuck", "leaked"} {
		all = append(all, Expect{What: what, Op: "="})
	}
	return all
}

// Expected are the defaults that hold for a scenario, and what it adds.
func (s *Scenario) Expected() []Expect {
	said := map[string]bool{}
	for _, e := range s.Expect {
		said[e.What] = true
	}
	var all []Expect
	for _, e := range Defaults() {
		if !said[e.What] {
			all = append(all, e)
		}
	}
	return append(all, s.Expect...)
}
