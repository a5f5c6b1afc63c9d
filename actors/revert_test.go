package actors

import (
	"context"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"understudy/messages"
)

// oneHandoff is a ring in which partition 0 is a handoff here and belongs to
// d1, d2 and d3.
func oneHandoff() *table {
	return &table{nodes: someNodes(5), local: []int{0}, parts: [][]int{{1, 2, 3}}}
}

// proves is a push by which the node proves all that it was sent.
func proves(job messages.SyncJob) (messages.SyncResult, error) {
	return messages.SyncResult{OK: true, Proven: job.Held}, nil
}

func (w *world) did(what string) (n int) {
	for _, e := range w.happened() {
		if strings.HasPrefix(e, what) {
			n++
		}
	}
	return n
}

func TestRevertRemovesWhatEveryPrimaryHasProven(t *testing.T) {
	inWorld(t, oneHandoff(), func(w *world) {
		w.push = func(_ context.Context, job messages.SyncJob) (messages.SyncResult, error) { return proves(job) }
		stats := w.run()
		synctest.Wait()
		want := []string{
			"sync d0/objects/0 d1 abc", "sync d0/objects/0 d2 abc", "sync d0/objects/0 d3 abc",
			"remove 2 objects of 0 whole=true", "release 0",
		}
		if got := w.happened(); !slices.Equal(got, want) {
			t.Errorf("did %q, want %q", got, want)
		}
		if c := (messages.Counts{Attempted: 1, Remove: 1, Rsync: 3, Success: 3}); stats.Counts != c {
			t.Errorf("got %+v, want %+v", stats.Counts, c)
		}
		if d := w.device("d0"); d.Handoffs != 0 {
			t.Errorf("%d handoffs remain", d.Handoffs)
		}
		w.mustLog("Removing partition: /srv/node/d0/objects/0")
		for name, n := range map[string]int{"partition.delete.count.d0": 1, "partition.delete.timing": 1, "partition.update.timing": 0} {
			if w.counted[name] != n {
				t.Errorf("%s is %d, want %d", name, w.counted[name], n)
			}
		}
	})
}

// What is not proven by enough primaries stays, whatever else succeeded.
func TestRevertKeepsWhatIsNotProven(t *testing.T) {
	half := func(f messages.Files) messages.Files {
		out := messages.Files{}
		for hash, names := range f {
			out[hash] = names
			return out
		}
		return out
	}
	for _, test := range []struct {
		name    string
		delete  int
		push    func(n string, job messages.SyncJob) (messages.SyncResult, error)
		removed string // the event, or empty
		failure int
	}{
		{"one primary failed", 0, func(n string, job messages.SyncJob) (messages.SyncResult, error) {
			if n == "d2" {
				return messages.SyncResult{}, nil
			}
			return proves(job)
		}, "", 1},
		{"one of three may fail", 2, func(n string, job messages.SyncJob) (messages.SyncResult, error) {
			if n == "d2" {
				return messages.SyncResult{}, nil
			}
			return proves(job)
		}, "remove 2 objects of 0 whole=true", 1},
		{"two of three may not", 2, func(n string, job messages.SyncJob) (messages.SyncResult, error) {
			if n != "d2" {
				return messages.SyncResult{}, nil
			}
			return proves(job)
		}, "", 2},
		{"more copies asked for than there are primaries", 7, func(_ string, job messages.SyncJob) (messages.SyncResult, error) {
			return proves(job)
		}, "remove 2 objects of 0 whole=true", 0},
		{"success without proof", 0, func(string, messages.SyncJob) (messages.SyncResult, error) {
			return messages.SyncResult{OK: true}, nil
		}, "remove 0 objects of 0 whole=false", 0},
		{"one object lacks one proof", 0, func(n string, job messages.SyncJob) (messages.SyncResult, error) {
			r, err := proves(job)
			if n == "d3" {
				r.Proven = half(r.Proven)
			}
			return r, err
		}, "remove 1 objects of 0 whole=false", 0},
		{"a node could not be spoken to", 1, func(n string, job messages.SyncJob) (messages.SyncResult, error) {
			if n == "d3" {
				return messages.SyncResult{}, &messages.PeerError{Node: job.Node, Why: "Timeout (60s)", Err: errDisk}
			}
			return proves(job)
		}, "", 1},
		{"proof of what was never listed", 0, func(string, messages.SyncJob) (messages.SyncResult, error) {
			return messages.SyncResult{OK: true, Proven: messages.Files{"ffffffffffffffffffffffffffffffff": {"x.data"}}}, nil
		}, "remove 0 objects of 0 whole=false", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			inWorld(t, oneHandoff(), func(w *world) {
				w.opts.HandoffDelete = test.delete
				w.push = func(_ context.Context, job messages.SyncJob) (messages.SyncResult, error) {
					return test.push(job.Node.Device, job)
				}
				stats := w.run()
				synctest.Wait()
				got := ""
				for _, e := range w.happened() {
					if strings.HasPrefix(e, "remove") {
						got = e
					}
				}
				if got != test.removed {
					t.Errorf("did %q, want %q", got, test.removed)
				}
				if stats.Failure != test.failure || stats.Success != 3-test.failure || stats.Rsync != 3 {
					t.Errorf("got %+v", stats.Counts)
				}
				if w.did("release") != 1 {
					t.Errorf("the lock was not given back: %q", w.happened())
				}
				whole := strings.HasSuffix(test.removed, "whole=true")
				if d := w.device("d0"); (d.Handoffs == 0) != whole {
					t.Errorf("%d handoffs remain", d.Handoffs)
				}
			})
		})
	}
}

