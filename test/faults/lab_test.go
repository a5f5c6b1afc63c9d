package faults

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"understudy/internal/cluster"
	"understudy/test/faults/sick"
)

// partPower gives the first node's twelve disks five or six partitions each.
const partPower = 6

// lab is a cluster of which the first node runs our replicator. A group of tests
// shares it, one after the other; each writes objects of its own.
type lab struct {
	c         *cluster.Cluster
	node      *cluster.Node // the first
	primaries [][]cluster.Device
	history   cluster.History
	serial    int
	objects   []object               // of the present test
	serving   map[*cluster.Node]bool // nodes that were started late

	xfs  map[string]*sick.XFS
	fuse *sick.Fuse // the last disk, where there are disks
}

// object is one that only the first node has at first.
type object struct {
	op        cluster.Op
	partition int
	disk      string // the first node's, that is one of its primaries
}

// newLab makes a cluster that ends with the test. Nothing runs yet.
func newLab(t *testing.T, spec cluster.Spec) *lab {
	t.Helper()
	ctx := deadline(t)
	spec.Policies = []cluster.Policy{{Index: 0, Name: "gold", PartPower: partPower}}
	c, err := cluster.New(ctx, spec)
	must(t, err)
	t.Cleanup(func() {
		if t.Failed() {
			c.CloseAndKeep()
			t.Logf("kept %s", c.Root)
			return
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	l := &lab{c: c, node: c.Nodes[0], serving: map[*cluster.Node]bool{}}
	l.primaries, err = c.Primaries(ctx, 0)
	must(t, err)
	return l
}

// begin starts a test of the group, with objects of its own.
func (l *lab) begin() { l.objects = nil }

// lay writes objects on the first node alone: so many on each disk, in partitions of
// their own as far as there are enough. It returns when they are on the disks.
func (l *lab) lay(t *testing.T, size int, demand map[string]int) {
	t.Helper()
	var ops []cluster.Op
	taken := map[int]int{}
	for try := range 1 << 20 {
		if len(demand) == 0 {
			break
		}
		name := fmt.Sprintf("/AUTH_lab/c/o%d-%d", l.serial, try)
		part := cluster.Partition(name, partPower)
		disk := l.diskOf(part)
		if demand[disk] == 0 || taken[part] > try>>12 {
			continue // a second object of a partition only after a long search
		}
		taken[part]++
		if demand[disk]--; demand[disk] == 0 {
			delete(demand, disk)
		}
		op := cluster.Op{
			Kind: cluster.Put, Name: name, At: cluster.Timestamp(float64(time.Now().Unix()-3600)+float64(len(ops)), 0),
			Size: size, Body: l.serial<<16 + try, Copies: []int{0, 1, 2},
			Headers: map[string]string{"Content-Type": "text/plain"},
		}
		ops = append(ops, op)
		l.objects = append(l.objects, object{op, part, disk})
	}
	l.serial++
	var others []cluster.Device
	for _, n := range l.c.Nodes[1:] {
		for _, d := range n.Devices {
			others = append(others, cluster.Device{IP: n.IP, Name: d})
		}
	}
	_, err := l.c.Write(deadline(t), &l.history, ops, others...)
	must(t, err)
	for _, d := range l.xfs {
		must(t, d.Sync())
	}
}

// diskOf is the first node's primary of a partition, or "".
func (l *lab) diskOf(part int) string {
	for _, d := range l.primaries[part] {
		if d.IP == l.node.IP {
			return d.Name
		}
	}
	return ""
}

// file is where an object's data is on a device.
func (l *lab) file(d cluster.Device, o object) string {
	dir := l.c.Node(d.IP).HashDir(d.Name, 0, o.partition, o.op.Name)
	return filepath.Join(dir, o.op.At+".data")
}

// awaited counts, of the objects that are chosen, the copies that have still to reach
// primaries of other nodes. A nil choice is all of them.
func (l *lab) awaited(choose func(object, cluster.Device) bool) int {
	n := 0
	for _, o := range l.objects {
		for _, d := range l.primaries[o.partition] {
			if d.IP == l.node.IP && d.Name == o.disk || choose != nil && !choose(o, d) {
				continue
			}
			if _, err := os.Stat(l.file(d, o)); err != nil {
				n++
			}
		}
	}
	return n
}

// of chooses the objects of some disks.
func of(disks ...string) func(object, cluster.Device) bool {
	return func(o object, _ cluster.Device) bool { return slices.Contains(disks, o.disk) }
}

// notOf chooses the objects of all other disks.
func notOf(disk string) func(object, cluster.Device) bool {
	return func(o object, _ cluster.Device) bool { return o.disk != disk }
}

// nothingLost demands, after all tests of a group, that every object that was ever
// written is whole on all of its primaries, by Swift's own reading.
func (l *lab) nothingLost(t *testing.T) {
	t.Helper()
	if t.Failed() {
		return // what has not arrived has been told
	}
	wrong, err := l.c.CheckObjects(deadline(t), &l.history)
	must(t, err)
	for _, why := range wrong {
		t.Error(why)
	}
}
