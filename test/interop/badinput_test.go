package interop

import (
	"compress/gzip"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"understudy/internal/cluster"
)

// TestBadRing gives the node a ring that cannot be used. The program must say which
// file is bad and end with status 1 before it touches anything. (Swift 2.30 logs an
// exception, counts the pass as done and ends with status 0; later versions load the
// ring at the start, as we do.)
func TestBadRing(t *testing.T) {
	t.Parallel()
	c := lonely(t)
	whole, err := os.ReadFile(c.RingPath(0))
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []struct {
		name string
		make func(t *testing.T, path string)
	}{
		{"missing", func(t *testing.T, path string) { remove(t, path) }},
		{"empty", func(t *testing.T, path string) { put(t, path, nil) }},
		{"truncated", func(t *testing.T, path string) { put(t, path, whole[:len(whole)/2]) }},
		{"of an unknown version", func(t *testing.T, path string) { putGzip(t, path, "R1NG\x00\x63more of it") }},
		{"no gzip", func(t *testing.T, path string) { put(t, path, []byte("[DEFAULT]\n")) }},
		{"a pickle that runs code", func(t *testing.T, path string) {
			putGzip(t, path, runsCode(c.Nodes[0]))
		}},
	} {
		t.Run(bad.name, func(t *testing.T) {
			bad.make(t, c.RingPath(0))
			run := wantRefusal(t, c)
			if said := run.Output + strings.Join(run.Log, "\n"); !strings.Contains(said, filepath.Base(c.RingPath(0))) {
				t.Errorf("the ring is not named in %q", said)
			}
			wantNothingRan(t, c.Nodes[0])
		})
	}
}

// TestBadSecondRing breaks the ring of the second policy only: the first policy is
// replicated all the same. Swift 2.30 gives up the whole pass.
func TestBadSecondRing(t *testing.T) {
	t.Parallel()
	ctx := deadline(t)
	c := newCluster(t, ctx, cluster.Spec{Nodes: 3, Devices: 1, Policies: []cluster.Policy{
		{Index: 0, Name: "gold", PartPower: 2}, {Index: 1, Name: "silver", PartPower: 2},
	}})
	h := &cluster.History{}
	tree := cluster.Tree{Seed: 6, Objects: 15, Policies: []int{0}, Base: time.Now().Add(-time.Hour)}
	write(t, ctx, c, h, tree.Ops(), cluster.Device{IP: c.Nodes[1].IP, Name: "d1"})
	start(t, ctx, c)
	put(t, c.RingPath(1), []byte("half a ri"))
	for range 2 {
		for _, n := range c.Nodes {
			run, _ := pass(t, ctx, n, ours(t))
			wantLogged(t, run, "ours", "object-1.ring.gz")
		}
	}
	lost, err := c.CheckObjects(ctx, h)
	if err != nil {
		t.Fatal(err)
	}
	for _, why := range lost {
		t.Error(why)
	}
}

// TestBadSwiftConf: without a usable swift.conf no hash can be computed, so nothing
// may start. Both programs end with status 1; we name the file.
func TestBadSwiftConf(t *testing.T) {
	t.Parallel()
	c := lonely(t)
	for name, text := range map[string]string{
		"missing":        "",
		"no hash prefix": "[swift-hash]\n",
		"no policy 0":    "[swift-hash]\nswift_hash_path_suffix = x\n[storage-policy:1]\nname = silver\n",
		"no INI":         "swift_hash_path_suffix\n",
	} {
		t.Run(name, func(t *testing.T) {
			if text == "" {
				remove(t, c.SwiftConf())
			} else {
				put(t, c.SwiftConf(), []byte(text))
			}
			run := wantRefusal(t, c)
			if !strings.Contains(run.Output, "/etc/swift/swift.conf") {
				t.Errorf("swift.conf is not named in %q", run.Output)
			}
			theirs, err := c.Nodes[0].Once(deadline(t), cluster.Stock)
			if err != nil {
				t.Fatal(err)
			}
			if theirs.Code != 1 {
				t.Errorf("Swift ends with status %d: %s", theirs.Code, theirs.Output)
			}
		})
	}
}

// wantRefusal runs our program, which must end with status 1, with no pass and with
// nothing touched.
func wantRefusal(t *testing.T, c *cluster.Cluster) *cluster.Run {
	t.Helper()
	n := c.Nodes[0]
	before := filesOf(t, n)
	run, err := n.Once(deadline(t), ours(t))
	if err != nil {
		t.Fatal(err)
	}
	if run.Code != 1 {
		t.Errorf("exit status %d", run.Code)
	}
	if said := run.Output + strings.Join(run.Log, "\n"); strings.Contains(said, "goroutine ") {
		t.Errorf("it panicked: %s", said)
	}
	if r, err := n.ReconFile(); err != nil || r.Last != nil {
		t.Errorf("a pass was recorded: %+v, %v", r, err)
	}
	wantSameFiles(t, ours(t), before, filesOf(t, n))
	return run
}

