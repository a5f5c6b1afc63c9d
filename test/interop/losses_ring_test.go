package interop

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"understudy/internal/cluster"
)

// TestLossRingChangeDuringRevert swaps the ring while a handoff is being pushed, so
// that the handoff's device becomes a primary of the partition. Swift keeps to the
// ring of the beginning and removes what it should hold from now on.
func TestLossRingChangeDuringRevert(t *testing.T) {
	const partition = 6
	for _, method := range []string{"rsync", "ssync"} {
		for _, p := range contenders(t) {
			t.Run(method+" "+p.Name, func(t *testing.T) {
				t.Parallel()
				ctx := deadline(t)
				c := four(t, ctx, map[string]string{"sync_method": method, "ring_check_interval": "0.1"})
				n := handoffOf(t, ctx, c, partition)
				gated, g, last := p.Program, (*gate)(nil), moment{afterUpdates, 3}
				if method == "rsync" {
					start(t, ctx, c)
					gated, g = gatedRsync(t, c, p.Program, rsyncWrapper)
					last = moment{afterPush, 3}
				} else {
					g = gateSsync(t, ctx, c, c.Nodes...)
				}
				h := &cluster.History{}
				for _, name := range namesIn(partition, 3) {
					send(t, ctx, h, n, partition, putOp(name, now(), 2000))
				}

				r, err := n.StartReplicator(gated, "--once", "--partitions", strconv.Itoa(partition))
				if err != nil {
					t.Fatal(err)
				}
				g.await(t, ctx, r, last.point, last.nth)
				three := []cluster.Device{{IP: n.IP, Name: "d1"}}
				for _, other := range c.Nodes {
					if other != n && len(three) < 3 {
						three = append(three, cluster.Device{IP: other.IP, Name: "d1"})
					}
				}
				if err := c.WriteRing(ctx, c.RingPath(0), cluster.RingOf{PartPower: fourPower, Replicas: 3, Devices: three}); err != nil {
					t.Fatal(err)
				}
				if !p.loses {
					if err := r.AwaitLine(ctx, "rings changed"); err != nil {
						t.Fatal(err)
					}
				}
				g.letAllGo()
				if err := r.Wait(ctx); err != nil {
					t.Fatal(err)
				}

				if holds(t, n, partition) == p.loses {
					t.Errorf("%s: the new primary still has the partition: %t", p.Name, p.loses)
				}
				if p.loses {
					return
				}
				wantFate(t, p, lost(t, ctx, c, h))
				wrong, err := c.CheckObjects(ctx, h)
				if err != nil {
					t.Fatal(err)
				}
				if len(wrong) > 0 {
					t.Errorf("the new primaries: %s", strings.Join(wrong, "\n"))
				}
			})
		}
	}
}

// TestLossCrossedReverts gives two nodes rings of different age: each takes the
// other for the primary of a partition that both have. Both revert at once, and
// stand still together when each has brought everything to the other and could
// remove its own. Over ssync each refuses the other, for it has locked the partition
// itself; over rsync nobody asks for that lock, and Swift's replicators both remove
// what they have just heard that the other has.
func TestLossCrossedReverts(t *testing.T) {
	for _, method := range []string{"rsync", "ssync"} {
		for _, p := range contenders(t) {
			if method == "ssync" {
				p.loses = false
			}
			t.Run(method+" "+p.Name, func(t *testing.T) {
				t.Parallel()
				newCross(t, method, p).run(t)
			})
		}
	}
}

// cross is a cluster of which the first two nodes have crossed rings.
type cross struct {
	ctx       context.Context
	c         *cluster.Cluster
	p         contender
	gated     cluster.Program
	gate      *gate
	point     string
	partition int
	pair      []*cluster.Node
	h         cluster.History
}

