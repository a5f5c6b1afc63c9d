package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"time"

	"understudy/internal/cluster"
)

// benchmark is one kind of pass on the first of four nodes with four devices each;
// the other nodes run Swift's object servers.
type benchmark struct {
	name, what string
	partPower  int
	objects    int  // in each partition
	size       int  // bytes of each
	cold       bool // forget hashes.pkl before every run
	args       []string
	wallGoal   float64
	cpuGoal    float64 // 0: no goal
}

func benchmarks(smoke bool) []benchmark {
	start := benchmark{
		name: "start", what: "start and stop: `--devices=none`, in the times below, too",
		partPower: 5, objects: 1, args: []string{"--devices=none"},
	}
	b1 := benchmark{
		name: "B1", what: "pass with nothing to do, 3,072 partitions on the node, 4 objects of 4 KiB in each",
		partPower: 12, objects: 4, size: 4096, wallGoal: 0.55, cpuGoal: 0.15,
	}
	b3 := benchmark{
		name: "B3", what: "cold pass: no hashes.pkl on the node, 100,608 hash dirs in 768 partitions, empty objects",
		partPower: 10, objects: 131, cold: true, wallGoal: 0.25,
	}
	if smoke {
		b1.what, b1.partPower = "smoke test of B1, 24 partitions", 5
		b3.what, b3.partPower, b3.objects = "smoke test of B3, 24 partitions", 5, 10
	}
	return []benchmark{start, b1, b3}
}

// result is what the runs of a benchmark have brought.
type result struct {
	benchmark
	pairs
	stats  cluster.Stats
	digest cluster.Digest
}

func (b benchmark) entry(ctx context.Context, o options, ours cluster.Program) (entry, error) {
	r, err := b.measure(ctx, o, ours)
	if err != nil {
		return entry{}, err
	}
	e := entry{Table: "passes", Rows: [][]string{{
		b.what, seconds(r.theirs, wall), seconds(r.ours, wall), r.ratio(wall), r.atMost(b.wallGoal, wall),
		cpuSeconds(r.theirs), cpuSeconds(r.ours), r.ratio(sample.cpu), r.atMost(b.cpuGoal, sample.cpu),
	}}, Samples: map[string][]float64{
		"Swift wall": inSeconds(r.theirs, wall), "Swift CPU": inSeconds(r.theirs, sample.cpu),
		"ours wall": inSeconds(r.ours, wall), "ours CPU": inSeconds(r.ours, sample.cpu),
	}}
	if b.wallGoal > 0 {
		e.Goals = append(e.Goals, r.goal("wall", b.wallGoal, wall))
	}
	if b.cpuGoal > 0 {
		e.Goals = append(e.Goals, r.goal("CPU", b.cpuGoal, sample.cpu))
	}
	if len(b.args) == 0 {
		e.Below = append(e.Below, fmt.Sprintf("End state of %s, both programs: %d partitions, %d suffixes, %d peers in sync, %d pushes, %d failures.",
			b.name, r.digest.Partitions, r.digest.Suffixes, r.stats.HashMatch, r.stats.Rsync, r.stats.Failure))
	}
	return e, nil
}

func (b benchmark) measure(ctx context.Context, o options, ours cluster.Program) (_ result, err error) {
	c, err := cluster.New(ctx, cluster.Spec{
		Base: o.base, Nodes: 4, Devices: 4,
		Policies:   []cluster.Policy{{Index: 0, Name: "gold", PartPower: b.partPower}},
		Replicator: map[string]string{"log_level": "INFO"},
	})
	if err != nil {
		return result{}, err
	}
	defer func() {
		if e := c.Close(); err == nil {
			err = e
		}
	}()
	say("%s: filling %d partitions", b.name, 1<<b.partPower)
	if err := c.Fill(ctx, b.objects, b.size, time.Now().Add(-48*time.Hour)); err != nil {
		return result{}, err
	}
	if err := c.Start(ctx); err != nil {
		return result{}, err
	}
	r := result{benchmark: b}
	// The first run of each only warms up: all peers cache their hashes in it.
	programs := []cluster.Program{cluster.Stock, ours}
	for i := range o.runs + 1 {
		slices.Reverse(programs) // so that neither gains from a load that only grows
		for _, p := range programs {
			s, err := b.once(ctx, c.Nodes[0], p, &r)
			if err != nil {
				return result{}, err
			}
			say("%s: run %d of %d, %s: wall %.2f s, CPU %.2f s", b.name, i, o.runs, p.Name, s.wall.Seconds(), s.cpu().Seconds())
			switch {
			case i == 0:
			case p == cluster.Stock:
				r.theirs = append(r.theirs, s)
			default:
				r.ours = append(r.ours, s)
			}
		}
	}
	return r, nil
}

// once runs the program, and demands the same counters and the same cached hashes as
// after every other pass.
func (b benchmark) once(ctx context.Context, n *cluster.Node, p cluster.Program, r *result) (sample, error) {
	if b.cold {
		if err := forgetHashes(n); err != nil {
			return sample{}, err
		}
	}
	run, err := n.Once(ctx, p, b.args...)
	if err != nil {
		return sample{}, err
	}
	if run.Code != 0 || run.Output != "" {
		return sample{}, fmt.Errorf("%s ended with status %d: %s", p.Name, run.Code, run.Output)
	}
	if len(b.args) == 0 {
		err = b.check(ctx, n, p, r)
	}
	return sample{run.Wall, run.User, run.System}, err
}

func (b benchmark) check(ctx context.Context, n *cluster.Node, p cluster.Program, r *result) error {
	recon, err := n.ReconFile()
	if err != nil {
		return err
	}
	digest, err := n.Digest(ctx)
	if err != nil {
		return err
	}
	stats := *recon.Stats
	if stats.HashMatch != 2*digest.Partitions || stats.Rsync != 0 || stats.Failure != 0 {
		return fmt.Errorf("%s did not find %d partitions in sync: %+v", p.Name, digest.Partitions, stats)
	}
	first := r.digest.Sum == ""
	want := r.stats
	if !b.cold {
		want.SuffixHash = stats.SuffixHash // only the very first pass had anything to hash
	}
	if !first && (!reflect.DeepEqual(stats, want) || digest != r.digest) {
		return fmt.Errorf("%s ended in another state: %+v and %+v, before %+v and %+v",
			p.Name, stats, digest, r.stats, r.digest)
	}
	r.stats, r.digest = stats, digest
	return nil
}

func forgetHashes(n *cluster.Node) error {
	caches, err := filepath.Glob(n.ObjectsPath("*", 0) + "/*/hashes.*")
	if err != nil {
		return err
	}
	for _, path := range caches {
		if err := os.Remove(path); err != nil {
			return fmt.Errorf("forget hashes: %w", err)
		}
	}
	return nil
}
