package bench

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"understudy/internal/bench/node"
	"understudy/internal/cluster"
)

const (
	peakGoal = 256 << 20 // bytes
	flatGoal = 1.2       // largest ÷ smallest time a partition
)

// size is one tree of B9.
type size struct{ disks, partitions, runs int } // partitions of each disk

func (s size) total() int { return s.disks * s.partitions }

// grown are the runs over one tree.
type grown struct {
	size
	passes  []sample
	first   []float64 // seconds to the first request
	peak    float64   // bytes
	threads int
}

// measureGrowth is B9.
func measureGrowth(ctx context.Context, r rig) (entry, error) {
	if r.Smoke {
		return growth(ctx, r, size{5, 200, 1}, size{5, 400, 1})
	}
	return growth(ctx, r, size{60, 167, r.Runs}, size{60, 1667, min(r.Runs, 5)})
}

// measureMillion is B9 at its largest, with the smaller ones once more beside it.
func measureMillion(ctx context.Context, r rig) (entry, error) {
	return growth(ctx, r, size{60, 167, r.Runs}, size{60, 1667, min(r.Runs, 3)}, size{60, 16667, min(r.Runs, 2)})
}

// growth compares the passes over trees of several sizes, the smallest first. The trees
// stand side by side and the runs over them are mixed, so that the load of the machine
// is the same for all.
func growth(ctx context.Context, r rig, sizes ...size) (_ entry, err error) {
	var all []*grown
	var nodes []*node.Node
	defer func() {
		for _, n := range nodes {
			err = errors.Join(err, n.Close())
		}
	}()
	rounds := 0
	for _, s := range sizes {
		n, err := s.fill(r)
		if err != nil {
			return entry{}, err
		}
		all, nodes = append(all, &grown{size: s}), append(nodes, n)
		rounds = max(rounds, s.runs)
	}
	for round := range rounds {
		for i, g := range all {
			if !g.due(round, rounds) {
				continue
			}
			if err := g.pass(ctx, r, nodes[i]); err != nil {
				return entry{}, fmt.Errorf("%d partitions: %w", g.total(), err)
			}
		}
	}
	e := growthEntry(all)
	least, most := all[0], all[len(all)-1]
	flat := most.each(sample.cpu) / least.each(sample.cpu)
	e.Goals = []goal{
		{
			What: fmt.Sprintf("CPU a partition, %d ÷ %d", most.total(), least.total()), Limit: flatGoal,
			Got: flat, Note: fmt.Sprintf("wall %.2f", most.each(wall)/least.each(wall)),
		},
		{
			What: fmt.Sprintf("peak memory at %d partitions", most.total()), Limit: peakGoal >> 20,
			Got: most.peak / (1 << 20), Unit: mibUnit,
		},
	}
	e.Below = []string{fmt.Sprintf("Between %d and %d partitions the peak grows by %.0f bytes a partition.",
		least.total(), most.total(), (most.peak-least.peak)/float64(most.total()-least.total()))}
	return e, nil
}

// measureWide is a node of a hundred disks.
func measureWide(ctx context.Context, r rig) (_ entry, err error) {
	s := size{100, 2000, min(r.Runs, 3)}
	if r.Smoke {
		s = size{100, 3, 1}
	}
	n, err := s.fill(r)
	if err != nil {
		return entry{}, err
	}
	defer func() { err = errors.Join(err, n.Close()) }()
	g := &grown{size: s}
	for range s.runs {
		if err := g.pass(ctx, r, n); err != nil {
			return entry{}, err
		}
	}
	return growthEntry([]*grown{g}), nil
}

func (s size) fill(r rig) (*node.Node, error) {
	r.say("B9: filling %d × %d partitions", s.disks, s.partitions)
	return node.New(node.Spec{Base: r.Base, Disks: s.disks, Partitions: s.partitions, Cached: true})
}

// due tells whether one of the size's runs falls into a round: they lie evenly in all
// rounds.
func (s size) due(round, rounds int) bool {
	return ((round+1)*s.runs+rounds/2)/rounds > (round*s.runs+rounds/2)/rounds
}

// pass runs once over the tree, from a fresh process.
func (g *grown) pass(ctx context.Context, r rig, n *node.Node) error {
	if err := n.Peers.Reset(nil); err != nil {
		return err
	}
	run, err := n.Start(r.ours.Path, nil, "--once")
	if err != nil {
		return err
	}
	if err := run.Wait(ctx); err != nil {
		return err
	}
	if err := inSync(n); err != nil {
		return err
	}
	g.passes = append(g.passes, sample{run.Wall(), run.User(), run.System()})
	g.first = append(g.first, n.Peers.First().Sub(run.Begun).Seconds())
	g.peak = max(g.peak, float64(run.Peak.Resident()))
	g.threads = max(g.threads, run.Peak.Threads())
	r.say("B9: %d partitions, run %d: wall %.2f s, CPU %.2f s, peak %s", g.total(), len(g.passes), run.Wall().Seconds(),
		(run.User() + run.System()).Seconds(), mib(float64(run.Peak.Resident())))
	return nil
}

// inSync demands that a pass found every partition in sync with both peers, and asked
// no more than it had to.
func inSync(n *node.Node) error {
	var stats cluster.Stats
	if ok, err := n.Recon("replication_stats", &stats); err != nil || !ok {
		return fmt.Errorf("no numbers in the recon cache (%w)", err)
	}
	if stats.Attempted != n.Total() || stats.HashMatch != 2*n.Total() || stats.Failure != 0 || n.Peers.Count() != 2*n.Total() {
		return fmt.Errorf("the pass did not find %d partitions in sync: %+v after %d requests", n.Total(), stats, n.Peers.Count())
	}
	return nil
}

// each is the median time of one partition, in seconds.
func (g *grown) each(of func(sample) time.Duration) float64 {
	return median(inSeconds(g.passes, of)) / float64(g.total())
}

func growthEntry(all []*grown) entry {
	e := entry{Table: "growth", Samples: map[string][]float64{}}
	note := func(name string, v float64) { e.Samples[name] = append(e.Samples[name], v) }
	for _, g := range all {
		kernel := func(s sample) time.Duration { return s.system }
		e.Rows = append(e.Rows, []string{
			fmt.Sprintf("%d × %d", g.disks, g.partitions), strconv.Itoa(g.total()), strconv.Itoa(len(g.passes)),
			fmt.Sprintf("%.0f ms", 1e3*median(g.first)), seconds(g.passes, wall), fmt.Sprintf("%.0f µs", 1e6*g.each(wall)),
			fmt.Sprintf("%.0f µs (%.0f)", 1e6*g.each(sample.cpu), 1e6*g.each(kernel)), mib(g.peak), strconv.Itoa(g.threads),
		})
		note(partitionsKey, float64(g.total()))
		note(peakKey, g.peak)
		note(cpuKey, 1e6*g.each(sample.cpu))
		of := fmt.Sprintf("%d partitions, ", g.total())
		e.Samples[of+"CPU, s"] = inSeconds(g.passes, sample.cpu)
		e.Samples[of+"wall, s"] = inSeconds(g.passes, wall)
		e.Samples[of+"first request, s"] = g.first
	}
	return e
}
