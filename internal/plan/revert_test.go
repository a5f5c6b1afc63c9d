package plan

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"understudy/messages"
)

// Whatever happens, a file may go only if it was listed and enough distinct
// primaries have proven it.
func TestMayGoNeverExceedsTheProofs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		peers := nodes(1, rapid.IntRange(0, 4).Draw(t, "primaries"), 1)
		for i := range peers {
			peers[i].Region = rapid.IntRange(1, 2).Draw(t, "region")
		}
		deleteAt := rapid.IntRange(0, 6).Draw(t, "handoff_delete")
		held := messages.Files{}
		for i := range rapid.IntRange(0, 3).Draw(t, "objects") {
			held[fmt.Sprint("hash", i)] = []string{"a.data", "b.meta"}[:rapid.IntRange(1, 2).Draw(t, "files")]
		}
		r := NewRevert(1, peers, held, deleteAt, rapid.Bool().Draw(t, "check"))
		proofs := map[string]map[int]bool{} // file → the nodes that have proven it
		broken, failed, steps := false, 0, 0
		stop := rapid.IntRange(0, 5).Draw(t, "stop after")
		for ; steps < stop; steps++ {
			step, ok := r.Next()
			if !ok {
				break
			}
			switch rapid.SampledFrom([]string{"ok", "ok", "fails", "error"}).Draw(t, "push") {
			case "ok":
				proven := messages.Files{}
				for hash, names := range held {
					for _, name := range append(slices.Clone(names), "later.data") {
						if rapid.Bool().Draw(t, "proven") {
							proven[hash] = append(proven[hash], name)
							if proofs[hash+name] == nil {
								proofs[hash+name] = map[int]bool{}
							}
							proofs[hash+name][step.Node.ID] = true
						}
					}
				}
				r.Pushed(step.Node, messages.SyncResult{OK: true, Proven: proven})
			case "fails":
				failed++
				r.Pushed(step.Node, messages.SyncResult{})
			case "error":
				failed++
				broken = true
				r.Failed(step.Node)
			}
		}
		files, ok := r.MayGo()
		need := len(peers)
		if deleteAt > 0 {
			need = min(need, deleteAt)
		}
		if (broken || len(peers) == 0) && (len(files) > 0 || ok) {
			t.Fatalf("something may go after an error or without primaries: %v", files)
		}
		for hash, names := range files {
			for _, name := range names {
				if !slices.Contains(held[hash], name) {
					t.Fatalf("%s was never listed", name)
				}
				if len(proofs[hash+name]) < need {
					t.Fatalf("%s/%s may go with %d proofs of %d", hash, name, len(proofs[hash+name]), need)
				}
			}
		}
		if len(files) > 0 && !ok {
			t.Fatal("files may go, but not what is left empty")
		}
		if counts, _ := r.Result(); counts.Failure != failed || counts.Success != len(peers)-failed || counts.Rsync != steps {
			t.Fatalf("counted %+v, want %d failures of %d", counts, failed, len(peers))
		}
	})
}

// A partition that no primary of the ring wants is never given up, not even an
// empty one: the ring may be the wrong one.
func TestNoPrimariesNoRemoval(t *testing.T) {
	for _, held := range []messages.Files{nil, {"h": {"a.data"}}} {
		for _, deleteAt := range []int{0, 2} {
			r := NewRevert(1, nil, held, deleteAt, false)
			if _, ok := r.Next(); ok {
				t.Error("there is somebody to push to")
			}
			if files, ok := r.MayGo(); len(files) > 0 || ok {
				t.Errorf("held %v, handoff_delete %d: %v %v may go", held, deleteAt, files, ok)
			}
		}
	}
}

func TestSameNodes(t *testing.T) {
	a, b := nodes(1, 3, 1), nodes(1, 3, 1)
	slices.Reverse(b)
	b[0].Index = 2
	if !SameNodes(a, b) {
		t.Error("order or index matters")
	}
	b[1].ReplicationIP = "10.9.9.9"
	if SameNodes(a, b) || SameNodes(a, a[:2]) {
		t.Error("another address, or fewer nodes, is the same")
	}
}

// A primary that wants no push now keeps all of the handoff, whatever others have proven.
func TestRevertWithLatecomersKeepsAll(t *testing.T) {
	peers := []messages.Node{{ID: 1, ReplicationIP: "a", Device: "d1"}, {ID: 2, ReplicationIP: "b", Device: "d2"}}
	held := messages.Files{"0123": {"1.data"}}
	r := NewRevert(1, peers, held, 1, false)
	first, _ := r.Next()
	r.Pushed(first.Node, messages.SyncResult{OK: true, Proven: held})
	second, _ := r.Next()
	r.Later(second.Node)
	if files, ok := r.MayGo(); ok {
		t.Errorf("%v may go", files)
	}
	counts, failures := r.Result()
	if want := (messages.Counts{Attempted: 1, Rsync: 1, Success: 1, Failure: 1}); counts != want || len(failures) != 1 {
		t.Errorf("got %+v %v, want %+v", counts, failures, want)
	}
}

// Metadata waits when each primary that counts has it or has a tombstone instead of its
// data, and one at least has the tombstone. What is waiting never may go.
func TestWaiting(t *testing.T) {
	held := messages.Files{"h": {"1.data", "2.meta"}}
	all := messages.SyncResult{OK: true, Proven: held}
	bare := messages.SyncResult{OK: true, Proven: messages.Files{"h": {"1.data"}}, Waiting: messages.Files{"h": {"2.meta"}}}
	data := messages.SyncResult{OK: true, Proven: messages.Files{"h": {"1.data"}}} // wants the metadata next time
	for what, c := range map[string]struct {
		answers []messages.SyncResult
		need    int // handoff_delete
		goes    int
		waits   bool
	}{
		"all have it":            {[]messages.SyncResult{all, all, all}, 0, 2, false},
		"all have a tombstone":   {[]messages.SyncResult{bare, bare, bare}, 0, 1, true},
		"one has a tombstone":    {[]messages.SyncResult{all, bare, all}, 0, 1, true},
		"enough have it":         {[]messages.SyncResult{all, bare, all}, 2, 2, false},
		"one has the data only":  {[]messages.SyncResult{bare, data, bare}, 0, 1, false},
		"enough have one":        {[]messages.SyncResult{bare, data, bare}, 2, 1, true},
		"too few could be asked": {[]messages.SyncResult{bare, {}, {}}, 2, 0, false},
	} {
		r := NewRevert(1, nodes(1, 3, 1), held, c.need, false)
		for _, a := range c.answers {
			step, _ := r.Next()
			r.Pushed(step.Node, a)
		}
		files, _ := r.MayGo()
		if waits := slices.Contains(r.Waiting()["h"], "2.meta"); files.Count() != c.goes || waits != c.waits {
			t.Errorf("%s: %v may go, %v waits", what, files, r.Waiting())
		}
	}
	r := NewRevert(1, nodes(1, 1, 1), held, 0, false)
	step, _ := r.Next()
	r.Pushed(step.Node, messages.SyncResult{OK: true, Waiting: messages.Files{"h": {"3.meta"}, "other": {"1.meta"}}})
	if got := r.Waiting(); got.Count() != 0 {
		t.Errorf("%v waits, though it was not listed", got)
	}
}
