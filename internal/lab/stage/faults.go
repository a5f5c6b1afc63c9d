package stage

import (
	"slices"

	"understudy/internal/fault"
	"understudy/internal/lab"
	"understudy/internal/scenario"
)

// coverage is how often faults have fired, by place-verb.
type coverage map[string]int

func (c coverage) add(counts []fault.Count) {
	for _, n := range counts {
		c[string(n.Place)+"-"+n.Verb] += n.Fired
	}
}

// NeedsProcesses tells whether a scenario has faults that end a process.
func NeedsProcesses(s *scenario.Scenario) bool {
	return slices.ContainsFunc(s.Faults, func(f scenario.Faults) bool {
		plan, err := fault.Parse(f.Text)
		return err == nil && slices.ContainsFunc(plan.Faults, func(f fault.Fault) bool { return f.Place == fault.Process })
	})
}

// seat is the injector of one node in this process, nil when the scenario has no faults.
func (st *stage) seat(node int) *fault.Injector {
	return st.faults.Seat(lab.WorldNode{Number: node}.Name(), lab.NameAt)
}

// counts are those of the plan in force, of all nodes.
func (st *stage) counts() []fault.Count {
	if st.options.Process == nil {
		return st.faults.Counts()
	}
	var all []fault.Count
	for _, n := range st.cluster.Nodes {
		all = append(all, n.FaultCounts()...)
	}
	return all
}

func (st *stage) coverage() coverage {
	all := coverage{}
	st.tally.mu.Lock()
	for k, n := range st.before {
		all[k] = n
	}
	st.tally.mu.Unlock()
	all.add(st.counts())
	return all
}

// keepCounts adds what has happened so far to what was before.
func (st *stage) keepCounts(counts []fault.Count) {
	st.tally.mu.Lock()
	defer st.tally.mu.Unlock()
	st.before.add(counts)
}

// turnFaults puts another fault plan in force.
func (st *stage) turnFaults(name string) error {
	plan := fault.Plan{}
	if name != "clear" {
		var err error
		if plan, err = st.planNamed(name); err != nil {
			return err
		}
	}
	return st.load(plan)
}

func (st *stage) load(plan fault.Plan) error {
	if st.faults == nil {
		return nil
	}
	if st.cluster != nil {
		st.keepCounts(st.counts())
	}
	st.plan = plan
	st.cutLinks()
	st.faults.Load(st.plan)
	return st.loadOutside()
}

// loadOutside tells the plan to nodes that are processes.
func (st *stage) loadOutside() error {
	if st.options.Process == nil || st.faults == nil || st.cluster == nil {
		return nil
	}
	for _, n := range st.cluster.Nodes {
		if n.Frozen() {
			continue
		}
		if err := n.LoadFaults(st.plan); err != nil {
			return err
		}
	}
	return nil
}

// endFaults ends all faults, so that what hangs goes on.
func (st *stage) endFaults() {
	if err := st.load(fault.Plan{}); err != nil {
		st.tally.gotStuck("end the faults: " + err.Error())
	}
}

// died takes note of a node's process that has ended by itself, as a fault of Process
// makes it.
func (st *stage) died(node int) {
	name := lab.WorldNode{Number: node}.Name()
	st.diary.say(name, "its process has ended by itself")
	st.tally.mu.Lock()
	defer st.tally.mu.Unlock()
	st.before["process-died"]++
}
