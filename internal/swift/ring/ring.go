// Package ring reads Swift's ring files and answers where the copies of a
// partition live, in Swift's exact order.
//
// A Ring is immutable: every method is safe for concurrent use and does no I/O,
// except Local, which may resolve host names.
package ring

import (
	"fmt"

	"understudy/internal/swift/hashpath"
)

// Ring is the content of one ring file.
type Ring struct {
	version       int64
	partShift     uint
	partitions    uint32
	nextPartPower int // -1: none
	devices       []*Device
	table         table
	tiers         tiers
	stamp         Stamp
	hostnames     bool
}

// Stamp tells one state of a file from another without reading it.
type Stamp struct {
	MTime int64 // ns
	Size  int64
	Inode uint64
	Dev   uint64
}

// Stamp is the state of the file that the ring was read from, taken before the
// first byte was read.
func (r *Ring) Stamp() Stamp { return r.stamp }

// Version is the builder's version of the ring, 0 when the file has none.
func (r *Ring) Version() int64 { return r.version }

// Partitions is the number of partitions, a power of two.
func (r *Ring) Partitions() uint32 { return r.partitions }

// PartShift is 32 minus the part power.
func (r *Ring) PartShift() uint { return r.partShift }

// NextPartPower is set while the part power is being increased.
func (r *Ring) NextPartPower() (int, bool) {
	if r.nextPartPower < 0 {
		return 0, false
	}
	return r.nextPartPower, true
}

// ReplicaCount is the number of copies of a partition, on average.
// Swift: common/ring/ring.py calc_replica_count.
func (r *Ring) ReplicaCount() float64 {
	last := r.table.rows() - 1
	return float64(last) + float64(r.table.length(last))/float64(r.partitions)
}

// Devices are the devices of the ring by id; nil for a removed one. The slice
// belongs to the ring and must not be changed.
func (r *Ring) Devices() []*Device { return r.devices }

// Partition is the partition of a name hash.
func (r *Ring) Partition(md5 [16]byte) uint32 { return hashpath.Partition(md5, r.partShift) }

// PartNodes are the primary devices of a partition: in row order, each once, so
// that a position is Swift's primary index. It is nil for a partition that is
// not in the ring.
func (r *Ring) PartNodes(part uint32) []*Device { return r.AppendPartNodes(nil, part) }

// AppendPartNodes appends what PartNodes returns to nodes.
// Swift: common/ring/ring.py Ring._get_part_nodes.
func (r *Ring) AppendPartNodes(nodes []*Device, part uint32) []*Device {
	first := len(nodes)
next:
	for row := range r.table.rows() {
		id := r.table.at(row, part)
		if id == unassigned {
			continue
		}
		d := r.devices[id]
		for _, seen := range nodes[first:] {
			if seen == d {
				continue next
			}
		}
		nodes = append(nodes, d)
	}
	return nodes
}

// finish checks what was read and derives what lookups need.
func (r *Ring) finish() error {
	used, err := r.table.used(r.devices)
	if err != nil {
		return err
	}
	r.tiers = newTiers(r.devices, used)
	for _, d := range r.devices {
		if d != nil && !isIP(d.ReplicationIP) {
			r.hostnames = true
		}
	}
	return nil
}

// setPartShift derives the number of partitions.
func (r *Ring) setPartShift(shift *int) error {
	if shift == nil {
		return fmt.Errorf("the ring has no part_shift")
	}
	if *shift < 0 || *shift > 32 {
		return fmt.Errorf("the part_shift %d is not between 0 and 32", *shift)
	}
	if *shift < minPartShift {
		return fmt.Errorf("the part power %d is more than %d", 32-*shift, 32-minPartShift)
	}
	r.partShift = uint(*shift)
	r.partitions = 1 << (32 - r.partShift)
	return nil
}
