package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"understudy/internal/bench/node"
	"understudy/internal/cluster"
)

const memoryGoal = 64 << 20 // bytes

// rested is what a daemon has when all disks have ended their first pass.
type rested struct {
	node.Footprint
	cpu time.Duration
}

// measureMemory is B8.
func measureMemory(ctx context.Context, r rig) (_ entry, err error) {
	disks, partitions := 60, 64
	if r.Smoke {
		disks, partitions = 3, 4
	}
	n, err := node.New(node.Spec{Base: r.Base, Disks: disks, Partitions: partitions, Cached: true, Options: map[string]string{
		"replicator_workers": strconv.Itoa(disks), "concurrency": "1", "interval": "3600",
	}})
	if err != nil {
		return entry{}, err
	}
	defer func() { err = errors.Join(err, n.Close()) }()
	found := map[string][]rested{}
	programs := []cluster.Program{cluster.Stock, r.ours}
	for i := range min(r.Runs, 3) {
		slices.Reverse(programs)
		for _, p := range programs {
			at, err := daemonAtRest(ctx, n, p, disks)
			if err != nil {
				return entry{}, fmt.Errorf("%s: %w", p.Name, err)
			}
			r.say("B8: run %d, %s: %d processes, %d threads, PSS %s", i, p.Name, at.Processes, at.Threads, mib(float64(at.PSS)))
			found[p.Name] = append(found[p.Name], at)
		}
	}
	return memoryEntry(disks, partitions, found[cluster.Stock.Name], found[r.ours.Name]), nil
}

// daemonAtRest starts a daemon, waits until every disk has ended a pass and the
// program uses no more CPU time, and looks at it.
func daemonAtRest(ctx context.Context, n *node.Node, p cluster.Program, disks int) (_ rested, err error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	if err := n.Peers.Reset(nil); err != nil {
		return rested{}, err
	}
	run, err := n.Start(p.Path, nil)
	if err != nil {
		return rested{}, err
	}
	defer func() { err = errors.Join(err, run.Kill()) }()
	err = run.Await(ctx, "the first pass of every disk", func() (bool, error) {
		var perDisk map[string]struct {
			Last float64 `json:"object_replication_last"`
		}
		ok, err := n.Recon("object_replication_per_disk", &perDisk)
		return ok && len(perDisk) == disks && n.Peers.Count() >= 2*n.Total(), err
	})
	if err != nil {
		return rested{}, err
	}
	if err := quiet(ctx, run); err != nil {
		return rested{}, err
	}
	var r rested
	if r.Footprint, err = run.Footprint(); err != nil {
		return rested{}, err
	}
	r.cpu, err = run.CPU()
	return r, err
}

// quiet waits until a program uses less than a tenth of one core.
func quiet(ctx context.Context, run *node.Run) error {
	var before time.Duration
	since := time.Now()
	return run.Await(ctx, "rest", func() (bool, error) {
		passed := time.Since(since)
		if passed < time.Second {
			return false, nil
		}
		cpu, err := run.CPU()
		if err != nil {
			return false, err
		}
		calm := before > 0 && cpu-before < passed/10
		before, since = cpu, time.Now()
		return calm, nil
	})
}

func memoryEntry(disks, partitions int, stock, ours []rested) entry {
	row := func(name string, all []rested) []string {
		last := all[len(all)-1]
		return []string{
			name, strconv.Itoa(last.Processes), strconv.Itoa(last.Threads),
			spreadMiB(pssOf(all)), fmt.Sprintf("%.2f s", median(cpuOf(all))),
		}
	}
	pss := median(pssOf(ours))
	return entry{
		Table: "memory", Rows: [][]string{row("Swift", stock), row("ours", ours)},
		Below: []string{fmt.Sprintf("%d disks with %d partitions each, %d runs of each program; ours ÷ Swift's: %.3f.",
			disks, partitions, len(ours), pss/median(pssOf(stock)))},
		Goals:   []goal{{What: "PSS", Limit: memoryGoal >> 20, Got: pss / (1 << 20), Unit: mibUnit}},
		Samples: map[string][]float64{"Swift PSS, bytes": pssOf(stock), "ours PSS, bytes": pssOf(ours)},
	}
}

func pssOf(all []rested) (pss []float64) {
	for _, r := range all {
		pss = append(pss, float64(r.PSS))
	}
	return pss
}

func cpuOf(all []rested) (cpu []float64) {
	for _, r := range all {
		cpu = append(cpu, r.cpu.Seconds())
	}
	return cpu
}

func mib(bytes float64) string { return fmt.Sprintf("%.1f MiB", bytes/(1<<20)) }

func spreadMiB(bytes []float64) string {
	return fmt.Sprintf("**%s** (%s to %s)", mib(median(bytes)), mib(slices.Min(bytes)), mib(slices.Max(bytes)))
}
