package actors

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"understudy/messages"
)

// two is a view of two policies.
func two(version uint64, gold, silver *table) *messages.View {
	return &messages.View{Version: version, Policies: []messages.PolicyRing{
		{Policy: messages.Policy{Index: 0, Name: "gold"}, Ring: gold},
		{Policy: messages.Policy{Index: 1, Name: "silver"}, Ring: silver},
	}}
}

// byPolicy counts the jobs of each policy on a device.
func (w *world) byPolicy(device string) map[string]int {
	n := map[string]int{}
	for _, e := range w.happened() {
		var d, p string
		var number int
		if k, _ := fmt.Sscanf(e, "job %s %s %d", &d, &p, &number); k == 3 && d == device {
			n[p]++
		}
	}
	return n
}

// Rings change while the node works: a disk moves from one policy to another, one is
// added, one is taken away, and a partition's role changes with the weights. Nobody
// is restarted; every disk does what the newest rings say.
func TestDevicesFollowTheRings(t *testing.T) {
	with := func(local ...int) *table {
		r := threeCopies(12, 4, 0)
		r.local = local
		return r
	}
	inWorld(t, with(0), func(w *world) {
		w.opts.Once = false
		w.view = two(1, with(0, 1), with(1))
		w.list = func(context.Context, string, int) (messages.Listing, error) {
			return messages.Listing{Partitions: []uint32{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}}, nil
		}
		fine, holds := w.hashes, w.hold
		w.hashes = func(ctx context.Context, p messages.Partition, o messages.HashOptions) (messages.HashReport, error) {
			w.event("job %s policy-%d %d", p.Device, p.Policy, p.Number)
			return fine(ctx, p, o)
		}
		w.hold = func(ctx context.Context, p messages.Partition) (Hold, error) {
			w.event("job %s policy-%d %d", p.Device, p.Policy, p.Number)
			return holds(ctx, p)
		}
		w.start()
		time.Sleep(time.Minute)
		if d0, d1 := w.byPolicy("d0"), w.byPolicy("d1"); d0["policy-1"] > 0 || d0["policy-0"] == 0 || d1["policy-1"] == 0 || d1["policy-0"] == 0 {
			t.Fatalf("at first d0 did %v, d1 %v", d0, d1)
		}
		w.mu.Lock()
		w.events = nil
		w.polled = two(2, with(2), with(0))
		w.mu.Unlock()
		time.Sleep(16 * time.Second)
		w.mu.Lock()
		w.events = nil
		w.mu.Unlock()
		time.Sleep(2 * time.Minute)
		if d0 := w.byPolicy("d0"); d0["policy-0"] > 0 || d0["policy-1"] < 12 {
			t.Errorf("the disk that moved did %v", d0)
		}
		if d2 := w.byPolicy("d2"); d2["policy-0"] < 12 || d2["policy-1"] > 0 {
			t.Errorf("the new disk did %v", d2)
		}
		if d1 := w.byPolicy("d1"); len(d1) > 0 {
			t.Errorf("the disk that is gone did %v", d1)
		}
		var names []string
		for _, d := range w.snapshot().Devices {
			names = append(names, d.Device)
			if d.Restarts > 0 {
				t.Errorf("%s was restarted", d.Device)
			}
		}
		if got := strings.Join(names, " "); got != "d0 d2" {
			t.Errorf("devices %s", got)
		}
	})
}

// A listing that comes back after its device actor has crashed and a successor works
// reaches nobody: neither its pieces nor its end disturb the new one.
func TestLateListingReachesNobody(t *testing.T) {
	inWorld(t, everywhere(10), func(w *world) {
		w.opts.Once, w.opts.Interval = false, time.Hour
		old, lists := make(chan struct{}), 0
		w.stream = func(_ context.Context, _ string, each func(messages.Listing)) error {
			if lists++; lists == 1 {
				each(messages.Listing{Partitions: []uint32{1}})
				<-old
				each(messages.Listing{Partitions: []uint32{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}})
				return errDisk
			}
			each(messages.Listing{Partitions: []uint32{7, 8}})
			return nil
		}
		crashed := false
		w.deps.Middleware = append(w.deps.Middleware, crashOn(func(a actor.Actor, m any) bool {
			_, device := a.(*Device)
			_, done := m.(*messages.PartitionDone)
			if device && done && !crashed {
				crashed = true
				return true
			}
			return false
		}))
		w.start()
		time.Sleep(time.Minute)
		before := w.device("d0")
		close(old)
		time.Sleep(time.Minute)
		synctest.Wait()
		after := w.device("d0")
		if before.Done != 2 || after.Done != 2 || after.Jobs != 2 || after.State != messages.StateResting || after.Passes != 1 {
			t.Errorf("before %+v, after %+v", before, after)
		}
		if w.snapshot().Supervision.Late == 0 {
			t.Error("the late listing was not counted")
		}
	})
}
