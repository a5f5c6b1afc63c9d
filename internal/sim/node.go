package sim

import (
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"understudy/internal/lab"
	"understudy/internal/sim/simfs"
	"understudy/messages"
)

const (
	devicesRoot = "/srv/node"
	port        = 6200
	diskSize    = 64 << 20 // bytes
)

// node is a computer with disks.
type node struct {
	world   *world
	number  int
	name    string
	ip      string
	system  *simfs.Disk
	disks   []*disk
	cursors cursors
	boot    *boot // nil: off
	lives   int

	skew   time.Duration              // of its wall clock
	failed map[messages.Partition]int // pushes of handoffs, since some of them were given up last
}

// now is the wall clock of the node. The engine's own is the one that does not jump.
func (n *node) now() time.Time {
	n.world.mu.Lock()
	defer n.world.mu.Unlock()
	return time.Now().Add(n.skew)
}

// jump sets how wrong the wall clock is.
func (n *node) jump(skew time.Duration) {
	n.world.mu.Lock()
	defer n.world.mu.Unlock()
	n.skew = skew
}

// disk is a device of a node, and what is the matter with it.
type disk struct {
	node *node
	name string
	fs   *simfs.Disk
	rng  *rand.Rand

	unmounted bool
	errors    int           // calls in a thousand that fail with EIO
	writes    bool          // of them only those that change something
	hangs     chan struct{} // calls wait until it is closed; nil: they do not
	forgets   int           // so many of the next fsyncs fail, and what they were to keep is lost
	full      bool
}

func address(number int) string { return "10.0.0." + strconv.Itoa(number) }

func (w *world) addNode(n lab.WorldNode) {
	name := "n" + strconv.Itoa(n.Number)
	made := &node{
		world: w, number: n.Number, name: name, ip: address(n.Number), cursors: cursors{new(sync.Mutex), map[string]messages.Cursor{}},
		failed: map[messages.Partition]int{},
		system: simfs.NewDisk(name+" system", uint64(n.Number*100), diskSize),
	}
	for i, device := range n.Devices {
		made.disks = append(made.disks, &disk{
			node: made, name: device, fs: simfs.NewDisk(name+"/"+device, uint64(n.Number*100+i+1), diskSize),
			rng: w.source("disk " + name + "/" + device),
		})
	}
	w.nodes = append(w.nodes, made)
}

func (d *disk) path() string   { return devicesRoot + "/" + d.name }
func (d *disk) String() string { return d.node.name + "/" + d.name }

// disk is the mounted one that a path is on.
func (n *node) disk(path string) *disk {
	rest, ok := strings.CutPrefix(path, devicesRoot+"/")
	if !ok {
		return nil
	}
	name, _, _ := strings.Cut(rest, "/")
	for _, d := range n.disks {
		if d.name == name && d.mounted() {
			return d
		}
	}
	return nil
}

// befall is what happens to a call on the disk.
func (d *disk) befall(b *boot, c simfs.Call) error {
	wait, fails := d.state(c)
	if wait != nil {
		d.node.world.fault("disk: hang")
		<-wait
		if !b.alive() {
			return unix.EIO
		}
	}
	if fails {
		d.node.world.fault("disk: EIO")
		return unix.EIO
	}
	if d.forgetful(c) {
		d.node.world.fault("disk: fsync fails")
		return simfs.ErrLost
	}
	return nil
}

// forgetful tells whether an fsync of a file fails, once, as on a bad sector.
func (d *disk) forgetful(c simfs.Call) bool {
	if c.Op != "fsync" && c.Op != "fdatasync" {
		return false
	}
	d.node.world.mu.Lock()
	defer d.node.world.mu.Unlock()
	if d.forgets == 0 {
		return false
	}
	d.forgets--
	return true
}

// fill leaves so many bytes free.
func (d *disk) fill(room int64) {
	d.set(func() { d.full = true })
	d.fs.SetSize(d.fs.Used() + room)
}

func (d *disk) isFull() bool {
	d.node.world.mu.Lock()
	defer d.node.world.mu.Unlock()
	return d.full
}

func (n *node) device(name string) *disk {
	for _, d := range n.disks {
		if d.name == name {
			return d
		}
	}
	return nil
}

// state is what awaits a call on the disk.
func (d *disk) state(c simfs.Call) (wait chan struct{}, fails bool) {
	d.node.world.mu.Lock()
	defer d.node.world.mu.Unlock()
	return d.hangs, d.errors > 0 && (!d.writes || changes(c.Op)) && d.rng.IntN(1000) < d.errors
}

func (d *disk) mounted() bool {
	d.node.world.mu.Lock()
	defer d.node.world.mu.Unlock()
	return !d.unmounted
}

// set changes what is the matter with the disk.
func (d *disk) set(change func()) {
	d.node.world.mu.Lock()
	defer d.node.world.mu.Unlock()
	change()
}

// let lets calls that hang go.
func (d *disk) let() {
	d.set(func() {
		if d.hangs != nil {
			close(d.hangs)
			d.hangs = nil
		}
	})
}

// mend takes everything away that is the matter with the disk. What hangs goes on
// last: it must find all of it done.
func (d *disk) mend() {
	defer d.let()
	d.set(func() { d.errors, d.writes, d.forgets, d.full = 0, false, 0, false })
	d.fs.ReadOnly = false
	d.fs.SetSize(diskSize)
	if d.unmounted {
		d.set(func() { d.unmounted = false })
		if b := d.node.boot; b != nil {
			b.machine.Mount(d.path(), d.fs)
		}
	}
}
