package ring

import (
	"crypto/md5"
	"encoding/binary"
	"iter"
	"strconv"
)

// The tiers above a device in which handoffs look for a place that has no copy
// yet, and the devices themselves. Swift: common/ring/utils tiers_for_dev.
const (
	region = iota
	zone
	address
	device
	levels
)

// tiers numbers the regions, zones, addresses and devices that have at least
// one partition; the others do not count. Swift: common/ring/ring.py
// Ring._update_bookkeeping.
type tiers struct {
	of    [][levels]uint32 // by device id
	count [levels]int
}

func newTiers(devices []*Device, used []bool) tiers {
	type tier struct {
		region, zone int
		ip           string
		id           int
	}
	t := tiers{of: make([][levels]uint32, len(devices))}
	var numbers [levels]map[tier]uint32
	for level := range levels {
		numbers[level] = map[tier]uint32{}
	}
	for id, d := range devices {
		if d == nil || !used[id] {
			continue
		}
		for level, key := range [levels]tier{
			{region: d.Region},
			{region: d.Region, zone: d.Zone},
			{region: d.Region, zone: d.Zone, ip: d.IP},
			{id: id},
		} {
			n, known := numbers[level][key]
			if !known {
				n = uint32(t.count[level])
				numbers[level][key] = n
				t.count[level]++
			}
			t.of[id][level] = n
		}
	}
	return t
}

// MoreNodes yields the handoffs of a partition in Swift's order: first devices
// of regions that have no copy, then of zones, then of addresses, then the rest.
// Devices without any partition are never yielded. It looks only as far as the
// caller goes on. Swift: common/ring/ring.py Ring.get_more_nodes.
func (r *Ring) MoreNodes(part uint32) iter.Seq[*Device] {
	return func(yield func(*Device) bool) {
		taken := newTaken(r.tiers.count)
		var buf [8]*Device
		for _, d := range r.AppendPartNodes(buf[:0], part) {
			taken.take(r.tiers.of[d.ID])
		}
		start := r.handoffStart(part)
		for level := range levels {
			if !r.walk(start, level, taken, yield) {
				return
			}
		}
	}
}

// handoffStart is where the search for a partition's handoffs begins.
func (r *Ring) handoffStart(part uint32) uint32 {
	var text [10]byte
	sum := md5.Sum(strconv.AppendUint(text[:0], uint64(part), 10))
	return binary.BigEndian.Uint32(sum[:]) >> r.partShift
}

// walk goes round the table from start and yields every device whose tier at
// level holds nothing yet, until no such tier is left. It reports whether the
// caller wants more. The second leg begins at inc, or in the same distance, so
// with inc = 1 it leaves out partition 0; so does Swift.
func (r *Ring) walk(start uint32, level int, taken *taken, yield func(*Device) bool) bool {
	parts := uint64(r.partitions)
	inc := max(1, parts/65536)
	from, to := uint64(start), parts
	for range 2 {
		for part := from; part < to; part += inc {
			if taken.full(level) {
				return true
			}
			for row := range r.table.rows() {
				id := r.table.at(row, uint32(part))
				if id == unassigned || !taken.take1(r.tiers.of[id], level) {
					continue
				}
				if !yield(r.devices[id]) {
					return false
				}
				if taken.full(level) {
					return true
				}
			}
		}
		from, to = inc-(parts-uint64(start))%inc, uint64(start)
	}
	return true
}

// taken is the set of tiers that hold a copy or a handoff yielded before.
type taken struct {
	sets  [levels][]uint64 // bits
	count [levels]int      // bits set
	of    [levels]int      // bits there are
}

func newTaken(of [levels]int) *taken {
	t := &taken{of: of}
	words := 0
	for _, n := range of {
		words += (n + 63) / 64
	}
	all := make([]uint64, words)
	for level, n := range of {
		n = (n + 63) / 64
		t.sets[level], all = all[:n], all[n:]
	}
	return t
}

func (t *taken) full(level int) bool { return t.count[level] == t.of[level] }

func (t *taken) has(level int, n uint32) bool { return t.sets[level][n/64]&(1<<(n%64)) != 0 }

// take marks a device and everything above it.
func (t *taken) take(at [levels]uint32) {
	for level, n := range at {
		if !t.has(level, n) {
			t.sets[level][n/64] |= 1 << (n % 64)
			t.count[level]++
		}
	}
}

// take1 takes a device if neither it nor its tier at level was taken before.
func (t *taken) take1(at [levels]uint32, level int) bool {
	if t.has(level, at[level]) || t.has(device, at[device]) {
		return false
	}
	t.take(at)
	return true
}
