package actors

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"understudy/messages"
)

// threeCopies is a ring of n devices, the first local of them local, in which
// partition i lives on three devices from i on.
func threeCopies(parts, n, local int) *table {
	r := &table{nodes: someNodes(n)}
	for i := range parts {
		r.parts = append(r.parts, []int{i % n, (i + 1) % n, (i + 2) % n})
	}
	for i := range local {
		r.local = append(r.local, i)
	}
	return r
}

// everywhere is a ring of three devices that all have all partitions; the first
// is local.
func everywhere(parts int) *table {
	r := &table{nodes: someNodes(3), local: []int{0}}
	for range parts {
		r.parts = append(r.parts, []int{0, 1, 2})
	}
	return r
}

func TestPassInSync(t *testing.T) {
	inWorld(t, everywhere(10), func(w *world) {
		stats := w.run()
		want := messages.Counts{Attempted: 10, HashMatch: 20, Success: 20, SuffixCount: 10}
		if stats.Counts != want {
			t.Errorf("got %+v, want %+v", stats.Counts, want)
		}
		for _, line := range []string{
			"Running object replicator in script mode.",
			"10/10 (100.00%) partitions replicated in ",
			"20 successes, 0 failures",
			"10 suffixes checked - 0.00% hashed, 0.00% synced",
			"Object replication complete (once). (0.00 minutes)",
		} {
			w.mustLog(line)
		}
		if len(w.recon) != 1 || w.recon[0]["replication_time"] != 0.0 {
			t.Errorf("recon got %v", w.recon)
		}
	})
}

// A peer that lacks a suffix gets it, and only that; what is pushed was hashed
// afresh first, for the peer may have pushed to us meanwhile.
func TestPushesWhatDiffers(t *testing.T) {
	inWorld(t, everywhere(1), func(w *world) {
		local := messages.Hashes{"aaa": "1", "bbb": "2", "ccc": ""}
		var asked []messages.HashOptions
		w.hashes = func(_ context.Context, _ messages.Partition, o messages.HashOptions) (messages.HashReport, error) {
			asked = append(asked, o)
			if len(o.Recalculate) > 0 {
				return messages.HashReport{Hashes: messages.Hashes{"aaa": "1", "bbb": "9", "ccc": ""}, Hashed: 2}, nil
			}
			return messages.HashReport{Hashes: local, Hashed: 3}, nil
		}
		w.peer = func(_ context.Context, n messages.Node, _ int, _ uint32) (messages.Hashes, error) {
			if n.Device == "d1" {
				return messages.Hashes{"aaa": "1", "bbb": "9", "ccc": "", "zzz": "only there"}, nil
			}
			return messages.Hashes{"aaa": "1", "bbb": "3"}, nil // no ccc: None is not "absent"
		}
		stats := w.run()
		if got := w.happened(); !slices.Equal(got, []string{"sync d0/objects/0 d2 bbb,ccc"}) {
			t.Errorf("did %v", got)
		}
		want := messages.Counts{Attempted: 1, HashMatch: 1, Success: 2, Rsync: 1, SuffixCount: 3, SuffixHash: 3, SuffixSync: 2}
		if stats.Counts != want {
			t.Errorf("got %+v, want %+v", stats.Counts, want)
		}
		for _, o := range asked[1:] {
			if len(o.Recalculate) == 0 || o.List {
				t.Errorf("later looks must recalculate: %+v", o)
			}
		}
	})
}

// Only an unmounted peer is replaced by a handoff, in ring order; a peer that
// refuses, times out or answers nonsense is not.
func TestOverReplicatesOnlyForUnmounted(t *testing.T) {
	status := func(n messages.Node, code int) error { return &messages.StatusError{Node: n, Status: code} }
	for _, test := range []struct {
		name    string
		answer  func(n messages.Node) error
		asked   []string // beyond the primaries d1 and d2
		line    string
		success int
		failure int
	}{
		{"507", func(n messages.Node) error {
			if n.Device == "d1" || n.Device == "d3" {
				return status(n, 507)
			}
			return nil
		}, []string{"d3", "d4"}, "10.0.1.1:6300/d1 responded as unmounted", 2, 2},
		{"500", func(n messages.Node) error {
			if n.Device == "d1" {
				return status(n, 500)
			}
			return nil
		}, nil, "Invalid response 500 from 10.0.1.1:6300/d1", 1, 1},
		{"refused", func(n messages.Node) error {
			if n.Device == "d1" {
				return &messages.PeerError{Node: n, Why: "Connection refused", Err: errDisk}
			}
			return nil
		}, nil, "Error syncing with node: 10.0.1.1:6300/d1: Connection refused", 1, 1},
		{
			"all unmounted", func(n messages.Node) error { return status(n, 507) },
			[]string{"d3", "d4"},
			"Ran out of handoffs while replicating partition 0 of policy 0", 0, 4,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			ring := &table{nodes: someNodes(5), local: []int{0}, parts: [][]int{{0, 1, 2}}}
			inWorld(t, ring, func(w *world) {
				var asked []string
				ok := w.peer
				w.peer = func(ctx context.Context, n messages.Node, policy int, part uint32) (messages.Hashes, error) {
					asked = append(asked, n.Device)
					if err := test.answer(n); err != nil {
						return nil, err
					}
					return ok(ctx, n, policy, part)
				}
				stats := w.run()
				slices.Sort(asked[:2])
				if want := append([]string{"d1", "d2"}, test.asked...); !slices.Equal(asked, want) {
					t.Errorf("asked %v, want %v", asked, want)
				}
				if stats.Success != test.success || stats.Failure != test.failure {
					t.Errorf("success %d failure %d, want %d %d", stats.Success, stats.Failure, test.success, test.failure)
				}
				w.mustLog(test.line)
			})
		})
	}
}

