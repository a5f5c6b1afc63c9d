package interop

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"understudy/internal/cluster"
)

// The tests of this file and its neighbours show in which ways Swift's replicator
// loses the last copy of an object, and that ours does not. Each scenario runs
// twice, and Swift must lose: else it would not show what it is meant to show.

// stockIsOurs tells that Swift's own program has been put in our place.
func stockIsOurs() bool { return os.Getenv("UNDERSTUDY_BIN") == cluster.Stock.Path }

// contender is a program and whether it is expected to lose.
type contender struct {
	cluster.Program
	loses bool
}

func contenders(t *testing.T) []contender {
	t.Helper()
	return []contender{{cluster.Stock, true}, {ours(t), stockIsOurs()}}
}

// four is a cluster of four nodes with a device each: every partition has three
// primaries and exactly one handoff. All devices look used.
func four(t *testing.T, ctx context.Context, options map[string]string) *cluster.Cluster {
	t.Helper()
	merged := map[string]string{"conn_timeout": "20"} // the machine may be busy
	maps.Copy(merged, options)
	c := newCluster(t, ctx, cluster.Spec{
		Nodes: 4, Devices: 1, Policies: []cluster.Policy{{Index: 0, Name: "gold", PartPower: fourPower}},
		Replicator: merged,
	})
	for _, n := range c.Nodes {
		if err := os.MkdirAll(n.ObjectsPath("d1", 0), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := n.GiveToSwift(); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

const fourPower = 4

// handoffOf is the one node that is no primary of a partition.
func handoffOf(t *testing.T, ctx context.Context, c *cluster.Cluster, partition int) *cluster.Node {
	t.Helper()
	primaries, err := c.Primaries(ctx, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range c.Nodes {
		if !slices.Contains(primaries[partition], cluster.Device{IP: n.IP, Name: "d1"}) {
			return n
		}
	}
	t.Fatalf("partition %d has no handoff", partition)
	return nil
}

// namesIn are object names that a partition holds.
func namesIn(partition, count int) []string {
	var names []string
	for i := 0; len(names) < count; i++ {
		name := fmt.Sprintf("/AUTH_lab/c/o%d", i)
		if cluster.Partition(name, fourPower) == partition {
			names = append(names, name)
		}
	}
	return names
}

// putOp is a PUT with a body of its own.
func putOp(name string, seconds float64, size int) cluster.Op {
	return cluster.Op{
		Kind: cluster.Put, Name: name, At: cluster.Timestamp(seconds, 0), Size: size, Body: int(seconds*1e5) % (1 << 30),
		Headers: map[string]string{"Content-Type": "text/plain", "X-Object-Meta-Color": "blue"},
	}
}

// now is the time of an operation, in seconds.
func now() float64 { return float64(time.Now().UnixMicro()) / 1e6 }

// send does an operation through a node's object server and remembers it.
func send(t *testing.T, ctx context.Context, h *cluster.History, n *cluster.Node, partition int, op cluster.Op) {
	t.Helper()
	status, err := n.Send(ctx, "d1", partition, op)
	if err != nil {
		t.Fatal(err)
	}
	if want := map[string]int{cluster.Put: 201, cluster.Post: 202, cluster.Delete: 204}[op.Kind]; status != want {
		t.Fatalf("%s %s: status %d, want %d", op.Kind, op.Name, status, want)
	}
	h.Did(op)
}

// lost is what exists nowhere any more.
func lost(t *testing.T, ctx context.Context, c *cluster.Cluster, h *cluster.History) []string {
	t.Helper()
	copies, err := c.Scan(ctx, false)
	if err != nil {
		t.Fatal(err)
	}
	return cluster.Lost(copies, h)
}

// wantFate compares what is lost with what a contender is expected to lose.
func wantFate(t *testing.T, p contender, lost []string, doomed ...string) {
	t.Helper()
	if !p.loses && len(lost) > 0 {
		t.Errorf("%s has lost %s", p.Name, strings.Join(lost, ", "))
	}
	if p.loses && len(lost) == 0 {
		t.Errorf("%s has lost nothing: this no longer shows what it should", p.Name)
	}
	for _, name := range doomed {
		if p.loses && !slices.ContainsFunc(lost, func(l string) bool { return strings.Contains(l, strconv.Quote(name)) }) {
			t.Errorf("%s should have lost %q, has lost %s", p.Name, name, strings.Join(lost, ", "))
		}
	}
}

// holds tells whether a node's device has a partition.
func holds(t *testing.T, n *cluster.Node, partition int) bool {
	t.Helper()
	_, err := os.Stat(filepath.Join(n.ObjectsPath("d1", 0), strconv.Itoa(partition)))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return err == nil
}

// TestLossTempFileBesideObject leaves what a broken rsync leaves, a temporary file
// beside an object, in a handoff partition that is then reverted by ssync. Swift's
// sender takes the last name of the listing for the object's file, cannot read it,
// leaves the object out and still counts it as the receiver's.
func TestLossTempFileBesideObject(t *testing.T) {
	const partition = 5
	for _, p := range contenders(t) {
		t.Run(p.Name, func(t *testing.T) {
			t.Parallel()
			ctx := deadline(t)
			c := four(t, ctx, map[string]string{"sync_method": "ssync"})
			h, names := &cluster.History{}, namesIn(partition, 6)
			var ops []cluster.Op
			for i, name := range names {
				op := putOp(name, now()-60, 1000*i)
				op.Copies = []int{3}
				ops = append(ops, op)
				if i%2 == 0 {
					ops = append(ops, cluster.Op{Kind: "tempfile", Name: name, Copies: []int{3}})
				}
			}
			write(t, ctx, c, h, ops)
			start(t, ctx, c)
			n := handoffOf(t, ctx, c, partition)

			pass(t, ctx, n, p.Program)
			wantFate(t, p, lost(t, ctx, c, h), names[0], names[2], names[4])
			if !p.loses {
				wantSettled(t, ctx, c, h)
			}
		})
	}
}

// TestLossTruncatedTwin gives all primaries files of the right names that a power
// cut has shortened: rsync does not fsync. Swift's rsync skips them, for they exist,
// and ends well; the suffix hashes are made of names and agree; the only whole copy
// is removed. handoff_proof = names is that rule. With size, ours finds the
// difference, keeps the handoff, and heals the primaries once someone has opened
// their copies. By ssync the receiver opens them itself.
func TestLossTruncatedTwin(t *testing.T) {
	const partition = 9
	own, asStock := ours(t), stockIsOurs()
	for _, run := range []struct {
		name    string
		program contender
		options map[string]string
		heals   bool
	}{
		{"stock", contender{cluster.Stock, true}, nil, false},
		{"ours by names", contender{own, true}, map[string]string{"handoff_proof": "names"}, false},
		{"ours by size", contender{own, asStock}, nil, false},
		{"ours by ssync", contender{own, false}, map[string]string{"sync_method": "ssync"}, true},
	} {
		t.Run(run.name, func(t *testing.T) {
			t.Parallel()
			ctx := deadline(t)
			c := four(t, ctx, run.options)
			h, names := &cluster.History{}, namesIn(partition, 4)
			var ops []cluster.Op
			for _, name := range names {
				op := putOp(name, now()-60, 30000)
				op.Copies = []int{0, 1, 2, 3}
				ops = append(ops, op)
			}
			write(t, ctx, c, h, ops)
			n := handoffOf(t, ctx, c, partition)
			for i, name := range names[:3] {
				cutShort(t, c, n, partition, name, int64(i)*10000)
			}
			start(t, ctx, c)

			pass(t, ctx, n, run.program.Program)
			wantFate(t, run.program, lost(t, ctx, c, h), names[:3]...)
			if run.program.loses {
				return
			}
			if !run.heals {
				if !holds(t, n, partition) {
					t.Error("the handoff is gone")
				}
				readEverywhere(t, ctx, c, n, partition, names)
				pass(t, ctx, n, run.program.Program)
			}
			wantSettled(t, ctx, c, h)
		})
	}
}

// cutShort truncates an object's data on all nodes but one.
func cutShort(t *testing.T, c *cluster.Cluster, whole *cluster.Node, partition int, name string, size int64) {
	t.Helper()
	for _, n := range c.Nodes {
		if n == whole {
			continue
		}
		files, err := filepath.Glob(filepath.Join(n.HashDir("d1", 0, partition, name), "*.data"))
		if err != nil || len(files) != 1 {
			t.Fatalf("data of %s on node %d: %v, %v", name, n.Number, files, err)
		}
		if err := os.Truncate(files[0], size); err != nil {
			t.Fatal(err)
		}
	}
}

// readEverywhere reads objects from all nodes but one, as clients do; what is found
// corrupt goes to quarantine.
func readEverywhere(t *testing.T, ctx context.Context, c *cluster.Cluster, but *cluster.Node, partition int, names []string) {
	t.Helper()
	for _, n := range c.Nodes {
		if n == but {
			continue
		}
		for _, name := range names {
			if _, err := n.Send(ctx, "d1", partition, cluster.Op{Kind: "get", Name: name, At: cluster.Timestamp(now(), 0)}); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestLossOutsideRing puts objects into a partition whose number the ring does not
// have, as a node with a wrong ring file would. Swift finds no primaries, finds that
// all of them have got everything, and removes it.
func TestLossOutsideRing(t *testing.T) {
	const partition = 1 << fourPower
	for _, method := range []string{"rsync", "ssync"} {
		for _, p := range contenders(t) {
			t.Run(method+" "+p.Name, func(t *testing.T) {
				t.Parallel()
				ctx := deadline(t)
				c := four(t, ctx, map[string]string{"sync_method": method})
				n, h := c.Nodes[0], &cluster.History{}
				start(t, ctx, c, n)
				for _, name := range namesIn(3, 2) {
					send(t, ctx, h, n, partition, putOp(name, now(), 100))
				}
				for range 2 {
					pass(t, ctx, n, p.Program)
				}
				wantFate(t, p, lost(t, ctx, c, h))
			})
		}
	}
}