// A partition without an object goes without a word to anyone; one whose removal
// is refused on the spot stays.
func TestRevertOfEmptyAndOfChangedPartitions(t *testing.T) {
	inWorld(t, oneHandoff(), func(w *world) {
		w.hold = func(_ context.Context, p messages.Partition) (Hold, error) { return w.holds(p, nil), nil }
		w.run()
		if w.did("sync") != 0 || w.did("remove 0 objects of 0 whole=true") != 1 {
			t.Errorf("did %q", w.happened())
		}
	})
	inWorld(t, oneHandoff(), func(w *world) {
		w.push = func(_ context.Context, job messages.SyncJob) (messages.SyncResult, error) { return proves(job) }
		w.hold = func(_ context.Context, p messages.Partition) (Hold, error) {
			h := w.holds(p, objects(1))
			h.kept = "something new has arrived"
			return h, nil
		}
		w.run()
		w.mustLog("handoff is kept: something new has arrived")
		if d := w.device("d0"); d.Handoffs != 1 {
			t.Errorf("%d handoffs remain, want 1", d.Handoffs)
		}
	})
	inWorld(t, oneHandoff(), func(w *world) {
		w.push = func(_ context.Context, job messages.SyncJob) (messages.SyncResult, error) { return proves(job) }
		w.hold = func(_ context.Context, p messages.Partition) (Hold, error) {
			h := w.holds(p, objects(1))
			h.err = errDisk
			return h, nil
		}
		w.run()
		w.mustLog("Error syncing handoff partition: input/output error")
	})
}

func TestRevertOfLockedPartition(t *testing.T) {
	inWorld(t, oneHandoff(), func(w *world) {
		w.hold = func(context.Context, messages.Partition) (Hold, error) { return nil, ErrPartitionLocked }
		stats := w.run()
		if c := (messages.Counts{Attempted: 1, Success: 3}); stats.Counts != c || w.did("sync") != 0 {
			t.Errorf("got %+v, did %q", stats.Counts, w.happened())
		}
		w.mustLog("Unable to lock handoff partition 0 for replication on device d0 policy 0")
		if w.counted["partition.lock-failure.count"] != 1 || w.device("d0").Handoffs != 1 {
			t.Error("the lock failure was not counted, or the handoff forgotten")
		}
	})
}

