package simfs

import (
	"maps"
	"math/rand/v2"
	"slices"
)

// Crash cuts the power: what was not synced is lost, but for a part that had
// reached the disk by itself. Changes of directories do so in their order, as by a
// journal; percent is how likely each one was to do so after the one before, and each
// file's content to be whole. Files open before are of no use afterwards; the machine
// must be given up.
func (d *Disk) Crash(percent int, rng *rand.Rand) {
	for _, c := range d.log {
		if rng.IntN(100) >= percent {
			break
		}
		c.commit()
	}
	d.log = nil
	d.used = 0
	d.recover(d.root, percent, rng, map[*inode]bool{})
}

// recover makes what is durable what is seen.
func (d *Disk) recover(n *inode, percent int, rng *rand.Rand, seen map[*inode]bool) {
	n.lock, n.opens, n.lost = nil, 0, false
	if !n.isDir() {
		if !seen[n] {
			seen[n], n.links = true, 0
			n.settle(percent, rng)
			n.room, n.kept = int64(len(n.data)), 0
			d.used += n.room
		}
		n.links++
		return
	}
	n.links = 1
	n.entries = maps.Clone(n.safe.entries)
	for _, name := range sortedNames(n.entries) {
		child := n.entries[name]
		if child.isDir() {
			child.parent = n
		}
		d.recover(child, percent, rng, seen)
	}
}

// settle is what a power cut makes of a file.
func (n *inode) settle(percent int, rng *rand.Rand) {
	if !n.clean() {
		switch {
		case rng.IntN(100) < percent: // all of it had been written
		case !n.safe.written && rng.IntN(2) == 0: // its size, but not its blocks
			n.data = make([]byte, len(n.data))
			n.attrs = maps.Clone(n.safe.attrs)
		case !n.safe.written: // a file without content
			n.data, n.attrs = nil, maps.Clone(n.safe.attrs)
		default:
			n.data, n.attrs = n.safe.data, maps.Clone(n.safe.attrs)
		}
	}
	if n.attrs == nil {
		n.attrs = map[string][]byte{}
	}
	n.data = slices.Clone(n.data)
	n.sync()
}

func sortedNames(m map[string]*inode) []string { return slices.Sorted(maps.Keys(m)) }