// TestHostileHashes plants a hashes.pkl that would run a command when unpickled as
// Swift does it, one that claims gigabytes, and one nested deeper than any stack.
// They must read as invalid and be replaced by hashes that Swift can read.
func TestHostileHashes(t *testing.T) {
	t.Parallel()
	ctx := deadline(t)
	c := lonely(t)
	n := c.Nodes[0]
	parts, err := filepath.Glob(n.ObjectsPath("d1", 0) + "/[0-9]*")
	if err != nil || len(parts) < 3 {
		t.Fatalf("partitions %v, %v", parts, err)
	}
	for i, hostile := range []string{
		runsCode(n),
		"\x80\x02T\xff\xff\xff\x7f",
		"\x80\x02" + strings.Repeat("(", 1<<20) + strings.Repeat("l", 1<<20) + ".",
	} {
		put(t, parts[i]+"/hashes.pkl", []byte(hostile))
	}
	if err := n.GiveToSwift(); err != nil {
		t.Fatal(err)
	}
	pass(t, ctx, n, ours(t))
	wantNothingRan(t, n)
	copies, err := c.Scan(ctx, false)
	if err != nil {
		t.Fatal(err)
	}
	for _, copy := range copies {
		cached := maps.Clone(copy.Cached)
		delete(cached, "valid")
		delete(cached, "updated")
		fresh := map[string]any{}
		for suffix, hash := range copy.Fresh {
			fresh[suffix] = hash
		}
		if copy.Cached["valid"] != true || !reflect.DeepEqual(cached, fresh) {
			t.Errorf("%s: hashes.pkl has %v, Swift hashes %v", copy, copy.Cached, copy.Fresh)
		}
	}
}

// runsCode is a pickle that leaves a file in a folder of the daemons' user when
// Python unpickles it.
func runsCode(n *cluster.Node) string {
	return "cos\nsystem\n(S'touch " + n.CachePath() + "/ran'\ntR."
}

func wantNothingRan(t *testing.T, n *cluster.Node) {
	t.Helper()
	if _, err := os.Stat(n.CachePath() + "/ran"); err == nil {
		t.Error("unpickling ran a command")
	}
}

// TestPartitionIsFile puts files where partitions should be. Swift deletes them;
// we delete an empty one only, and move the other aside with its bytes.
func TestPartitionIsFile(t *testing.T) {
	t.Parallel()
	c := lonely(t)
	n := c.Nodes[0]
	parts, err := filepath.Glob(n.ObjectsPath("d1", 0) + "/[0-9]*")
	if err != nil || len(parts) < 3 {
		t.Fatalf("partitions %v, %v", parts, err)
	}
	empty, full := parts[0], parts[1]
	for path, text := range map[string]string{empty: "", full: "someone's only copy"} {
		if err := os.RemoveAll(path); err != nil {
			t.Fatal(err)
		}
		put(t, path, []byte(text))
	}
	if err := n.GiveToSwift(); err != nil {
		t.Fatal(err)
	}
	stats, run := passAgain(t, c, ours(t))
	wantLogged(t, run, "ours", "Removing partition directory which was a file: "+empty)
	if _, err := os.Lstat(empty); !os.IsNotExist(err) {
		t.Errorf("%s is still there: %v", empty, err)
	}
	if _, err := os.Lstat(full); !os.IsNotExist(err) {
		t.Errorf("%s is still there: %v", full, err)
	}
	kept, err := filepath.Glob(n.DevicePath("d1") + "/quarantined/objects/" + filepath.Base(full) + "*")
	if err != nil || len(kept) != 1 {
		t.Fatalf("quarantined: %v, %v", kept, err)
	}
	if got, err := os.ReadFile(kept[0]); err != nil || string(got) != "someone's only copy" {
		t.Errorf("%s has %q, %v", kept[0], got, err)
	}
	if stats.Attempted != len(parts)-2 {
		t.Errorf("attempted %d of %d partitions: %+v", stats.Attempted, len(parts)-2, stats)
	}
}