// A remote region gets one copy a job; its own nodes spread it. A hash match
// there does not count as that copy, and neither does a push that failed.
func TestOneCopyForEachRemoteRegion(t *testing.T) {
	ring := &table{nodes: someNodes(5), local: []int{0}, parts: [][]int{{0, 1, 2, 3, 4}}}
	for i := 1; i < 5; i++ {
		ring.nodes[i].Region = 2
	}
	for _, test := range []struct {
		name  string
		match bool // the first node asked has everything
		fail  bool // the first push fails
		syncs int
	}{{"first push serves the region", false, false, 1}, {"a match does not", true, false, 1}, {"a failed push does not", false, true, 2}} {
		t.Run(test.name, func(t *testing.T) {
			inWorld(t, ring, func(w *world) {
				asked, pushes := 0, 0
				same := w.peer
				w.peer = func(ctx context.Context, n messages.Node, policy int, part uint32) (messages.Hashes, error) {
					if asked++; test.match && asked == 1 {
						return same(ctx, n, policy, part)
					}
					return messages.Hashes{}, nil
				}
				w.push = func(context.Context, messages.SyncJob) (messages.SyncResult, error) {
					pushes++
					return messages.SyncResult{OK: !test.fail || pushes > 1}, nil
				}
				stats := w.run()
				if pushes != test.syncs || stats.Rsync != test.syncs {
					t.Errorf("%d pushes, counted %d, want %d", pushes, stats.Rsync, test.syncs)
				}
				if fails := stats.Failure; (fails == 1) != test.fail || stats.Success != 4-fails {
					t.Errorf("success %d failure %d", stats.Success, stats.Failure)
				}
			})
		})
	}
}

// What this node cannot read or use is reported, counted as Swift counts it, and
// harms no other partition.
func TestLocalTrouble(t *testing.T) {
	for _, test := range []struct {
		name string
		err  error
		want messages.Counts
		line string
	}{
		{
			"unreadable", errDisk,
			messages.Counts{Attempted: 3, HashMatch: 4, Success: 4, SuffixCount: 2},
			"Error syncing partition: input/output error",
		},
		{
			"unmounted", &messages.DeviceError{Device: "d0", Message: "/srv/node/d0 is not mounted"},
			messages.Counts{Attempted: 2, HashMatch: 4, Success: 4, SuffixCount: 2, Failure: 2},
			"/srv/node/d0 is not mounted",
		},
		{
			"a file", &messages.NotDirectoryError{Path: "/srv/node/d0/objects/1", Action: "removed"},
			messages.Counts{Attempted: 2, HashMatch: 4, Success: 4, SuffixCount: 2},
			"Object replication complete (once).",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			inWorld(t, everywhere(3), func(w *world) {
				fine := w.hashes
				w.hashes = func(ctx context.Context, p messages.Partition, o messages.HashOptions) (messages.HashReport, error) {
					if p.Number == 1 {
						return messages.HashReport{}, test.err
					}
					return fine(ctx, p, o)
				}
				if stats := w.run(); stats.Counts != test.want {
					t.Errorf("got %+v, want %+v", stats.Counts, test.want)
				}
				w.mustLog(test.line)
				if len(w.happened()) != 0 {
					t.Errorf("pushed %v", w.happened())
				}
			})
		})
	}
}

func TestDeviceThatCannotBeListed(t *testing.T) {
	inWorld(t, threeCopies(6, 3, 2), func(w *world) {
		fine := w.list
		w.list = func(ctx context.Context, device string, policy int) (messages.Listing, error) {
			if device == "d0" {
				return messages.Listing{}, &messages.DeviceError{Device: "d0", Message: "/srv/node/d0 is not mounted"}
			}
			return fine(ctx, device, policy)
		}
		stats := w.run()
		if stats.Attempted != 6 || stats.Failure != 3 || stats.FailureNodes["10.0.1.2"]["d2"] != 1 {
			t.Errorf("got %+v", stats)
		}
		w.mustLog("/srv/node/d0 is not mounted")
	})
}

