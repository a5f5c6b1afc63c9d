package lab

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"

	"understudy/internal/swift/ring"
)

// place fills the table of a ring: rows of device ids by partition, the last row
// shorter when the number of replicas is not whole.
//
// Every region, zone, address and device wants a share of each partition's
// copies: its part of the weights. A partition gives each of them its share
// rounded down or up, so copies lie as far apart as the weights allow, and who is
// rounded up is whoever has so far got the least of what it wanted.
func (s RingSpec) place(devices []*ring.Device) [][]uint16 {
	parts := 1 << s.PartPower
	least := int(s.Replicas)
	longer := int(float64(parts) * (s.Replicas - float64(least))) // partitions with one more copy
	rows := make([][]uint16, least, least+1)
	for i := range rows {
		rows[i] = make([]uint16, parts)
	}
	if longer > 0 {
		rows = append(rows, make([]uint16, longer))
	}
	top := newTier(devices)
	rng := rand.New(rand.NewPCG(s.Seed, 0))
	if longer > 0 {
		top.want(devices, least+1)
	}
	var ids []uint16
	for part := range parts {
		n := least
		if part < longer {
			n++
		}
		if part == longer {
			top.want(devices, least)
		}
		ids = top.give(n, rng, ids[:0])
		rng.Shuffle(len(ids), func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
		for row, id := range ids {
			rows[row][part] = id
		}
	}
	return rows
}

// tier is a device, or what holds devices: an address, a zone, a region, the ring.
type tier struct {
	below []*tier // nil: a device
	id    int     // of the device
	share int64   // of one partition that it wants
	owed  int64   // what it wanted so far and did not get
	got   int     // copies of the partition at hand
	draw  int64   // who is rounded up first
}

// one is one copy, in the unit of shares: whole numbers, so that shares add
// up exactly whatever the weights are.
const one = 1 << 32

func newTier(devices []*ring.Device) *tier {
	top := &tier{}
	type key struct {
		level, region, zone int
		ip                  string
	}
	known := map[key]*tier{}
	child := func(parent *tier, k key) *tier {
		if known[k] == nil {
			known[k] = &tier{}
			parent.below = append(parent.below, known[k])
		}
		return known[k]
	}
	for id, d := range devices {
		if d == nil || d.Weight == 0 {
			continue
		}
		region := child(top, key{1, d.Region, 0, ""})
		zone := child(region, key{2, d.Region, d.Zone, ""})
		address := child(zone, key{3, d.Region, d.Zone, d.IP})
		address.below = append(address.below, &tier{id: id})
	}
	return top
}

// want sets the shares for partitions of n copies. No device wants more than
// one copy of a partition unless there are fewer devices than copies.
func (t *tier) want(devices []*ring.Device, n int) {
	var byWeight []*ring.Device
	for _, d := range devices {
		if d != nil && d.Weight > 0 {
			byWeight = append(byWeight, d)
		}
	}
	slices.SortStableFunc(byWeight, func(a, b *ring.Device) int { return cmp.Compare(b.Weight, a.Weight) })
	rest := make([]float64, len(byWeight)+1) // the weight from here to the lightest
	for i := len(byWeight) - 1; i >= 0; i-- {
		rest[i] = rest[i+1] + byWeight[i].Weight
	}
	least, most := int64(0), int64(one)
	if len(byWeight) <= n {
		least, most = one, math.MaxInt64
	}
	left := int64(n)*one - int64(len(byWeight))*least
	share := make(map[int]int64, len(byWeight))
	for i, d := range byWeight { // what the heavy cannot take goes to the others
		k := left
		if i < len(byWeight)-1 {
			k = int64(d.Weight / rest[i] * float64(left))
		}
		k = min(k, most)
		share[d.ID] = least + k
		left -= k
	}
	t.set(share)
}

func (t *tier) set(share map[int]int64) {
	if t.below == nil {
		t.share = share[t.id]
		return
	}
	t.share = 0
	for _, b := range t.below {
		b.set(share)
		t.share += b.share
	}
}

// give hands n copies of a partition, t's share rounded down or up, to the
// devices below. Shares add up exactly, so the rounded ones can as well.
func (t *tier) give(n int, rng *rand.Rand, ids []uint16) []uint16 {
	if t.below == nil {
		for range n {
			ids = append(ids, uint16(t.id))
		}
		return ids
	}
	spare := n
	var uneven []*tier
	for _, b := range t.below {
		b.got = int(b.share / one)
		spare -= b.got
		b.owed += b.share - int64(b.got)*one
		if b.share%one != 0 {
			b.draw = b.owed + rng.Int64N(one/2)
			uneven = append(uneven, b)
		}
	}
	slices.SortStableFunc(uneven, func(a, b *tier) int { return cmp.Compare(b.draw, a.draw) })
	for _, b := range uneven[:spare] {
		b.got++
		b.owed -= one
	}
	for _, b := range t.below {
		ids = b.give(b.got, rng, ids)
	}
	return ids
}