// The rings change while a handoff is pushed: it is kept, for its proofs may be
// of nodes that no longer count.
func TestRevertLooksAtTheNewestRing(t *testing.T) {
	for name, test := range map[string]struct {
		parts []int
		next  bool
		why   string
	}{
		"becomes primary":   {[]int{0, 1, 2}, false, "this device has become a primary"},
		"primaries changed": {[]int{1, 2, 4}, false, "its primaries have changed"},
		"part power":        {[]int{1, 2, 3}, true, "the ring does not tell its place any more"},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, oneHandoff(), func(w *world) {
				w.push = func(ctx context.Context, job messages.SyncJob) (messages.SyncResult, error) {
					next := oneHandoff()
					next.parts, next.next = [][]int{test.parts}, test.next
					w.mu.Lock()
					w.polled = view(2, next)
					w.mu.Unlock()
					pause(ctx, 16*time.Second)
					return proves(job)
				}
				w.run()
				synctest.Wait()
				if w.did("remove") != 0 || w.did("release") != 1 {
					t.Errorf("did %q", w.happened())
				}
				w.mustLog("handoff is kept: " + test.why)
			})
		})
	}
}

// A transport that can ask sends a remote region one copy and asks its other
// nodes for what the first has proven.
func TestRevertChecksRemoteRegions(t *testing.T) {
	ring := oneHandoff()
	ring.nodes[1].Region, ring.nodes[2].Region, ring.nodes[3].Region = 2, 2, 1
	for _, ask := range []bool{true, false} {
		inWorld(t, ring, func(w *world) {
			w.opts.CheckRemote = ask
			var asked []string
			w.push = func(_ context.Context, job messages.SyncJob) (messages.SyncResult, error) {
				if job.CheckOnly != nil {
					asked = append(asked, job.Node.Device)
					if len(job.CheckOnly) != 2 {
						t.Errorf("asked for %v", job.CheckOnly)
					}
				}
				return proves(job)
			}
			w.run()
			if want := map[bool][]string{true: {"d2"}}[ask]; !slices.Equal(asked, want) {
				t.Errorf("asked %v, want %v", asked, want)
			}
			if w.did("remove 2 objects") != 1 {
				t.Errorf("did %q", w.happened())
			}
		})
	}
}

// With handoffs first, primaries wait until no handoff is left on the disk.
func TestHandoffsFirst(t *testing.T) {
	ring := &table{nodes: someNodes(4), local: []int{0}}
	for i := range 10 {
		ring.parts = append(ring.parts, [][]int{{0, 1, 2}, {1, 2, 3}}[i%2])
	}
	for _, fail := range []bool{false, true} {
		inWorld(t, ring, func(w *world) {
			w.opts.HandoffsFirst, w.opts.Slots = true, 1
			w.push = func(_ context.Context, job messages.SyncJob) (messages.SyncResult, error) {
				if fail && job.Partition.Number == 5 {
					return messages.SyncResult{}, nil
				}
				return proves(job)
			}
			fine := w.hashes
			w.hashes = func(ctx context.Context, p messages.Partition, o messages.HashOptions) (messages.HashReport, error) {
				w.event("update %d", p.Number)
				return fine(ctx, p, o)
			}
			w.run()
			synctest.Wait()
			order := strings.Join(w.happened(), " ")
			if strings.Contains(order, "update") == fail {
				t.Errorf("fail=%v: did %q", fail, order)
			}
			if first := strings.Index(order, "update"); !fail && strings.Contains(order[first:], "remove") {
				t.Errorf("a primary came before a handoff: %q", order)
			}
			if fail {
				w.mustLog("Handoffs first mode still has handoffs remaining.  Aborting current replication pass.")
			}
		})
	}
}