// A policy's directory that cannot be made is told in Swift's words and, as in
// Swift, counts nothing.
func TestDirectoryThatCannotBeMade(t *testing.T) {
	inWorld(t, everywhere(4), func(w *world) {
		w.list = func(context.Context, string, int) (messages.Listing, error) {
			return messages.Listing{}, &messages.CreateError{Path: "/srv/node/d0/objects", Err: errDisk}
		}
		if stats := w.run(); stats.Counts != (messages.Counts{}) {
			t.Errorf("got %+v", stats.Counts)
		}
		w.mustLog("ERROR creating /srv/node/d0/objects: input/output error")
	})
}

// Names that are no partitions of the ring are counted and never touched.
func TestStrangePartitions(t *testing.T) {
	inWorld(t, everywhere(4), func(w *world) {
		w.list = func(context.Context, string, int) (messages.Listing, error) {
			return messages.Listing{Partitions: []uint32{0, 4, 99}, Strange: []string{"-1"}}, nil
		}
		w.hashes = func(_ context.Context, p messages.Partition, _ messages.HashOptions) (messages.HashReport, error) {
			w.event("hash %d", p.Number)
			return messages.HashReport{}, nil
		}
		stats := w.run()
		if got := w.happened(); !slices.Equal(got, []string{"hash 0"}) {
			t.Errorf("touched %v", got)
		}
		if stats.Attempted != 1 || stats.Failure != 9 {
			t.Errorf("got %+v", stats)
		}
		w.mustLog("partition is not in the ring, left alone")
	})
}

func TestOverrides(t *testing.T) {
	inWorld(t, threeCopies(12, 3, 3), func(w *world) {
		w.opts.Only = Overrides{Devices: []string{"d1", "elsewhere"}, Partitions: []uint32{3, 5}}
		if stats := w.run(); stats.Attempted != 2 {
			t.Errorf("attempted %d, want 2", stats.Attempted)
		}
		if len(w.recon) != 0 {
			t.Errorf("a restricted pass went into recon: %v", w.recon)
		}
	})
	inWorld(t, everywhere(2), func(w *world) {
		w.opts.Only = Overrides{Policies: []int{7}}
		if stats := w.run(); stats.Attempted != 0 {
			t.Errorf("attempted %d, want 0", stats.Attempted)
		}
	})
}

func TestPolicyThatCannotTakePart(t *testing.T) {
	t.Run("part power", func(t *testing.T) {
		ring := everywhere(2)
		ring.next = true
		inWorld(t, ring, func(w *world) {
			if stats := w.run(); stats.Attempted != 0 {
				t.Errorf("attempted %d", stats.Attempted)
			}
			w.mustLog("next_part_power set in policy 'gold'. Skipping")
		})
	})
	t.Run("not in the ring", func(t *testing.T) {
		ring := everywhere(2)
		ring.local = nil
		inWorld(t, ring, func(w *world) {
			w.run()
			w.mustLog("Can't find itself in policy with index 0 with ips 10.0.1.0 and with port 6300 in ring file, not replicating")
			w.mustLog("Nothing replicated for 0.0 seconds.")
		})
	})
	t.Run("no ring", func(t *testing.T) {
		inWorld(t, everywhere(2), func(w *world) {
			w.view = &messages.View{Policies: []messages.PolicyRing{{Err: errDisk}}}
			w.run()
			w.mustLog("Exception in top-level replication loop: input/output error")
		})
	})
}

// The node's bound on jobs in flight holds at every moment, and is used.
func TestSlotsBoundTheNode(t *testing.T) {
	inWorld(t, threeCopies(60, 5, 5), func(w *world) {
		w.opts.Slots = 3
		fine := w.hashes
		w.hashes = func(ctx context.Context, p messages.Partition, o messages.HashOptions) (messages.HashReport, error) {
			time.Sleep(time.Second)
			return fine(ctx, p, o)
		}
		begun := time.Now()
		w.run()
		if w.most != 3 {
			t.Errorf("%d jobs at once, want 3", w.most)
		}
		if took := time.Since(begun); took != time.Minute { // 180 update jobs; handoffs take no time here
			t.Errorf("180 jobs of a second took %v with 3 slots", took)
		}
	})
}

