package interop

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"understudy/internal/cluster"
)

var stormKills = flag.Int("storm.kills", 4, "how often the replicator is killed, for each sync method")

// killWrapper tells a gate of each rsync before it runs, and becomes it.
const killWrapper = `#!/bin/bash
what=push
for to; do [ "$to" = --dry-run ] && what=prove; done
exec 9<>/dev/tcp/%s/%s || exit 99
echo "$what before|$to" >&9 && read -r _ <&9 || exit 99
exec 9>&-
exec /usr/bin/rsync "$@"
`

// TestStormOfKills kills our replicator as `kill -9` does, in the middle of pushes,
// proofs and ssync sessions of updates and reverts: while the transfer stands still
// at a gate, or some milliseconds after it was let go (rsync is slowed down, so that
// these are in the middle of a file). Each time there must be no rsync of ours left,
// no lock held, every hashes.pkl readable by Swift, and nothing lost; what the next
// replicators find they put right.
func TestStormOfKills(t *testing.T) {
	for _, method := range []string{"rsync", "ssync"} {
		t.Run(method, func(t *testing.T) {
			shortly(t, method != "rsync")
			t.Parallel()
			k := newKills(t, method)
			for i := range *stormKills {
				n := k.c.Nodes[i%len(k.c.Nodes)]
				k.work(t, n)
				k.kill(t, n)
				k.wantClean(t, n)
			}
			t.Logf("%d of %d kills hit a transfer: %s", len(k.hits), *stormKills, strings.Join(k.hits, "; "))
			if 2*len(k.hits) < *stormKills {
				t.Error("too few to show anything")
			}
			k.wantHealed(t)
		})
	}
}

// kills is a cluster whose replicators are killed.
type kills struct {
	ctx   context.Context
	c     *cluster.Cluster
	gate  *gate
	gated cluster.Program
	rnd   *rand.Rand
	h     cluster.History
	names []string
	hits  []string // where a transfer was when its replicator was killed
}

func newKills(t *testing.T, method string) *kills {
	t.Helper()
	ctx := deadline(t)
	k := &kills{
		ctx: ctx, rnd: rand.New(rand.NewPCG(drawnSeed(t), 3)),
		c: four(t, ctx, map[string]string{"sync_method": method, "rsync_bwlimit": "2000"}),
	}
	if method == "ssync" {
		k.gated, k.gate = ours(t), gateSsync(t, ctx, k.c, k.c.Nodes...)
		return k
	}
	start(t, ctx, k.c)
	for _, n := range k.c.Nodes {
		awaitServer(t, ctx, n.Addr())
	}
	k.gated, k.gate = gatedRsync(t, k.c, ours(t), killWrapper)
	return k
}

// work gives a node alone something that others lack: new objects, newer data of
// old ones and deletions, in partitions of which it is a primary or a handoff.
func (k *kills) work(t *testing.T, n *cluster.Node) {
	t.Helper()
	for range 16 {
		name := fmt.Sprintf("/AUTH_kill/c/o%d", len(k.names))
		if len(k.names) > 0 && k.rnd.IntN(3) == 0 {
			name = k.names[k.rnd.IntN(len(k.names))]
		} else {
			k.names = append(k.names, name)
		}
		op := putOp(name, now(), k.rnd.IntN(200000))
		if k.rnd.IntN(6) == 0 {
			op = cluster.Op{Kind: cluster.Delete, Name: name, At: op.At}
		}
		status, err := n.Send(k.ctx, "d1", cluster.Partition(name, fourPower), op)
		if err != nil {
			t.Fatal(err)
		}
		if status != 201 && status != 204 && !(op.Kind == cluster.Delete && status == 404) { // that writes a tombstone, too
			t.Fatalf("%s %s: status %d", op.Kind, op.Name, status)
		}
		k.h.Did(op)
	}
}

