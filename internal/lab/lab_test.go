package lab

import (
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"understudy/config"
)

// base is in the past, but not so far that tombstones would be reclaimed.
func base() time.Time { return time.Now().Add(-3 * time.Hour) }

func newCluster(t *testing.T, spec Spec) *Cluster {
	t.Helper()
	spec.Dir = t.TempDir()
	c, err := New(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return c
}

func seed(t *testing.T, c *Cluster, objects int) *History {
	t.Helper()
	h, err := c.Seed(t.Context(), Draw{Objects: objects, Seed: 5, Base: base(), Ssync: !c.usesRsync()})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func check(t *testing.T, c *Cluster, h *History) *Verdict {
	t.Helper()
	v, err := c.Check(t.Context(), h)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// Two nodes lose one disk. Their engines bring every copy back, and the check,
// which saw the loss, sees nothing wrong any more.
func TestLostDiskComesBack(t *testing.T) {
	for _, method := range []string{"rsync", "ssync"} {
		t.Run(method, func(t *testing.T) {
			if method == "ssync" {
				t.Setenv("PATH", t.TempDir()) // no other program is needed
			}
			lostDiskComesBack(t, map[string]string{"sync_method": method})
		})
	}
}

func lostDiskComesBack(t *testing.T, options map[string]string) {
	c := newCluster(t, Spec{Nodes: 2, Disks: 2, Replicas: 3, PartPower: 3, Seed: 3, Options: options})
	h := seed(t, c, 60)
	if v := check(t, c, h); !v.OK() || v.Copies != 180 || v.Objects != 60 || v.Suffixes == 0 {
		t.Fatalf("after seeding: %+v", v)
	}
	copies, bytes := c.Total(h)
	lost := Place{c.Node(2), "d1"}
	gone, goneBytes := c.Held(h, lost)
	if err := c.Lose(lost); err != nil {
		t.Fatal(err)
	}
	v := check(t, c, h)
	if v.OK() || v.Good != copies-gone || v.Bytes != bytes-goneBytes || v.Counts[Lost] != 0 || v.Counts[Wrong] != 0 || v.Counts[Short] < gone {
		t.Fatalf("after the loss of %d copies: %d good, %s", gone, v.Good, v)
	}
	for range 3 {
		r, err := c.Round(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if v = check(t, c, h); v.OK() {
			if r.Stats.Rsync == 0 && r.Stats.Attempted == 0 || r.Elapsed <= 0 {
				t.Errorf("round: %+v", r)
			}
			break
		}
	}
	if !v.OK() || v.Bytes != bytes {
		t.Fatalf("in the end: %s\n%v", v, v.Problems)
	}
	// Nothing is left to do for a further round.
	r, err := c.Round(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if s := r.Stats; s.Failure != 0 || s.Rsync != 0 || s.HashMatch != 2*s.Attempted {
		t.Errorf("one more round: %+v", s)
	}
}

// An object that is written after a pass is not hidden by what that pass cached.
func TestSeedAgain(t *testing.T) {
	c := newCluster(t, Spec{Nodes: 1, Disks: 3, Replicas: 3, PartPower: 2})
	first := seed(t, c, 10)
	if v := check(t, c, first); !v.OK() { // the servers have now cached hashes
		t.Fatal(v.Problems)
	}
	more, err := c.Seed(t.Context(), Draw{Objects: 10, Seed: 6, Base: base()})
	if err != nil {
		t.Fatal(err)
	}
	both := &History{Objects: append(slices.Clone(first.Objects), more.Objects...)}
	if v := check(t, c, both); !v.OK() {
		t.Error(v.Problems)
	}
}

// What a node runs with is what its files say.
func TestConfiguration(t *testing.T) {
	c := newCluster(t, Spec{Nodes: 2, Disks: 2, Replicas: 2, PartPower: 1, Options: map[string]string{"concurrency": "7"}})
	n := c.Node(2)
	report := config.Inspect(n.ConfPath(), config.Options{SwiftConf: filepath.Join(c.Dir, "etc/swift.conf")})
	if len(report.Problems)+len(report.Unknown)+len(report.Config.Warnings) > 0 {
		t.Errorf("%v %v %v", report.Problems, report.Unknown, report.Config.Warnings)
	}
	if n.Config.BindIP != "127.0.1.2" || n.Config.BindPort != n.Port || n.Config.Concurrency != 7 || n.Config.Devices != n.DevicesRoot() {
		t.Errorf("%+v", n.Config)
	}
	for part := range c.Ring.Partitions() {
		if p := c.Primaries(part); len(p) != 2 || p[0].Node == p[1].Node {
			t.Errorf("partition %d is on %v", part, p)
		}
	}
}

// Close ends everything that listens, and may be called twice.
func TestCloseEndsEverything(t *testing.T) {
	c := newCluster(t, Spec{Nodes: 2, Disks: 1, Replicas: 2, PartPower: 1})
	addresses := []string{net.JoinHostPort(rsyncdAddress, strconv.Itoa(c.rsyncd[0].port))}
	for _, n := range c.Nodes {
		addresses = append(addresses, net.JoinHostPort(n.IP, strconv.Itoa(n.Port)))
	}
	for _, a := range addresses {
		conn, err := net.Dial("tcp", a)
		if err != nil {
			t.Fatalf("while it runs: %v", err)
		}
		conn.Close()
	}
	for range 2 {
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for _, a := range addresses {
		if conn, err := net.Dial("tcp", a); err == nil {
			conn.Close()
			t.Errorf("somebody still listens on %s", a)
		}
	}
}

func TestBadSpecs(t *testing.T) {
	for name, test := range map[string]struct {
		spec Spec
		want string
	}{
		"no nodes":          {Spec{Disks: 1, Replicas: 1}, "0 nodes"},
		"too many nodes":    {Spec{Nodes: MaxNodes + 1, Disks: 1, Replicas: 1}, "65 nodes"},
		"no disks":          {Spec{Nodes: 1, Replicas: 1}, "0 disks"},
		"too many replicas": {Spec{Nodes: 1, Disks: 2, Replicas: 3}, "3 replicas on 2 disks"},
		"part power":        {Spec{Nodes: 1, Disks: 1, Replicas: 1, PartPower: 40}, "part power 40"},
		"an option":         {Spec{Nodes: 1, Disks: 1, Replicas: 1, Options: map[string]string{"concurrency": "many"}}, "concurrency"},
	} {
		t.Run(name, func(t *testing.T) {
			test.spec.Dir = t.TempDir()
			if _, err := New(t.Context(), test.spec); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %s", err, test.want)
			}
		})
	}
	if _, err := New(t.Context(), Spec{Dir: "here", Nodes: 1, Disks: 1, Replicas: 1}); err == nil {
		t.Error("a relative folder was taken")
	}
}

func TestNoRsync(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := New(t.Context(), Spec{Dir: t.TempDir(), Nodes: 1, Disks: 1, Replicas: 1})
	if err == nil || !strings.Contains(err.Error(), ErrNoRsync.Error()) {
		t.Error(err)
	}
}

func TestHasXattrs(t *testing.T) {
	dir := t.TempDir()
	if ok, err := HasXattrs(dir); !ok || err != nil {
		t.Errorf("%s: %v, %v", dir, ok, err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if ok, err := HasXattrs("/proc/self"); ok {
		t.Errorf("/proc: %v, %v", ok, err)
	}
	if ok, err := HasXattrs(filepath.Join(dir, "missing")); ok || err == nil {
		t.Errorf("missing folder: %v, %v", ok, err)
	}
}

// The log has a line of every node.
func TestLog(t *testing.T) {
	c := newCluster(t, Spec{Nodes: 2, Disks: 1, Replicas: 2, PartPower: 1})
	if _, err := c.Round(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	log, err := os.ReadFile(c.LogPath())
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for line := range strings.Lines(string(log)) {
		node, rest, _ := strings.Cut(line, "  ")
		if strings.Contains(rest, "Object replication complete") {
			seen[node] = true
		}
	}
	if got := slices.Sorted(maps.Keys(seen)); !slices.Equal(got, []string{"node 1", "node 2"}) {
		t.Errorf("%v\n%s", got, log)
	}
}
