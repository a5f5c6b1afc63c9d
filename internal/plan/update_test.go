package plan

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"understudy/messages"
)

func nodes(from, n, region int) (out []messages.Node) {
	for i := from; i < from+n; i++ {
		out = append(out, messages.Node{ID: i, Region: region, ReplicationIP: fmt.Sprint("10.0.0.", i), Device: fmt.Sprint("d", i)})
	}
	return out
}

// A model of the job: whatever the peers answer, the decisions keep to the rules
// that make replication safe and Swift's numbers true.
func TestUpdateKeepsItsRules(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		primaries := rapid.IntRange(0, 5).Draw(t, "primaries")
		spare := rapid.IntRange(0, 4).Draw(t, "spare")
		reserve := rapid.IntRange(0, 4).Draw(t, "handoff_delete")
		peers := nodes(1, primaries, 1)
		for i := range peers {
			peers[i].Region = rapid.IntRange(1, 3).Draw(t, "region")
		}
		handoffs := nodes(100, spare, 1)
		u := NewUpdate(1, slices.Clone(peers), func() []messages.Node { return handoffs }, reserve)
		u.Hashed(messages.HashReport{Hashes: messages.Hashes{"abc": "1"}, Hashed: 1})

		var asked []int
		unmounted, failed, ok, pushed := 0, 0, 0, map[int]int{}
		for {
			n, more := u.Next()
			if !more {
				break
			}
			if slices.Contains(asked, n.ID) {
				t.Fatalf("asked %d twice", n.ID)
			}
			if pushed[n.Region] > 0 && n.Region != 1 {
				t.Fatalf("asked a node of region %d, which has its copy", n.Region)
			}
			asked = append(asked, n.ID)
			switch rapid.SampledFrom([]string{"match", "push", "push fails", "507", "500"}).Draw(t, "answer") {
			case "match":
				u.Matched()
				ok++
			case "push":
				u.Pushing()
				u.Pushed(n, 1, true)
				pushed[n.Region]++
				ok++
			case "push fails":
				u.Pushing()
				u.Pushed(n, 1, false)
				failed++
			case "507":
				u.Unmounted(n)
				unmounted++
			case "500":
				u.Failed(n)
				failed++
			}
		}
		counts, nodes := u.Result()
		if counts.Failure != failed+unmounted {
			t.Errorf("failure %d, want %d", counts.Failure, failed+unmounted)
		}
		if counts.Success < ok {
			t.Errorf("success %d, but %d nodes were served", counts.Success, ok)
		}
		// Every primary is a target in the end, unless nobody was left to fall back on.
		if got := counts.Success + counts.Failure; !u.RanOut() && got < primaries {
			t.Errorf("%d targets for %d primaries", got, primaries)
		}
		// A node that is merely down is never replaced.
		if extra := counts.Success + counts.Failure - primaries; extra > unmounted {
			t.Errorf("%d handoffs for %d unmounted disks", extra, unmounted)
		}
		if reserve == 0 && !u.RanOut() && counts.Success+counts.Failure != primaries+unmounted {
			t.Errorf("%d targets, want %d primaries and one more for each of %d unmounted", counts.Success+counts.Failure, primaries, unmounted)
		}
		if (counts.Failure == 0) != (nodes == nil) {
			t.Errorf("failure nodes %v for %d failures", nodes, counts.Failure)
		}
		// Handoffs come in ring order.
		if later := slices.IndexFunc(asked, func(id int) bool { return id >= 100 }); later >= 0 && !slices.IsSorted(asked[later:]) {
			t.Errorf("handoffs out of order: %v", asked)
		}
	})
}

// With handoff_delete a further copy is made only while fewer than that many
// stand or may still be made; the local one counts.
func TestOverReplicationStopsAtHandoffDelete(t *testing.T) {
	for reserve, want := range map[int]int{0: 4, 1: 2, 2: 3, 3: 4, 4: 4} {
		u := NewUpdate(1, nodes(1, 2, 1), func() []messages.Node { return nodes(100, 3, 1) }, reserve)
		asked := 0
		for n, ok := u.Next(); ok; n, ok = u.Next() {
			if asked++; n.ID < 100 {
				u.Unmounted(n)
			} else {
				u.Matched()
			}
		}
		if asked != want {
			t.Errorf("handoff_delete %d: asked %d nodes, want %d", reserve, asked, want)
		}
	}
}

func TestBrokenJobFailsEveryTarget(t *testing.T) {
	u := NewUpdate(1, nodes(1, 3, 1), nil, 0)
	u.Next()
	u.Matched()
	u.Next()
	u.Broke()
	counts, failed := u.Result()
	if counts.Failure != 2 || counts.Success != 0 || len(failed) != 2 {
		t.Errorf("got %+v %v", counts, failed)
	}
}

// Numbers tell nodes apart by replication address and device name alone.
func TestNodesAreToldApartAsSwiftDoes(t *testing.T) {
	peers := nodes(1, 2, 1)
	peers[1] = peers[0]
	peers[1].ID, peers[1].ReplicationPort = 2, 6301
	u := NewUpdate(1, peers, nil, 0)
	for n, ok := u.Next(); ok; n, ok = u.Next() {
		u.Failed(n)
	}
	if counts, _ := u.Result(); counts.Failure != 1 {
		t.Errorf("failure %d, want 1", counts.Failure)
	}
}

// A node left for later comes again, and counts once.
func TestUpdateComesBackToLatecomers(t *testing.T) {
	peers := []messages.Node{{ID: 1, ReplicationIP: "a", Device: "d1"}, {ID: 2, ReplicationIP: "b", Device: "d2"}}
	u := NewUpdate(1, peers, nil, 0)
	first, _ := u.Next()
	u.Later(first)
	u.Next()
	u.Matched()
	if _, ok := u.Next(); ok || len(u.Latecomers()) != 1 {
		t.Fatal("the node left for later is asked at once, or forgotten")
	}
	if counts, _ := u.Result(); counts.Failure != 1 || counts.Success != 1 {
		t.Errorf("ended here: %+v", counts)
	}
	u.Again()
	if n, ok := u.Next(); !ok || n.ID != first.ID {
		t.Fatal("it does not come again")
	}
	u.Pushing()
	u.Pushed(first, 1, true)
	if _, ok := u.Next(); ok {
		t.Error("there is one more")
	}
	if counts, failures := u.Result(); counts.Failure != 0 || counts.Success != 2 || counts.Rsync != 1 || failures != nil {
		t.Errorf("got %+v %v", counts, failures)
	}
}
