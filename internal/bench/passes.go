package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"time"

	"understudy/internal/cluster"
)

// pass is one kind of pass on the first of four nodes with four devices each. All
// nodes run object servers.
type pass struct {
	name, what string
	partPower  int
	objects    int  // in each partition
	size       int  // bytes of each
	cold       bool // forget hashes.pkl before every run
	args       []string
	wallGoal   float64
	cpuGoal    float64 // 0: no goal
}

func passOf(name string, smoke bool) pass {
	b := map[string]pass{
		"start": {
			what:      "start and stop: `--devices=none`, in the times below, too",
			partPower: 5, objects: 1, args: []string{"--devices=none"},
		},
		"B1": {
			what:      "pass with nothing to do, 3,072 partitions on the node, 4 objects of 4 KiB in each",
			partPower: 12, objects: 4, size: 4096, wallGoal: 0.55, cpuGoal: 0.15,
		},
		"B3": {
			what:      "cold pass: no hashes.pkl on the node, 100,608 hash dirs in 768 partitions, empty objects",
			partPower: 10, objects: 131, cold: true, wallGoal: 0.25,
		},
	}[name]
	b.name = name
	if smoke {
		b.what, b.partPower, b.objects = "smoke test of "+name+", 24 partitions", 5, min(b.objects, 10)
	}
	return b
}

// result is what the runs of a pass have brought.
type result struct {
	samples map[string][]sample // by side
	stats   cluster.Stats
	digest  cluster.Digest
	profile *profile
}

func (b pass) entry(ctx context.Context, r rig) (entry, error) {
	found, err := b.measure(ctx, r, []side{stockSide("Swift", nil), r.ourSide("ours", cluster.StockServer, nil)})
	if err != nil {
		return entry{}, err
	}
	p := pairs{theirs: found.samples["Swift"], ours: found.samples["ours"]}
	e := entry{Table: "passes", Profile: found.profile, Rows: [][]string{{
		b.what, seconds(p.theirs, wall), seconds(p.ours, wall), p.ratio(wall), p.atMost(b.wallGoal, wall),
		cpuSeconds(p.theirs), cpuSeconds(p.ours), p.ratio(sample.cpu), p.atMost(b.cpuGoal, sample.cpu),
	}}}
	e.keep(found.samples)
	if b.wallGoal > 0 {
		e.Goals = append(e.Goals, p.goal("wall", b.wallGoal, wall))
	}
	if b.cpuGoal > 0 {
		e.Goals = append(e.Goals, p.goal("CPU", b.cpuGoal, sample.cpu))
	}
	if len(b.args) == 0 {
		e.Below = append(e.Below, b.ended("both programs", found))
	}
	return e, nil
}

// ended is the sentence about the state in which every run has ended.
func (b pass) ended(who string, found result) string {
	return fmt.Sprintf("End state of %s, %s: %d partitions, %d suffixes, %d peers in sync, %d pushes, %d failures.",
		b.name, who, found.digest.Partitions, found.digest.Suffixes, found.stats.HashMatch, found.stats.Rsync, found.stats.Failure)
}

// build makes the pass's cluster, with its servers running.
func (b pass) build(ctx context.Context, r rig) (*cluster.Cluster, error) {
	c, err := cluster.New(ctx, cluster.Spec{
		Base: r.Base, Nodes: 4, Devices: 4,
		Policies:   []cluster.Policy{{Index: 0, Name: "gold", PartPower: b.partPower}},
		Replicator: map[string]string{"log_level": "INFO"},
	})
	if err != nil {
		return nil, err
	}
	r.say("%s: filling %d partitions", b.name, 1<<b.partPower)
	err = c.Fill(ctx, b.objects, b.size, time.Now().Add(-48*time.Hour))
	if err == nil {
		err = c.Start(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// measure runs all sides in turn on the first node, and ours once more under perf, if
// that is asked for.
func (b pass) measure(ctx context.Context, r rig, sides []side) (found result, err error) {
	c, err := b.build(ctx, r)
	if err != nil {
		return result{}, err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	found.samples, err = r.inTurn(b.name, r.Runs, sides, func(s side) (sample, error) {
		changed, err := c.ServeWith(ctx, s.peers)
		if err == nil && changed { // the servers, too, have to be warm
			_, err = b.once(ctx, c.Nodes[0], s, nil, &found)
		}
		if err != nil {
			return sample{}, err
		}
		return b.once(ctx, c.Nodes[0], s, nil, &found)
	})
	if err != nil {
		return result{}, err
	}
	ours := sides[1]
	found.profile, err = r.profiled(ctx, func(under []string) error {
		if _, err := c.ServeWith(ctx, ours.peers); err != nil {
			return err
		}
		_, err := b.once(ctx, c.Nodes[0], ours, under, &found)
		return err
	})
	return found, err
}

// once runs one side, and demands the same counters and the same cached hashes as
// after every other pass.
func (b pass) once(ctx context.Context, n *cluster.Node, s side, under []string, found *result) (sample, error) {
	if b.cold {
		if err := forgetHashes(n); err != nil {
			return sample{}, err
		}
	}
	if err := n.WriteConf(s.options); err != nil {
		return sample{}, err
	}
	run, err := n.OnceUnder(ctx, under, s.program, b.args...)
	if err != nil {
		return sample{}, err
	}
	if run.Code != 0 || run.Output != "" {
		return sample{}, fmt.Errorf("ended with status %d: %s", run.Code, run.Output)
	}
	if len(b.args) == 0 {
		err = b.check(ctx, n, found)
	}
	return sample{run.Wall, run.User, run.System}, err
}

func (b pass) check(ctx context.Context, n *cluster.Node, found *result) error {
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
		return fmt.Errorf("did not find %d partitions in sync: %+v", digest.Partitions, stats)
	}
	first := found.digest.Sum == ""
	want := found.stats
	if !b.cold {
		want.SuffixHash = stats.SuffixHash // only the very first pass had anything to hash
	}
	if !first && (!reflect.DeepEqual(stats, want) || digest != found.digest) {
		return fmt.Errorf("ended in another state: %+v and %+v, before %+v and %+v", stats, digest, found.stats, found.digest)
	}
	found.stats, found.digest = stats, digest
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
