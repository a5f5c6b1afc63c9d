// Command demo shows the replicator at its work on a real Swift cluster: four nodes
// with two disks each, one of which has just been replaced by an empty one. Our
// replicator runs once on every node; then Swift itself looks for something wrong.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"understudy/test/interop/cluster"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) (err error) {
	bin, err := os.MkdirTemp("", "understudy-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(bin)
	if err := os.Chmod(bin, 0o755); err != nil {
		return err
	}
	fmt.Println("Building our swift-object-replicator, and a cluster of Swift's object servers: 4 nodes, 2 disks each, 3 replicas.")
	ours, err := cluster.Ours(ctx, bin, false)
	if err != nil {
		return err
	}
	c, err := cluster.New(ctx, cluster.Spec{Nodes: 4, Devices: 2})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()

	h, lost := &cluster.History{}, cluster.Device{IP: c.Nodes[2].IP, Name: "d1"}
	tree := cluster.Tree{Seed: 1, Objects: 200, Policies: []int{0}, Base: time.Now().Add(-12 * time.Hour)}
	if _, err := c.Write(ctx, h, tree.Ops(), lost); err != nil {
		return err
	}
	if err := c.Start(ctx); err != nil {
		return err
	}
	fmt.Printf("\nSwift wrote %d objects. Disk d1 of node 3 is empty, and the other disks disagree, too:\n", len(h.Expect()))
	if err := show(c); err != nil {
		return err
	}
	for _, n := range c.Nodes {
		if err := pass(ctx, n, ours); err != nil {
			return err
		}
	}
	fmt.Println("\nAfterwards:")
	if err := show(c); err != nil {
		return err
	}
	return judge(ctx, c, h)
}

// pass runs our replicator and shows what it says about it.
func pass(ctx context.Context, n *cluster.Node, p cluster.Program) error {
	fmt.Printf("\nnode %d $ swift-object-replicator object-server.conf --once\n", n.Number)
	run, err := n.Once(ctx, p)
	if err != nil {
		return err
	}
	if run.Code != 0 {
		return fmt.Errorf("exit status %d: %s", run.Code, run.Output)
	}
	for _, text := range []string{"partitions replicated", "successes", "suffixes checked", "Object replication complete"} {
		for _, line := range run.Logged(text) {
			fmt.Println("  " + line)
		}
	}
	return nil
}

func show(c *cluster.Cluster) error {
	for _, n := range c.Nodes {
		count := map[string]int{}
		files, err := n.Files()
		if err != nil {
			return err
		}
		for path := range files {
			count[path[:2]]++
		}
		for _, d := range n.Devices {
			fmt.Printf("  node %d  %s  %4d files\n", n.Number, d, count[d])
		}
	}
	return nil
}

// judge lets Swift's hashes, DiskFile and replicator look for something wrong.
func judge(ctx context.Context, c *cluster.Cluster, h *cluster.History) error {
	copies, err := c.Scan(ctx, true)
	if err != nil {
		return err
	}
	wrong, err := c.CheckCopies(ctx, copies)
	if err != nil {
		return err
	}
	lost, err := c.CheckObjects(ctx, h)
	if err != nil {
		return err
	}
	pushes := 0
	for _, n := range c.Nodes {
		if _, err := n.Once(ctx, cluster.Stock); err != nil {
			return err
		}
		r, err := n.Recon(ctx)
		if err != nil {
			return err
		}
		pushes += r.Stats.Rsync
	}
	fmt.Printf("\nSwift's verdict: %d objects lost, %d copies or hashes that differ, and its own replicator found %d things to push.\n",
		len(lost), len(wrong), pushes)
	if len(lost)+len(wrong)+pushes > 0 {
		return fmt.Errorf("the cluster is not whole: %q %q", lost, wrong)
	}
	return nil
}
