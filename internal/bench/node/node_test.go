package node

import (
	"os"
	"path/filepath"
	"testing"
)

const swiftsReplicator = "/usr/bin/swift-object-replicator"

func small(t *testing.T, spec Spec) *Node {
	t.Helper()
	spec.Base = os.TempDir() // t.TempDir lets only root in
	n, err := New(spec)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

// What fill leaves in the caches is what Swift itself finds on the disk: a node whose
// partitions with a tree have lost their caches is still in sync with its peers.
func TestSwiftFindsWhatTheCachesTell(t *testing.T) {
	n := small(t, Spec{Disks: 2, Partitions: 40, Cached: true})
	trees := 0
	for disk := range 2 {
		found, err := filepath.Glob(filepath.Join(n.Disk(disk), "objects/*", suffix))
		if err != nil {
			t.Fatal(err)
		}
		for _, dir := range found {
			trees++
			if err := os.Remove(filepath.Join(filepath.Dir(dir), "hashes.pkl")); err != nil {
				t.Fatal(err)
			}
		}
	}
	if trees == 0 {
		t.Fatal("no partition has a tree")
	}
	run, err := n.Start(swiftsReplicator, nil, "--once")
	if err != nil {
		t.Fatal(err)
	}
	if err := run.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	var stats struct {
		Attempted, HashMatch, Failure int
		Hashed                        int `json:"suffix_hash"`
	}
	if ok, err := n.Recon("replication_stats", &stats); err != nil || !ok {
		t.Fatalf("no numbers in the recon cache: %v\n%s", err, n.Log.Tail(5))
	}
	if stats.Attempted != 80 || stats.HashMatch != 160 || stats.Failure != 0 || stats.Hashed != trees {
		t.Errorf("Swift's pass over 80 partitions, %d of them to be hashed: %+v", trees, stats)
	}
	if n.Peers.Count() != 160 || !n.Peers.First().After(run.Begun) {
		t.Errorf("the peers were asked %d times, first %s after the start", n.Peers.Count(), n.Peers.First().Sub(run.Begun))
	}
	if run.Peak.Resident() < 10<<20 || run.Peak.Threads() < 1 {
		t.Errorf("Swift's peak: %d bytes, %d threads", run.Peak.Resident(), run.Peak.Threads())
	}
}

// With more than one copy here on average, the ring needs fewer partitions than the
// disks hold.
func TestLocalCopies(t *testing.T) {
	n := small(t, Spec{Disks: 6, Partitions: 200, LocalCopies: 1.2})
	here := map[uint32]int{}
	for disk := range 6 {
		parts := n.Partitions(disk)
		if len(parts) != 200 {
			t.Errorf("disk %d has %d partitions", disk, len(parts))
		}
		for _, p := range parts {
			here[p]++
		}
	}
	if len(here) >= n.Total() {
		t.Errorf("%d partitions for %d places", len(here), n.Total())
	}
	entries, err := os.ReadDir(filepath.Join(n.Disk(0), "objects"))
	if err != nil || len(entries) != 200 {
		t.Errorf("the first disk has %d partitions (%v)", len(entries), err)
	}
}

func TestParse(t *testing.T) {
	for line, want := range map[string]struct {
		partition uint32
		told, ok  bool
	}{
		"REPLICATE /d1/1048575 HTTP/1.1\r\n":     {1048575, false, true},
		"REPLICATE /d1/7/abc-def HTTP/1.1\r\n":   {7, true, true},
		"REPLICATE /d1/ HTTP/1.1\r\n":            {},
		"GET /recon/replication/object HTTP/1.1": {},
		"\r\n":                                   {},
	} {
		partition, told, ok := parse([]byte(line))
		if partition != want.partition || told != want.told || ok != want.ok {
			t.Errorf("%q: %d %v %v", line, partition, told, ok)
		}
	}
}
