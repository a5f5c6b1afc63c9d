package interop

import (
	"context"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"understudy/internal/cluster"
)

// TestDifferential lets Swift's replicator and ours loose on two copies of the same
// random tree, with the same rings and addresses: node after node, two rounds. Both
// must leave the same bytes, the same metadata, the same names and the same cached
// hashes behind, and must have counted the same on every node in both rounds.
//
// All nine counters and failure_nodes are compared. They are functions of the tree,
// although both programs shuffle their jobs and each job its peers, because
//   - the nodes run one after the other, and no node has two copies of a partition
//     (4 zones, 3 replicas), so that the jobs of one pass touch different partitions
//     on all nodes and do not see each other;
//   - a push to one peer changes nothing on another peer, nor on the local device;
//   - the cached hashes that the trees get wrong are wrong in a way of their own on
//     each device, so that they differ from every peer's, whichever is asked first;
//   - every valid hashes.pkl knows all suffixes, so that the one pass in ten that
//     looks for unknown ones (the phase is random) finds none;
//   - the empty device has its objects folders: without them the first push to it
//     fails, and only that one (REPLICATE makes them), whichever it is;
//   - all nodes are in one region and none answers 507, so that the order of peers
//     decides neither who is skipped nor who stands in.
//
// UNDERSTUDY_SEED=7,8,9 adds seeds of your own.
func TestDifferential(t *testing.T) {
	for _, seed := range seeds(t) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			t.Parallel()
			differ(t, seed)
		})
	}
}

func seeds(t *testing.T) []uint64 {
	seeds := []uint64{1}
	if text := os.Getenv("UNDERSTUDY_SEED"); text != "" {
		for _, word := range strings.Split(text, ",") {
			seed, err := strconv.ParseUint(word, 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			seeds = append(seeds, seed)
		}
	}
	return seeds
}

func differ(t *testing.T, seed uint64) {
	ctx := deadline(t)
	tree := cluster.Tree{
		Seed: seed, Objects: 60, Policies: []int{0, 2}, Junk: true,
		Base: time.Now().Add(-12 * time.Hour),
	}
	first := newCluster(t, ctx, wide())
	bare := first.Nodes[seed%4]
	h := &cluster.History{}
	write(t, ctx, first, h, tree.Ops(), cluster.Device{IP: bare.IP, Name: "d2"})
	makeObjectsFolders(t, bare, "d2")
	plantStrangers(t, first)
	second := copyOf(t, ctx, first)

	theirs := twoRounds(t, ctx, first, cluster.Stock, h)
	own := twoRounds(t, ctx, second, ours(t), h)
	for i := range theirs.stats {
		if !reflect.DeepEqual(theirs.stats[i], own.stats[i]) {
			t.Errorf("round %d, node %d: the counters differ\nSwift %+v\nours  %+v",
				1+i/4, 1+i%4, theirs.stats[i], own.stats[i])
		}
	}
	for _, why := range diffStates(theirs.copies, own.copies) {
		t.Error(why)
	}
}

// makeObjectsFolders makes a device look used, but empty.
func makeObjectsFolders(t *testing.T, n *cluster.Node, device string) {
	t.Helper()
	for _, policy := range []int{0, 2} {
		if err := os.MkdirAll(n.ObjectsPath(device, policy), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := n.GiveToSwift(); err != nil {
		t.Fatal(err)
	}
}

// outcome is what one program did.
type outcome struct {
	stats  []cluster.Stats // node by node, round by round
	copies map[string]cluster.Copy
}

func twoRounds(t *testing.T, ctx context.Context, c *cluster.Cluster, p cluster.Program, h *cluster.History) outcome {
	t.Helper()
	start(t, ctx, c)
	defer c.Stop()
	var o outcome
	for range 2 {
		for _, n := range c.Nodes {
			_, r := pass(t, ctx, n, p)
			o.stats = append(o.stats, *r.Stats)
		}
	}
	o.copies = map[string]cluster.Copy{}
	for _, copy := range wantSettled(t, ctx, c, h) {
		o.copies[copy.String()] = copy
	}
	return o
}

// diffStates compares all that is on the devices, but not when it was written.
func diffStates(theirs, own map[string]cluster.Copy) []string {
	var wrong []string
	names := map[string]bool{}
	for name := range theirs {
		names[name] = true
	}
	for name := range own {
		names[name] = true
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		a, b := theirs[name], own[name]
		delete(a.Cached, "updated")
		delete(b.Cached, "updated")
		if !reflect.DeepEqual(a, b) {
			wrong = append(wrong, fmt.Sprintf("%s differs\nSwift %+v\nours  %+v", name, a, b))
		}
	}
	return wrong
}
