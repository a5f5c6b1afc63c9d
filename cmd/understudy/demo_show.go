package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"time"

	"understudy/internal/lab"
	"understudy/internal/progress"
)

// maxRounds is how many rounds a disk may take to come back.
const maxRounds = 3

// show runs the demonstration in a folder. Its error says why not all is well.
func (d *demo) show(ctx context.Context, folder string, p *demoPrinter) (err error) {
	cluster, err := lab.New(ctx, lab.Spec{
		Dir: folder, Nodes: d.nodes, Disks: d.disks, Replicas: demoReplicas,
		PartPower: d.partPower(), Seed: d.seed, Options: map[string]string{"concurrency": "4", "sync_method": "ssync"},
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cluster.Close()) }()
	p.printf("%s × %s, %d partitions with %d copies each, seed %d\n",
		plural(d.nodes, "node"), plural(d.disks, "disk"), cluster.Ring.Partitions(), demoReplicas, d.seed)

	begun := time.Now()
	line := progress.New(progress.Options{Out: p.progress, Unit: "objects", Total: int64(d.objects)})
	history, err := cluster.Seed(ctx, lab.Draw{
		Objects: d.objects, Seed: d.seed, Base: begun.Add(-3 * time.Hour), Ssync: true, Written: func() { line.Add(1) },
	})
	line.End()
	if err != nil {
		return err
	}
	copies, bytes := cluster.Total(history)
	p.step("seed", time.Since(begun), "%s as Swift writes them: %s, %s",
		plural(d.objects, "object"), plural(copies, "copy"), size(bytes))

	begun = time.Now()
	place := d.victim(cluster)
	lost := loss{}
	lost.copies, lost.bytes = cluster.Held(history, place)
	if err := cluster.Lose(place); err != nil {
		return err
	}
	p.step("lose", time.Since(begun), "%s comes back empty: %s, %s gone", place, plural(lost.copies, "copy"), size(lost.bytes))

	verdict, err := d.recover(ctx, cluster, history, &lost, p)
	if err != nil {
		return err
	}
	return p.end(cluster, verdict, lost)
}

// watchedRound is a round during which it is shown how far it is.
func watchedRound(ctx context.Context, c *lab.Cluster, out io.Writer) (lab.Round, error) {
	line := progress.New(progress.Options{Out: out, Unit: "partitions"})
	watching, stop := context.WithCancel(ctx)
	var watcher sync.WaitGroup
	watcher.Go(func() {
		for tick := time.Tick(100 * time.Millisecond); ; {
			select {
			case <-tick:
				line.Set(c.Passing(watching))
			case <-watching.Done():
				return
			}
		}
	})
	r, err := c.Round(ctx)
	stop()
	watcher.Wait()
	line.End()
	return r, err
}

// loss is what was on the lost disk, and what it took to bring it back.
type loss struct {
	copies int
	bytes  int64
	spent  time.Duration // by the engines
}

// recover runs rounds until all is well, or until a round changes nothing.
func (d *demo) recover(ctx context.Context, c *lab.Cluster, h *lab.History, lost *loss, p *demoPrinter) (*lab.Verdict, error) {
	good := -1
	for round := 1; ; round++ {
		r, err := watchedRound(ctx, c, p.progress)
		if err != nil {
			return nil, err
		}
		lost.spent += r.Elapsed
		if d.damage != nil {
			if err := d.damage(c, h); err != nil {
				return nil, err
			}
		}
		begun := time.Now()
		v, err := c.Check(ctx, h)
		if err != nil {
			return nil, err
		}
		failures := ""
		if r.Stats.Failure > 0 {
			failures = fmt.Sprintf(", %d failed", r.Stats.Failure)
		}
		p.step(fmt.Sprintf("round %d", round), r.Elapsed, "%s, %s%s; %d of %d copies in place",
			plural(r.Stats.Attempted, "job"), plural(r.Stats.Rsync, "push"), failures, v.Good, v.Copies)
		if v.OK() || round == maxRounds || round > 1 && v.Good <= good {
			p.step("check", time.Since(begun), "%s, all metadata, %s (disk and server)",
				size(v.Bytes), plural(v.Suffixes, "suffix hash"))
			return v, nil
		}
		good = v.Good
	}
}

// partPower gives a disk about sixteen copies of partitions.
func (d *demo) partPower() int {
	power := 0
	for (1<<power)*demoReplicas < 16*d.nodes*d.disks {
		power++
	}
	return power
}

// victim draws the disk to lose.
func (d *demo) victim(c *lab.Cluster) lab.Place {
	rng := rand.New(rand.NewPCG(d.seed, 2))
	n := c.Node(1 + rng.IntN(d.nodes))
	return lab.Place{Node: n, Disk: n.Disks[rng.IntN(d.disks)]}
}