// kill starts a node's replicator and kills it at a point that the seed draws.
func (k *kills) kill(t *testing.T, n *cluster.Node) {
	t.Helper()
	nth := 1 + k.rnd.IntN(12)
	wait := time.Duration(0)
	if k.rnd.IntN(3) > 0 {
		wait = time.Duration(k.rnd.IntN(60000)) * time.Microsecond
	}
	r, err := n.StartReplicator(k.gated, "--once")
	if err != nil {
		t.Fatal(err)
	}
	for reached := 0; reached < nth; {
		select {
		case h := <-k.gate.held:
			if reached++; reached < nth {
				h.letGo()
				continue
			}
			if wait > 0 {
				h.letGo()
				time.Sleep(wait) // the kill comes at any time from here on
			}
			k.hits = append(k.hits, fmt.Sprintf("node %d, transfer %d, %q of %s, %s later", n.Number, nth, h.point, h.to, wait))
		case <-r.Done():
			reached = nth // it had less to do
		case <-k.ctx.Done():
			t.Fatalf("transfer %d of %d did not come", reached, nth)
		}
	}
	if err := r.Kill(); err != nil {
		t.Fatal(err)
	}
	k.wantNoRsync(t, n) // also not one that stands at the gate
	k.gate.letAllGo()
	k.gate.shut()
}

// wantNoRsync waits for the end of the rsyncs that push a node's files. The kernel
// kills them with their parent, but not in the same instant.
func (k *kills) wantNoRsync(t *testing.T, n *cluster.Node) {
	t.Helper()
	soon, cancel := context.WithTimeout(k.ctx, 5*time.Second)
	defer cancel()
	for {
		left := rsyncsOf(t, n)
		if len(left) == 0 {
			return
		}
		select {
		case <-soon.Done():
			t.Fatalf("outlived the replicator: %s", strings.Join(left, "\n"))
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// rsyncsOf are the command lines of the rsyncs that read below a node's devices.
func rsyncsOf(t *testing.T, n *cluster.Node) []string {
	t.Helper()
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, path := range lines {
		line, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		args := strings.Split(string(bytes.TrimRight(line, "\x00")), "\x00")
		ours := slices.ContainsFunc(args, func(a string) bool { return strings.HasPrefix(a, n.DevicesRoot()+"/") })
		if ours && slices.Contains(args, "--whole-file") {
			found = append(found, filepath.Base(filepath.Dir(path))+": "+strings.Join(args, " "))
		}
	}
	return found
}

// wantClean looks at what a killed replicator has left.
func (k *kills) wantClean(t *testing.T, n *cluster.Node) {
	t.Helper()
	wantNoLocks(t, n)
	copies, err := k.c.Scan(k.ctx, false)
	if err != nil {
		t.Fatal(err)
	}
	if gone := cluster.Lost(copies, &k.h); len(gone) > 0 {
		t.Fatalf("lost after the kill at %s: %s", k.hits[len(k.hits)-1], strings.Join(gone, ", "))
	}
	for _, c := range copies {
		dir := filepath.Join(k.c.Node(c.IP).ObjectsPath(c.Device, c.Policy), strconv.Itoa(c.Partition))
		// Not valid is fine: it will all be hashed again. Of what Swift cannot read it
		// makes up the time, or gives none.
		updated, _ := c.Cached["updated"].(float64)
		if _, err := os.Stat(filepath.Join(dir, "hashes.pkl")); err == nil && updated <= 0 {
			t.Errorf("%s: Swift cannot read hashes.pkl: %v", c, c.Cached)
		}
	}
}

// wantNoLocks takes every lock of a node's partitions, none of which anybody may hold
// for long now.
func wantNoLocks(t *testing.T, n *cluster.Node) {
	t.Helper()
	err := filepath.WalkDir(n.DevicesRoot(), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasPrefix(d.Name(), ".lock") {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		for range 500 {
			if err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); !errors.Is(err, unix.EWOULDBLOCK) {
				break
			}
			time.Sleep(10 * time.Millisecond) // an object server's
		}
		if err != nil {
			return fmt.Errorf("take %s: %w", path, err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// wantHealed lets replicators run that nobody kills.
func (k *kills) wantHealed(t *testing.T) {
	t.Helper()
	k.gate.letAllGo()
	for range 2 {
		for _, n := range k.c.Nodes {
			pass(t, k.ctx, n, ours(t))
		}
	}
	wantSettled(t, k.ctx, k.c, &k.h)
}