// TestUnreadable takes away the right to read one partition, one suffix or one
// device. The daemons run as a user like any other, so the kernel refuses them.
// The rest of the pass must not suffer, and both programs must count the same.
func TestUnreadable(t *testing.T) {
	for name, pattern := range map[string]string{
		"partition": "/d1/objects/[0-9]*", "suffix": "/d1/objects/[0-9]*/[0-9a-f][0-9a-f][0-9a-f]",
		"hash dir": "/d1/objects/[0-9]*/[0-9a-f][0-9a-f][0-9a-f]/*",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := deadline(t)
			c := lonely(t)
			start(t, ctx, c, c.Nodes[1:]...)
			for _, n := range c.Nodes[1:] {
				makeObjectsFolders(t, n, "d1")
			}
			paths, err := filepath.Glob(c.Nodes[0].DevicesRoot() + pattern)
			if err != nil || len(paths) < 2 {
				t.Fatalf("%v, %v", paths, err)
			}
			if err := os.Chmod(paths[0], 0); err != nil {
				t.Fatal(err)
			}
			theirs := pushAway(t, c, cluster.Stock)
			own := pushAway(t, c, ours(t))
			if !reflect.DeepEqual(theirs, own) {
				t.Errorf("the counters differ\nSwift %+v\nours  %+v", theirs, own)
			}
			if own.Success == 0 {
				t.Errorf("one unreadable %s stopped everything: %+v", name, own)
			}
		})
	}
}

// pushAway runs a pass towards empty peers and empties them again.
func pushAway(t *testing.T, c *cluster.Cluster, p cluster.Program) cluster.Stats {
	t.Helper()
	stats, _ := passAgain(t, c, p)
	for _, n := range c.Nodes[1:] {
		if err := os.RemoveAll(n.ObjectsPath("d1", 0)); err != nil {
			t.Fatal(err)
		}
		makeObjectsFolders(t, n, "d1")
	}
	return stats
}

// TestDeviceGone removes a whole device. Both programs warn in the same words, count
// every device of the ring as failed, and never make the device's folder: on a real
// node that would be the mount point, and its disk the root disk.
func TestDeviceGone(t *testing.T) {
	t.Parallel()
	ctx := deadline(t)
	c := newCluster(t, ctx, cluster.Spec{Nodes: 3, Devices: 2})
	n := c.Nodes[0]
	remove(t, n.DevicePath("d2"))
	var all []cluster.Stats
	for _, p := range []cluster.Program{cluster.Stock, ours(t)} {
		run, r := pass(t, ctx, n, p)
		wantLogged(t, run, p.Name, n.DevicePath("d2")+" is not a directory")
		all = append(all, *r.Stats)
		if _, err := os.Lstat(n.DevicePath("d2")); !os.IsNotExist(err) {
			t.Errorf("%s made the device: %v", p.Name, err)
		}
	}
	if !reflect.DeepEqual(all[0], all[1]) || all[1].Failure != 6 {
		t.Errorf("the counters differ or are not one failure for each of 6 devices\nSwift %+v\nours  %+v", all[0], all[1])
	}
}

// TestDeviceGoneRemotely removes one device of a peer, which then answers 507: its
// copies must go to the next handoff, and the counters must be Swift's.
func TestDeviceGoneRemotely(t *testing.T) {
	t.Parallel()
	ctx := deadline(t)
	c := lonely(t)
	for _, n := range c.Nodes[1:] {
		makeObjectsFolders(t, n, "d1")
	}
	remove(t, c.Nodes[1].DevicePath("d1"))
	second := copyOf(t, ctx, c)
	got := map[string]map[string][]string{}
	var all []cluster.Stats
	for p, c := range map[cluster.Program]*cluster.Cluster{cluster.Stock: c, ours(t): second} {
		start(t, ctx, c)
		stats, run := passAgain(t, c, p)
		c.Stop()
		all = append(all, stats)
		wantLogged(t, run, p.Name, "responded as unmounted")
		got[p.Name] = map[string][]string{}
		for _, n := range c.Nodes {
			files, err := n.Files()
			if err != nil {
				t.Fatal(err)
			}
			got[p.Name][n.IP] = slices.Sorted(maps.Keys(files))
		}
	}
	if !reflect.DeepEqual(all[0], all[1]) || all[0].Failure == 0 || all[0].Rsync == 0 {
		t.Errorf("the counters differ: %+v", all)
	}
	if !reflect.DeepEqual(got["stock"], got["ours"]) {
		t.Errorf("the copies went elsewhere: %v", got)
	}
}

func put(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
}

func putGzip(t *testing.T, path, content string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z := gzip.NewWriter(f)
	if _, err := fmt.Fprint(z, content); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
}
