package stage

import (
	"context"
	"fmt"
	"slices"
	"time"

	"understudy/internal/fault"
	"understudy/internal/lab"
	"understudy/internal/lab/links"
	"understudy/internal/scenario"
)

// cuts are the cut links of one fault plan. Where nodes have networks of their own, what a
// plan says about cuts is done to those, and concerns rsync, too.
type cuts struct {
	links *links.Net
	nodes int
	fail  func(error)
	end   context.CancelFunc
	done  chan struct{}
}

// linked splits a plan into cuts that are done to links and all the rest. A cut that has a
// chance or a count, or is of one operation or port, is left to the nodes themselves.
func linked(p fault.Plan) (cut []fault.Fault, rest fault.Plan) {
	rest.Seed = p.Seed
	for _, f := range p.Faults {
		plain := f.Place == fault.Net && f.Do.Verb == "cut" && f.When.Prob == 0 && f.When.Nth == 0 && f.When.Every == 0 && f.When.Times == 0 &&
			!slices.ContainsFunc(f.Where, func(m fault.Match) bool { return m.Key != "from" && m.Key != "to" })
		if plain {
			cut = append(cut, f)
		} else {
			rest.Faults = append(rest.Faults, f)
		}
	}
	return cut, rest
}

// newCuts begins the cuts of a plan; those that come later come by themselves.
func newCuts(n *links.Net, nodes int, faults []fault.Fault, fail func(error)) *cuts {
	ctx, cancel := context.WithCancel(context.Background())
	c := &cuts{links: n, nodes: nodes, fail: fail, end: cancel, done: make(chan struct{})}
	begun := time.Now()
	if err := c.turn(ctx, faults, 0); err != nil {
		fail(err)
	}
	go func() {
		defer close(c.done)
		for _, at := range turns(faults) {
			select {
			case <-ctx.Done():
				return
			case <-time.After(time.Until(begun.Add(at))):
			}
			if err := c.turn(ctx, faults, at); err != nil && ctx.Err() == nil {
				fail(err)
			}
		}
	}()
	return c
}

// turns are the times at which something begins or ends.
func turns(faults []fault.Fault) (at []time.Duration) {
	for _, f := range faults {
		if f.When.After > 0 {
			at = append(at, f.When.After)
		}
		if f.When.For > 0 {
			at = append(at, f.When.After+f.When.For)
		}
	}
	slices.Sort(at)
	return slices.Compact(at)
}

// turn makes the links as the faults want them some time after their beginning.
func (c *cuts) turn(ctx context.Context, faults []fault.Fault, at time.Duration) error {
	if err := c.links.Heal(ctx); err != nil {
		return err
	}
	for _, f := range faults {
		if at < f.When.After || f.When.For > 0 && at >= f.When.After+f.When.For {
			continue
		}
		if err := c.links.Cut(ctx, c.named(f, "from"), c.named(f, "to")); err != nil {
			return err
		}
	}
	return nil
}

// named are the nodes that a key of a fault means.
func (c *cuts) named(f fault.Fault, key string) (nodes []int) {
	for node := 1; node <= c.nodes; node++ {
		if !slices.ContainsFunc(f.Where, func(m fault.Match) bool {
			return m.Key == key && !scenario.Match(m.Pattern, lab.WorldNode{Number: node}.Name())
		}) {
			nodes = append(nodes, node)
		}
	}
	return nodes
}

// heal ends the cuts.
func (c *cuts) heal() {
	if c == nil {
		return
	}
	c.end()
	<-c.done
	if err := c.links.Heal(context.Background()); err != nil {
		c.fail(fmt.Errorf("heal the network: %w", err))
	}
}

// cutLinks does to the links what the plan in force says about them, and leaves in it what
// is the nodes' own. A link that is cut counts as one cut, each way.
func (st *stage) cutLinks() {
	st.cuts.heal()
	st.cuts = nil
	if st.links == nil {
		return
	}
	var faults []fault.Fault
	if faults, st.plan = linked(st.plan); len(faults) == 0 {
		return
	}
	st.cuts = newCuts(st.links, st.told.Cluster.Nodes, faults, func(err error) { st.tally.gotStuck(err.Error()) })
	st.tally.mu.Lock()
	defer st.tally.mu.Unlock()
	st.before["net-cut"] += st.links.Broken()
	st.diary.say("", "  %d links are cut", st.links.Broken())
}