// A handoff in which nothing but metadata waits for its data holds nobody up.
func TestHandoffsFirstBesideWhatWaits(t *testing.T) {
	ring := &table{nodes: someNodes(4), local: []int{0}, parts: [][]int{{0, 1, 2}, {1, 2, 3}}}
	inWorld(t, ring, func(w *world) {
		w.opts.HandoffsFirst = true
		w.push = func(_ context.Context, job messages.SyncJob) (messages.SyncResult, error) {
			return messages.SyncResult{OK: true, Waiting: job.Held}, nil
		}
		fine := w.hashes
		w.hashes = func(ctx context.Context, p messages.Partition, o messages.HashOptions) (messages.HashReport, error) {
			w.event("update %d", p.Number)
			return fine(ctx, p, o)
		}
		w.run()
		synctest.Wait()
		if w.did("remove 0 objects of 1 whole=false") != 1 || w.did("update 0") != 1 {
			t.Errorf("did %q", w.happened())
		}
	})
}

// A proven handoff is kept until it has settled, and proven again then.
func TestHandoffSettles(t *testing.T) {
	inWorld(t, oneHandoff(), func(w *world) {
		w.opts.Once, w.opts.HandoffSettle = false, 100*time.Second
		var bad atomic.Bool
		w.push = func(_ context.Context, job messages.SyncJob) (messages.SyncResult, error) {
			if bad.Load() {
				return messages.SyncResult{}, nil
			}
			return proves(job)
		}
		w.start()
		time.Sleep(65 * time.Second) // passes at 0, 30, 60
		if w.did("remove") != 0 {
			t.Errorf("removed too early: %q", w.happened())
		}
		bad.Store(true)
		time.Sleep(30 * time.Second) // the pass at 90 proves nothing: the wait begins anew
		bad.Store(false)
		time.Sleep(120 * time.Second) // 120, 150, 180, 210
		if w.did("remove") != 0 {
			t.Errorf("removed without a whole wait: %q", w.happened())
		}
		time.Sleep(30 * time.Second) // 240: 120 s after the proof at 120
		if w.did("remove 2 objects of 0 whole=true") != 1 {
			t.Errorf("not removed: %q", w.happened())
		}
	})
}

// The lock comes back whatever becomes of the job.
func TestRevertLockIsGivenBack(t *testing.T) {
	t.Run("stopped while pushing", func(t *testing.T) {
		inWorld(t, oneHandoff(), func(w *world) {
			w.push = func(ctx context.Context, _ messages.SyncJob) (messages.SyncResult, error) {
				pause(ctx, time.Hour)
				return messages.SyncResult{}, ctx.Err()
			}
			w.start()
			time.Sleep(time.Second)
			w.stop()
			w.root = nil
			synctest.Wait()
			if w.did("release") != 1 || w.did("remove") != 0 {
				t.Errorf("did %q", w.happened())
			}
		})
	})
	t.Run("stopped before the lock was there", func(t *testing.T) {
		inWorld(t, oneHandoff(), func(w *world) {
			thaw := make(chan struct{})
			w.hold = func(_ context.Context, p messages.Partition) (Hold, error) {
				<-thaw
				return w.holds(p, objects(1)), nil
			}
			w.start()
			time.Sleep(time.Second)
			w.stop()
			w.root = nil
			close(thaw)
			synctest.Wait()
			if w.did("release") != 1 {
				t.Errorf("did %q", w.happened())
			}
		})
	})
	t.Run("stuck while removing", func(t *testing.T) {
		inWorld(t, oneHandoff(), func(w *world) {
			w.push = func(_ context.Context, job messages.SyncJob) (messages.SyncResult, error) {
				<-w.thaw // ignores its context
				return proves(job)
			}
			stats := w.run()
			if stats.Failure != 1 || w.device("d0").State != messages.StateStalled {
				t.Errorf("got %+v, %s", stats.Counts, w.device("d0").State)
			}
			close(w.thaw)
			synctest.Wait()
			if w.did("release") != 1 || w.did("remove") != 0 {
				t.Errorf("did %q", w.happened())
			}
		})
	})
}
