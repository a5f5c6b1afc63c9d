package interop

import (
	"slices"
	"testing"

	"understudy/internal/cluster"
)

// TestReweight changes a ring as an operator does: of each partition one replica moves
// at the most, none is left on a device that is out, and one that comes back gets some.
func TestReweight(t *testing.T) {
	t.Parallel()
	ctx := deadline(t)
	c := newCluster(t, ctx, cluster.Spec{Nodes: 4, Devices: 2})
	weights := map[cluster.Device]float64{}
	for _, n := range c.Nodes {
		for _, name := range n.Devices {
			weights[cluster.Device{IP: n.IP, Name: name}] = 100
		}
	}
	out := cluster.Device{IP: c.Nodes[2].IP, Name: "d1"}
	turn := func(seed uint32) [][]cluster.Device {
		t.Helper()
		if err := c.Reweight(ctx, 0, weights, seed); err != nil {
			t.Fatal(err)
		}
		primaries, err := c.Primaries(ctx, 0)
		if err != nil {
			t.Fatal(err)
		}
		return primaries
	}
	before := turn(1)
	delete(weights, out)
	without := turn(2)
	weights[out] = 100
	after := turn(3)
	left, came := 0, 0
	for part := range before {
		if moved(before[part], without[part]) > 1 || moved(without[part], after[part]) > 1 {
			t.Errorf("partition %d went from %v to %v to %v", part, before[part], without[part], after[part])
		}
		if slices.Contains(without[part], out) {
			t.Errorf("partition %d is still on the device that is out", part)
		}
		if slices.Contains(before[part], out) {
			left++
		}
		if slices.Contains(after[part], out) {
			came++
		}
	}
	if left == 0 || came == 0 {
		t.Errorf("the device had %d partitions, and has %d after it came back", left, came)
	}
}

// moved counts the devices that are new.
func moved(from, to []cluster.Device) int {
	n := 0
	for _, d := range to {
		if !slices.Contains(from, d) {
			n++
		}
	}
	return n
}