func newCross(t *testing.T, method string, p contender) *cross {
	t.Helper()
	ctx := deadline(t)
	x := &cross{ctx: ctx, p: p, c: four(t, ctx, map[string]string{"sync_method": method})}
	x.pair = x.c.Nodes[:2]
	x.crossRings(t)
	if method == "ssync" {
		x.gated, x.point = p.Program, beforeSession
		x.gate = gateSsync(t, ctx, x.c, x.pair...)
		return x
	}
	start(t, ctx, x.c, x.pair...)
	for _, n := range x.pair {
		awaitServer(t, ctx, n.Addr())
	}
	x.gated, x.gate = gatedRsync(t, x.c, p.Program, rsyncWrapper)
	if x.point = afterProof; p.loses {
		x.point = afterPush
	}
	return x
}

// crossRings writes two rings of one replica that put a partition the other way
// round, gives each of the pair that by which it is not the primary, and leaves the
// first one's in force for the cluster. Servers hold locks for a second only.
func (x *cross) crossRings(t *testing.T) {
	t.Helper()
	own := cluster.Device{IP: x.pair[0].IP, Name: "d1"}
	other := cluster.Device{IP: x.pair[1].IP, Name: "d1"}
	var placed [2][][]cluster.Device
	for i, devices := range [][]cluster.Device{{other, own}, {own, other}} {
		dir := filepath.Join(x.c.Root, "etc", "rings-"+strconv.Itoa(i))
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		ring := cluster.RingOf{PartPower: fourPower, Replicas: 1, Devices: devices}
		for _, path := range []string{filepath.Join(dir, filepath.Base(x.c.RingPath(0))), x.c.RingPath(0)} {
			if err := x.c.WriteRing(x.ctx, path, ring); err != nil {
				t.Fatal(err)
			}
		}
		var err error
		if placed[i], err = x.c.Primaries(x.ctx, 0); err != nil {
			t.Fatal(err)
		}
		if err := x.pair[i].WriteConf(map[string]string{"swift_dir": dir}); err != nil {
			t.Fatal(err)
		}
		conf, err := os.ReadFile(x.pair[i].ConfPath())
		if err != nil {
			t.Fatal(err)
		}
		text := strings.Replace(string(conf), "[DEFAULT]\n", "[DEFAULT]\nreplication_lock_timeout = 1\n", 1)
		if err := os.WriteFile(x.pair[i].ConfPath(), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	x.partition = slices.IndexFunc(placed[0], func(d []cluster.Device) bool { return d[0] == other })
	if x.partition < 0 || placed[1][x.partition][0] != own {
		t.Fatalf("the rings are not crossed: %v and %v", placed[0], placed[1])
	}
}

func (x *cross) run(t *testing.T) {
	names := namesIn(x.partition, 3)
	for _, name := range names {
		op := putOp(name, now(), 3000)
		for _, n := range x.pair {
			send(t, x.ctx, &x.h, n, x.partition, op)
		}
	}
	x.together(t)
	wantFate(t, x.p, lost(t, x.ctx, x.c, &x.h), names...)
	if x.p.loses {
		return
	}
	for round := range 6 {
		x.atOnce(t)
		if gone := lost(t, x.ctx, x.c, &x.h); len(gone) > 0 {
			t.Fatalf("round %d: %s has lost %s", round, x.p.Name, strings.Join(gone, ", "))
		}
	}
	for _, n := range x.pair { // the rings agree at last
		if err := n.WriteConf(nil); err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(filepath.Join(x.c.Root, "etc", "rings-"+strconv.Itoa(n.Number-1), filepath.Base(x.c.RingPath(0)))); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		for _, n := range x.pair {
			pass(t, x.ctx, n, x.p.Program)
		}
	}
	x.settled(t)
}

// together lets both revert up to the point at which nothing is between them and
// the removal, and only then lets them go on.
func (x *cross) together(t *testing.T) {
	t.Helper()
	var running []*cluster.Replicator
	for _, n := range x.pair {
		r, err := n.StartReplicator(x.gated, "--once", "--partitions", strconv.Itoa(x.partition))
		if err != nil {
			t.Fatal(err)
		}
		running = append(running, r)
	}
	for waiting := map[string]bool{}; len(waiting) < 2; {
		select {
		case h := <-x.gate.held:
			if h.point == x.point {
				waiting[h.to] = true
			} else {
				h.letGo()
			}
		case <-x.ctx.Done():
			t.Fatalf("only %v came to %q", waiting, x.point)
		}
	}
	x.ask(t)
	x.gate.letAllGo()
	for _, r := range running {
		if err := r.Wait(x.ctx); err != nil {
			t.Fatal(err)
		}
	}
}

// ask asks both for their hashes, as a third node does that takes them for primaries.
// The answer clears what either has been told of arrivals.
func (x *cross) ask(t *testing.T) {
	t.Helper()
	if x.point == beforeSession {
		return // the servers stand behind the gate
	}
	if _, err := x.c.Scan(x.ctx, true); err != nil {
		t.Fatal(err)
	}
}

// atOnce starts both and lets chance decide.
func (x *cross) atOnce(t *testing.T) {
	t.Helper()
	var running []*cluster.Replicator
	for _, n := range x.pair {
		r, err := n.StartReplicator(x.p.Program, "--once")
		if err != nil {
			t.Fatal(err)
		}
		running = append(running, r)
	}
	for _, r := range running {
		if err := r.Wait(x.ctx); err != nil {
			t.Fatal(err)
		}
	}
}

// settled demands that every object is where the one ring puts it, and nowhere else.
func (x *cross) settled(t *testing.T) {
	t.Helper()
	copies, err := x.c.Scan(x.ctx, false)
	if err != nil {
		t.Fatal(err)
	}
	wrong, err := x.c.CheckCopies(x.ctx, copies)
	if err != nil {
		t.Fatal(err)
	}
	unread, err := x.c.CheckObjects(x.ctx, &x.h)
	if err != nil {
		t.Fatal(err)
	}
	for _, why := range append(wrong, unread...) {
		t.Error(why)
	}
}

// TestLossHandoffSettle runs the daemon with handoff_settle: a handoff is proven and
// kept in the first pass, and goes in a later one that has proven it again.
func TestLossHandoffSettle(t *testing.T) {
	const partition = 3
	if stockIsOurs() {
		return // Swift has no such option
	}
	for _, method := range []string{"rsync", "ssync"} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			ctx := deadline(t)
			c := four(t, ctx, map[string]string{"sync_method": method, "handoff_settle": "3", "interval": "0.2"})
			h, n := &cluster.History{}, handoffOf(t, ctx, c, partition)
			start(t, ctx, c)
			for _, name := range namesIn(partition, 3) {
				send(t, ctx, h, n, partition, putOp(name, now(), 2000))
			}
			r, err := n.StartReplicator(ours(t))
			if err != nil {
				t.Fatal(err)
			}
			if err := r.AwaitLine(ctx, "Removing partition: "+n.ObjectsPath("d1", 0)); err != nil {
				t.Fatal(err)
			}
			lines := loggedAfter(t, ctx, r, "Removing partition", "Object replication complete.")
			if err := r.Stop(); err != nil {
				t.Fatal(err)
			}
			first := slices.IndexFunc(lines, func(l string) bool { return strings.Contains(l, "Object replication complete.") })
			removal := slices.IndexFunc(lines, func(l string) bool { return strings.Contains(l, "Removing partition") })
			if first > removal {
				t.Error("the handoff went in the first pass")
			}
			if holds(t, n, partition) {
				t.Error("the handoff is still there")
			}
			wantSettled(t, ctx, c, h)
		})
	}
}

// loggedAfter waits until a replicator logs one text after another, and returns all
// that it has logged.
func loggedAfter(t *testing.T, ctx context.Context, r *cluster.Replicator, first, then string) []string {
	t.Helper()
	for {
		lines, err := r.Logged()
		if err != nil {
			t.Fatal(err)
		}
		seen := false
		for _, l := range lines {
			if seen = seen || strings.Contains(l, first); seen && strings.Contains(l, then) {
				return lines
			}
		}
		select {
		case <-ctx.Done():
			t.Fatalf("no %q after %q", then, first)
		case <-time.After(20 * time.Millisecond):
		}
	}
}
