package bench

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"understudy/internal/bench/node"
	"understudy/internal/cluster"
)

const firstGoal = 0.1

// measureFirst is B11.
func measureFirst(ctx context.Context, r rig) (_ entry, err error) {
	// The ring has fewer partitions than that: of some, two copies are here.
	spec := node.Spec{Base: r.Base, Disks: 60, Partitions: 20000, LocalCopies: 1.2}
	if r.Smoke {
		spec.Disks, spec.Partitions = 6, 100
	}
	r.say("B11: filling %d × %d partitions", spec.Disks, spec.Partitions)
	n, err := node.New(spec)
	if err != nil {
		return entry{}, err
	}
	defer func() { err = errors.Join(err, n.Close()) }()
	e := entry{Table: "first", Samples: map[string][]float64{}}
	workers := map[string]string{"replicator_workers": strconv.Itoa(spec.Disks)}
	for _, c := range []struct {
		against string
		options map[string]string
		goal    float64
	}{{"Swift", nil, firstGoal}, {fmt.Sprintf("Swift, `replicator_workers = %d`", spec.Disks), workers, 0}} {
		p, err := firstJobs(ctx, n, r, min(r.Runs, 5), c.options)
		if err != nil {
			return entry{}, err
		}
		e.Rows = append(e.Rows, []string{
			c.against, strconv.Itoa(len(p.ours)), seconds(p.theirs, wall), seconds(p.ours, wall), p.ratio(wall), p.atMost(c.goal, wall),
		})
		if c.goal > 0 {
			e.Goals = append(e.Goals, p.goal("wall", c.goal, wall))
		}
		maps.Copy(e.Samples, map[string][]float64{
			c.against: inSeconds(p.theirs, wall), "ours beside " + c.against: inSeconds(p.ours, wall),
		})
	}
	return e, nil
}

// firstJobs starts both programs in turn until a peer is asked something. The first
// round only warms up.
func firstJobs(ctx context.Context, n *node.Node, r rig, runs int, options map[string]string) (p pairs, err error) {
	programs := []cluster.Program{cluster.Stock, r.ours}
	for i := range runs + 1 {
		slices.Reverse(programs)
		for _, program := range programs {
			took, err := firstJob(ctx, n, program, options)
			if err != nil {
				return pairs{}, fmt.Errorf("%s: %w", program.Name, err)
			}
			r.say("B11: run %d, %s: %.3f s", i, program.Name, took.Seconds())
			switch {
			case i == 0:
			case program == cluster.Stock:
				p.theirs = append(p.theirs, sample{wall: took})
			default:
				p.ours = append(p.ours, sample{wall: took})
			}
		}
	}
	return p, nil
}

func firstJob(ctx context.Context, n *node.Node, program cluster.Program, options map[string]string) (_ time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	if err := n.Peers.Reset(nil); err != nil {
		return 0, err
	}
	run, err := n.Start(program.Path, options)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, run.Kill()) }()
	err = run.Await(ctx, "the first request", func() (bool, error) { return !n.Peers.First().IsZero(), nil })
	return n.Peers.First().Sub(run.Begun), err
}