// With one slot, disks take turns: one with a thousand partitions does not keep
// one with two waiting.
func TestSlotsAreShared(t *testing.T) {
	ring := &table{nodes: someNodes(3), local: []int{0, 1}}
	for range 1000 {
		ring.parts = append(ring.parts, []int{0, 1, 2})
	}
	inWorld(t, ring, func(w *world) {
		w.opts.Slots = 1
		w.list = func(_ context.Context, device string, _ int) (messages.Listing, error) {
			if device == "d1" {
				return messages.Listing{Partitions: []uint32{0, 1}}, nil
			}
			var l messages.Listing
			for i := range 1000 {
				l.Partitions = append(l.Partitions, uint32(i))
			}
			return l, nil
		}
		fine := w.hashes
		w.hashes = func(ctx context.Context, p messages.Partition, o messages.HashOptions) (messages.HashReport, error) {
			w.event("%s", p.Device)
			time.Sleep(time.Second)
			return fine(ctx, p, o)
		}
		w.run()
		order := w.happened()
		count := 0
		for i, device := range order {
			if device == "d1" {
				if count++; count == 2 && i > 5 {
					t.Errorf("the small disk's second job ran as number %d", i)
				}
			}
		}
	})
}

// Each disk has a cycle of its own: a slow one delays nobody.
func TestDisksCycleOnTheirOwn(t *testing.T) {
	inWorld(t, threeCopies(6, 3, 2), func(w *world) {
		w.opts.Once = false
		fine := w.list
		w.list = func(ctx context.Context, device string, policy int) (messages.Listing, error) {
			w.event("list %s", device)
			if device == "d0" {
				pause(ctx, 25*time.Minute)
			}
			return fine(ctx, device, policy)
		}
		w.start()
		time.Sleep(20*time.Minute + time.Second)
		synctest.Wait()
		lists := strings.Join(w.happened(), "\n")
		if slow, fast := strings.Count(lists, "d0"), strings.Count(lists, "d1"); slow != 1 || fast != 41 {
			t.Errorf("the slow disk began %d passes, the fast one %d, want 1 and 41", slow, fast)
		}
		if w.snapshot().Rounds != 0 {
			t.Error("a round ended without the slow disk")
		}
		time.Sleep(10 * time.Minute)
		if got := w.snapshot().Rounds; got != 1 {
			t.Errorf("%d rounds, want 1", got)
		}
		w.mustLog("Starting object replication pass.")
		w.mustLog(fmt.Sprintf("Object replication complete. (%.2f minutes)", 25.0))
		w.mustLog("Replication sleeping for 30.0 seconds.")
	})
}

// In the form of worker processes every disk tells its own numbers as soon as it
// has them, and the node's sum waits for all.
func TestReconPerDisk(t *testing.T) {
	inWorld(t, threeCopies(6, 3, 2), func(w *world) {
		w.opts.PerDisk = true
		w.run()
		if got := w.happened(); !slices.Contains(got, "keep object_replication_per_disk d0,d1") {
			t.Errorf("devices that are not ours were not forgotten: %q", got)
		}
		if len(w.recon) != 3 {
			t.Fatalf("%d updates: %v", len(w.recon), w.recon)
		}
		seen := map[string]bool{}
		for _, entries := range w.recon[:2] {
			for name := range entries["object_replication_per_disk"].(map[string]any) {
				seen[name] = true
			}
		}
		if !seen["d0"] || !seen["d1"] {
			t.Errorf("per disk: %v", seen)
		}
		if stats := w.recon[2]["replication_stats"].(map[string]any); stats["attempted"] != 12 {
			t.Errorf("sum: %v", stats)
		}
	})
}

// The lines of a round never tell of more partitions than there are, also when disks
// go through several passes in one round and it ends in the middle of a pass.
func TestProgressNeverPassesTheWhole(t *testing.T) {
	inWorld(t, threeCopies(30, 3, 3), func(w *world) {
		w.opts.Once, w.opts.Slots, w.opts.Interval, w.opts.StatsInterval = false, 3, time.Second, 7*time.Second
		fine := w.hashes
		w.hashes = func(ctx context.Context, p messages.Partition, o messages.HashOptions) (messages.HashReport, error) {
			if p.Device == "d0" {
				pause(ctx, 3*time.Second)
			} else {
				pause(ctx, 700*time.Millisecond)
			}
			return fine(ctx, p, o)
		}
		w.start()
		time.Sleep(20 * time.Minute)
		lines := 0
		for line := range strings.Lines(w.logged()) {
			_, text, ok := strings.Cut(line, `"message":"`)
			var done, all int
			if n, _ := fmt.Sscanf(text, "%d/%d", &done, &all); !ok || n != 2 {
				continue
			}
			if lines++; done > all {
				t.Errorf("the log says %s", text)
			}
		}
		if lines < 20 {
			t.Errorf("only %d lines of progress", lines)
		}
	})
}
