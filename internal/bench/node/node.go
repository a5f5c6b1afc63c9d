// Package node makes one storage node of many disks and up to a million partitions,
// alone with peers that agree with whatever it has. Test clusters of real servers are
// in internal/cluster; what is measured here is too large for them.
package node

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"

	"understudy/internal/lab"
	"understudy/internal/swift/ring"
)

// Spec says what to build.
type Spec struct {
	Base       string // parent of the node's folder
	Disks      int
	Partitions int // on each disk
	Cached     bool
	Options    map[string]string // of [object-replicator]

	// LocalCopies is how many of the three copies of a partition lie on this node, on
	// average: a little more than one where the ring has fewer partitions than are
	// asked for. 0 stands for exactly one.
	LocalCopies float64
}

// Node is a storage node. The partitions on its disks are its own by the ring.
type Node struct {
	Root  string
	Peers *Peers
	Log   *Log

	spec    Spec
	held    [][]uint32 // by disk: its partitions
	mounted bool       // Root is a tmpfs of its own
}

// maxPartPower is the most that the lab writes.
const maxPartPower = 20

// New builds a node. The peers answer from then on.
func New(spec Spec) (_ *Node, err error) {
	root, err := os.MkdirTemp(spec.Base, "understudy-node-")
	if err != nil {
		return nil, fmt.Errorf("make the node's folder: %w", err)
	}
	n := &Node{Root: root, spec: spec}
	defer func() {
		if err != nil {
			err = errors.Join(err, n.Close())
		}
	}()
	if err := os.Chmod(root, 0o755); err != nil {
		return nil, fmt.Errorf("open the node's folder: %w", err)
	}
	if err := n.roomy(); err != nil {
		return nil, err
	}
	for _, dir := range []string{"etc", "srv", "cache"} {
		if err := os.Mkdir(n.path(dir), 0o755); err != nil {
			return nil, fmt.Errorf("make the node's folder: %w", err)
		}
	}
	if n.Log, err = listenLog(n.path("log")); err != nil {
		return nil, err
	}
	if n.Peers, err = listen(agreed); err != nil {
		return nil, err
	}
	if err := n.place(); err != nil {
		return nil, err
	}
	if err := n.configure(nil); err != nil {
		return nil, err
	}
	return n, n.fill()
}

// Close removes the node. What runs on it must have ended.
func (n *Node) Close() error {
	n.Peers.close()
	n.Log.close()
	if n.mounted {
		if err := unix.Unmount(n.Root, unix.MNT_DETACH); err != nil {
			return fmt.Errorf("remove the node: %w", err)
		}
	}
	if err := os.RemoveAll(n.Root); err != nil {
		return fmt.Errorf("remove the node: %w", err)
	}
	return nil
}

func (n *Node) path(sub string) string { return filepath.Join(n.Root, sub) }

// Disk is the root of a disk, counted from 0.
func (n *Node) Disk(disk int) string { return n.path("srv/" + diskName(disk)) }

// Partitions are those of a disk.
func (n *Node) Partitions(disk int) []uint32 { return n.held[disk] }

// Total is the number of partitions on all disks.
func (n *Node) Total() int { return n.spec.Disks * n.spec.Partitions }

func diskName(disk int) string { return fmt.Sprintf("d%d", disk+1) }

// place writes a ring in which this node's disks have their partitions, two other
// nodes the other copies, and reads from it which are whose.
func (n *Node) place() error {
	power := 1
	for copies := max(n.spec.LocalCopies, 1); float64(int(1)<<power)*copies < 1.02*float64(n.Total()) && power < maxPartPower; {
		power++
	}
	path := n.path("etc/object.ring.gz")
	if err := lab.WriteRing(path, lab.RingSpec{PartPower: power, Replicas: 3, Devices: n.devices(), Seed: 7, Version: 1}); err != nil {
		return err
	}
	r, err := ring.Load(path)
	if err != nil {
		return err
	}
	n.held = make([][]uint32, n.spec.Disks)
	for part := range r.Partitions() {
		for _, d := range r.PartNodes(part) {
			if d.ID < n.spec.Disks && len(n.held[d.ID]) < n.spec.Partitions {
				n.held[d.ID] = append(n.held[d.ID], part)
			}
		}
	}
	for disk, held := range n.held {
		if len(held) < n.spec.Partitions {
			return fmt.Errorf("place %d partitions on %s: the ring has only %d for it", n.spec.Partitions, diskName(disk), len(held))
		}
	}
	return nil
}

func (n *Node) devices() []ring.Device {
	device := func(id, zone int, name string, weight float64) ring.Device {
		ip, port := n.Peers.address(zone - 1)
		return ring.Device{
			ID: id, Region: 1, Zone: zone, IP: ip, Port: port,
			ReplicationIP: ip, ReplicationPort: port, Device: name, Weight: weight,
		}
	}
	local := max(n.spec.LocalCopies, 1)
	var all []ring.Device
	for i := range n.spec.Disks {
		all = append(all, device(i, 1, diskName(i), 1))
	}
	theirs := float64(n.spec.Disks) * (3 - local) / local / 2
	return append(all, device(len(all), 2, "d1", theirs), device(len(all)+1, 3, "d1", theirs))
}

// swiftIDs are those of the daemons' user.
func swiftIDs() (uid, gid int, err error) {
	u, err := user.Lookup("swift")
	if err != nil {
		return 0, 0, fmt.Errorf("look up the user of the Swift packages: %w", err)
	}
	uid, uidErr := strconv.Atoi(u.Uid)
	gid, gidErr := strconv.Atoi(u.Gid)
	return uid, gid, errors.Join(uidErr, gidErr)
}

// roomy gives the folder a tmpfs of its own where its parent is on one: that has not
// inodes enough for a million partitions, and is shared.
func (n *Node) roomy() error {
	var s unix.Statfs_t
	if err := unix.Statfs(n.Root, &s); err != nil {
		return fmt.Errorf("look at %s: %w", n.Root, err)
	}
	if s.Type != unix.TMPFS_MAGIC {
		return nil
	}
	if err := unix.Mount("bench", n.Root, "tmpfs", 0, "nr_inodes=0,mode=755"); err != nil {
		return fmt.Errorf("mount a tmpfs: %w", err)
	}
	n.mounted = true
	return nil
}
