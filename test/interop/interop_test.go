package interop

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"understudy/internal/cluster"
)

// wide is the cluster of most tests: more nodes than replicas, so that no node has
// two copies of a partition, two replication policies of different part power, and
// an erasure coded one that no replicator may touch.
func wide() cluster.Spec {
	return cluster.Spec{
		Nodes: 4, Devices: 2,
		Policies: []cluster.Policy{
			{Index: 0, Name: "gold", PartPower: 4},
			{Index: 1, Name: "coded", PartPower: 3, Erasure: true},
			{Index: 2, Name: "silver", PartPower: 3},
		},
	}
}

// TestInterop fills a cluster with everything that a Swift tree can hold: data,
// tombstones, metadata files with and without a content type and two at a time,
// offsets, empty and large objects, names and values that are not ASCII, metadata
// of Python 2, expired objects, and what crashes leave behind; every object is on
// some of its nodes only, and one device is empty. Our replicators run on all nodes
// at once, twice. Then Swift judges: its replicators find nothing left to push, its
// DiskFile opens the newest state of every object on every primary, its hashes agree
// with every cached and answered one, and its recon tools read our numbers.
func TestInterop(t *testing.T) {
	ctx := deadline(t)
	c := newCluster(t, ctx, wide())
	h := &cluster.History{}
	empty := cluster.Device{IP: c.Nodes[3].IP, Name: "d2"}
	write(t, ctx, c, h, richTree(), empty)
	strange := plantStrangers(t, c)
	start(t, ctx, c)

	for range 2 {
		passEverywhere(t, ctx, c, ours(t))
	}
	wantSettled(t, ctx, c, h)
	for path, want := range strange {
		if got, err := os.ReadFile(path); err != nil || string(got) != want {
			t.Errorf("%s was touched: %q, %v", path, got, err)
		}
	}
	wantSwiftReadsRecon(t, c)
	wantNothingLeftToPush(t, c)
}

// richTree is one fixed tree with all kinds of objects and junk.
func richTree() []cluster.Op {
	return cluster.Tree{
		Seed: 20, Objects: 150, Policies: []int{0, 2}, Junk: true, Base: time.Now().Add(-12 * time.Hour),
	}.Ops()
}

// plantStrangers puts entries among the partitions that are no partitions of a
// replication policy. All of them must survive.
func plantStrangers(t *testing.T, c *cluster.Cluster) map[string]string {
	t.Helper()
	files := map[string]string{
		"d1/objects/auditor_status_ALL.json":                  `{"partitions": ["1"]}`,
		"d1/objects/auditor_status_ZBF.json":                  `{"partitions": ["1"]}`,
		"d1/objects/lost+found/file":                          "not a partition",
		"d1/objects/not-a-number/abc/file":                    "not a partition",
		"d1/objects-1/3/abc/00000000000000000000000000000abc": "a fragment archive",
		"d1/tmp/young":             "a PUT may be writing it",
		"d1/accounts/1/abc/x/x.db": "another server's",
	}
	planted := map[string]string{}
	for _, n := range c.Nodes {
		for name, text := range files {
			path := filepath.Join(n.DevicesRoot(), name)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			planted[path] = text
		}
		if err := n.GiveToSwift(); err != nil {
			t.Fatal(err)
		}
	}
	return planted
}

// wantNothingLeftToPush runs Swift's replicator on every node.
func wantNothingLeftToPush(t *testing.T, c *cluster.Cluster) {
	t.Helper()
	ctx := deadline(t)
	for _, n := range c.Nodes {
		run, r := pass(t, ctx, n, cluster.Stock)
		if r.Stats.Rsync != 0 || r.Stats.SuffixSync != 0 {
			t.Errorf("Swift's replicator on node %d still had to push: %+v", n.Number, *r.Stats)
		}
		if pushed := run.Logged("Successful rsync"); len(pushed) > 0 {
			t.Errorf("Swift's replicator on node %d still pushed: %s", n.Number, strings.Join(pushed, "\n"))
		}
		if r.Stats.HashMatch == 0 || r.Stats.Attempted == 0 {
			t.Errorf("Swift's replicator on node %d compared nothing: %+v", n.Number, *r.Stats)
		}
	}
}

// wantSwiftReadsRecon asks every node's recon middleware, and runs swift-recon.
func wantSwiftReadsRecon(t *testing.T, c *cluster.Cluster) {
	t.Helper()
	ctx := deadline(t)
	for _, n := range c.Nodes {
		r, err := n.Recon(ctx)
		if err != nil {
			t.Fatal(err)
		}
		age := float64(time.Now().UnixMicro())/1e6 - *r.Last
		switch {
		case *r.Last != *r.ObjectLast, *r.Time != *r.ObjectTime:
			t.Errorf("node %d: the object_ keys differ: %+v", n.Number, r)
		case age < 0, age > 300, *r.Time <= 0, *r.Time > 5:
			t.Errorf("node %d: time %v minutes, %v seconds ago", n.Number, *r.Time, age)
		case r.Stats.Attempted == 0, r.Stats.SuffixCount == 0, r.Stats.Success == 0:
			t.Errorf("node %d: implausible counters %+v", n.Number, *r.Stats)
		}
	}
	out, err := c.SwiftRecon(ctx, "object", "-r")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"[replication_time]", "[replication_attempted]", "Failed: 0.0%", "Oldest completion was", "Most recent completion was"} {
		if !strings.Contains(out, want) {
			t.Errorf("swift-recon object -r does not say %q:\n%s", want, out)
		}
	}
}
