package inspect

import (
	"math"
	"math/bits"
	"slices"

	"understudy/internal/swift/ring"
)

// Ring is what a ring file says, and how well its partitions are spread.
type Ring struct {
	Path       string       `json:"path"`
	Version    int64        `json:"version"` // of the builder; 0: the file has none
	PartPower  int          `json:"part_power"`
	NextPower  *int         `json:"next_part_power"` // null: no increase is under way
	Partitions uint32       `json:"partitions"`
	Replicas   float64      `json:"replicas"`
	Balance    float64      `json:"balance"` // percent that the worst device is off
	Devices    []RingDevice `json:"devices"`

	Partition *uint32  `json:"partition,omitempty"` // that was asked about
	Primaries []Member `json:"primaries,omitempty"`
	Handoffs  []Member `json:"handoffs,omitempty"` // in order, the first of them
}

// RingDevice is one device of a ring.
type RingDevice struct {
	Member
	Weight     float64  `json:"weight"`
	Partitions int      `json:"partitions"`
	Balance    *float64 `json:"balance"` // percent more than by weight; null for weight 0
	Meta       string   `json:"meta,omitempty"`
}

// Member is a device where a partition lives.
type Member struct {
	ID              int    `json:"id"`
	Region          int    `json:"region"`
	Zone            int    `json:"zone"`
	IP              string `json:"ip"`
	Port            int    `json:"port"`
	ReplicationIP   string `json:"replication_ip"`
	ReplicationPort int    `json:"replication_port"`
	Device          string `json:"device"`
	Local           bool   `json:"local"`
}

// ReadRing describes a ring. local are the devices of this node, if they are known.
// Each device's partitions are counted, which goes through the whole ring.
func ReadRing(path string, r *ring.Ring, local []*ring.Device) *Ring {
	out := &Ring{
		Path: path, Version: r.Version(), PartPower: bits.Len32(r.Partitions()) - 1, Partitions: r.Partitions(),
		Replicas: r.ReplicaCount(), Devices: []RingDevice{},
	}
	if next, ok := r.NextPartPower(); ok {
		out.NextPower = &next
	}
	counts := make([]int, len(r.Devices()))
	total, weights := 0, 0.0
	var nodes []*ring.Device
	for part := range r.Partitions() {
		nodes = r.AppendPartNodes(nodes[:0], part)
		for _, d := range nodes {
			counts[d.ID]++
		}
		total += len(nodes)
	}
	for _, d := range r.Devices() {
		if d != nil && d.Weight > 0 {
			weights += d.Weight
		}
	}
	for _, d := range r.Devices() {
		if d == nil {
			continue
		}
		one := RingDevice{Member: memberOf(d, local), Weight: d.Weight, Partitions: counts[d.ID], Meta: d.Meta}
		// Swift: common/ring/builder.py get_balance, _build_balance_per_dev.
		if fair := d.Weight / weights * float64(total); d.Weight > 0 && fair > 0 {
			off := 100*float64(counts[d.ID])/fair - 100
			one.Balance = &off
			out.Balance = max(out.Balance, math.Abs(off))
		}
		out.Devices = append(out.Devices, one)
	}
	return out
}

// Find adds where a partition lives. It is false when the ring has no such partition.
func (out *Ring) Find(r *ring.Ring, part uint32, local []*ring.Device) bool {
	if part >= r.Partitions() {
		return false
	}
	out.Partition = &part
	for _, d := range r.PartNodes(part) {
		out.Primaries = append(out.Primaries, memberOf(d, local))
	}
	for d := range r.MoreNodes(part) {
		if len(out.Handoffs) == len(out.Primaries) {
			break
		}
		out.Handoffs = append(out.Handoffs, memberOf(d, local))
	}
	return true
}

func memberOf(d *ring.Device, local []*ring.Device) Member {
	return Member{
		ID: d.ID, Region: d.Region, Zone: d.Zone, IP: d.IP, Port: d.Port,
		ReplicationIP: d.ReplicationIP, ReplicationPort: d.ReplicationPort, Device: d.Device, Local: slices.Contains(local, d),
	}
}
