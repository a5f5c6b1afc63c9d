package lab

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"understudy/internal/swift/ring"
)

// WorldPolicy is one storage policy with its ring.
type WorldPolicy struct {
	Index   int
	Name    string
	Erasure bool // never replicated: a sealed place
	Ring    RingSpec

	spots []Spot     // by device id
	rows  [][]uint16 // of the table
}

// Dir is the name of the policy's directory on a device.
func (p *WorldPolicy) Dir() string { return indexed("objects", p.Index) }

// indexed writes a directory or ring name of a policy as Swift does: the first
// has no suffix.
func indexed(base string, index int) string {
	if index == 0 {
		return base
	}
	return base + "-" + strconv.Itoa(index)
}

// Partitions is how many there are.
func (p *WorldPolicy) Partitions() uint32 { return 1 << p.Ring.PartPower }

// Primaries are the devices that a partition belongs on, in ring order.
func (p *WorldPolicy) Primaries(part uint32) (spots []Spot) {
	for _, row := range p.rows {
		if int(part) < len(row) && !slices.Contains(spots, p.spots[row[part]]) {
			spots = append(spots, p.spots[row[part]])
		}
	}
	return spots
}

// In tells whether the ring knows a device.
func (p *WorldPolicy) In(s Spot) bool {
	id := slices.Index(p.spots, s)
	return slices.ContainsFunc(p.Ring.Devices, func(d ring.Device) bool { return d.ID == id })
}

func (w *World) drawNodes(d dice, spec WorldSpec) {
	rng := d.of("nodes")
	nodes, devices := 2+rng.IntN(4), 3
	if spec.Small {
		nodes, devices = 2+rng.IntN(3), 2
	}
	if spec.Nodes > 0 {
		nodes = spec.Nodes
	}
	regions := 1
	if chance(rng, 4) {
		regions = 2
	}
	zones := 1 + rng.IntN(nodes)
	for number := 1; number <= nodes; number++ {
		n := WorldNode{Number: number, Region: 1 + rng.IntN(regions), Zone: 1 + rng.IntN(zones)}
		for device := 1; device <= 1+rng.IntN(devices); device++ {
			n.Devices = append(n.Devices, "d"+strconv.Itoa(device))
		}
		w.Nodes = append(w.Nodes, n)
	}
	for node := 0; len(w.Spots()) < 3; node++ { // copies need room
		n := &w.Nodes[node]
		n.Devices = append(n.Devices, "d"+strconv.Itoa(len(n.Devices)+1))
	}
}

func (w *World) drawPolicies(d dice) {
	rng := d.of("policies")
	w.Policies = append(w.Policies, &WorldPolicy{Index: 0, Name: "gold"})
	if chance(rng, 3) {
		w.Policies = append(w.Policies, &WorldPolicy{Index: 1 + rng.IntN(3), Name: "silver"})
	}
	if chance(rng, 3) {
		w.Policies = append(w.Policies, &WorldPolicy{Index: 4 + rng.IntN(3), Name: "pieces", Erasure: true})
	}
	rng.Shuffle(len(w.Policies), func(i, j int) { w.Policies[i], w.Policies[j] = w.Policies[j], w.Policies[i] })
	for _, p := range w.Policies {
		w.drawRing(d.of("ring %s", p.Name), p)
	}
}

// drawRing draws who is in the ring, with which weight, and how many copies.
func (w *World) drawRing(rng *rand.Rand, p *WorldPolicy) {
	p.Ring = RingSpec{PartPower: pick(rng, []int{3, 3, 4, 4, 5, 6}), Seed: rng.Uint64(), Version: rng.Int64N(1000)}
	all := w.Spots()
	weighted, left := 0, len(all)
	for id, s := range all {
		left--
		weight := pick(rng, []float64{100, 100, 100, 200, 50, 0, -1}) // -1: not in the ring
		if weighted+left < 2 && weight <= 0 {
			weight = 100
		}
		p.spots = append(p.spots, s)
		if weight < 0 {
			p.spots[id] = Spot{}
			continue
		}
		if weight > 0 {
			weighted++
		}
		n := w.Nodes[s.Node-1]
		p.Ring.Devices = append(p.Ring.Devices, ring.Device{
			ID: id, Region: n.Region, Zone: n.Zone, Device: s.Device, Weight: weight, IP: strconv.Itoa(s.Node),
		})
	}
	p.Ring.Replicas = min(float64(weighted), pick(rng, []float64{2, 2.5, 3, 3, 3, 3, 3.25, 3.5}))
	if err := p.balance(); err != nil {
		panic(fmt.Sprintf("drew a ring that cannot be: %v", err))
	}
}

// balance places the partitions anew, after a change of Ring.
func (p *WorldPolicy) balance() error {
	devices, err := p.Ring.check()
	if err != nil {
		return err
	}
	p.rows = p.Ring.place(devices)
	return nil
}

// Reweigh gives one device of the ring another weight, and so partitions another
// home. It tells whether it found one to change. Files are written by WriteRings.
func (p *WorldPolicy) Reweigh(rng *rand.Rand) bool {
	weighted := 0
	for _, d := range p.Ring.Devices {
		if d.Weight > 0 {
			weighted++
		}
	}
	d := &p.Ring.Devices[rng.IntN(len(p.Ring.Devices))]
	weight := pick(rng, []float64{0, 50, 100, 200})
	if weight == d.Weight || weight == 0 && float64(weighted-1) < max(2, p.Ring.Replicas) {
		return false
	}
	d.Weight = weight
	p.Ring.Version++
	p.Ring.Seed = rng.Uint64()
	devices, err := p.Ring.check()
	if err != nil {
		panic(fmt.Sprintf("drew a ring that cannot be: %v", err))
	}
	p.rows = p.Ring.place(devices)
	return true
}

// Addresses tells where the object server of a node listens.
type Addresses func(node int) (ip string, port int)

// WriteRings writes the ring files of all policies into a folder. Who holds what
// does not depend on the addresses.
func (w *World) WriteRings(dir string, at Addresses) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("write rings: %w", err)
	}
	for _, p := range w.Policies {
		spec := p.Ring
		spec.Devices = slices.Clone(spec.Devices)
		for i := range spec.Devices {
			r := &spec.Devices[i]
			r.IP, r.Port = at(p.spots[r.ID].Node)
			r.ReplicationIP, r.ReplicationPort = r.IP, r.Port
		}
		if err := WriteRing(filepath.Join(dir, indexed("object", p.Index)+".ring.gz"), spec); err != nil {
			return err
		}
	}
	return nil
}

// SwiftConf is the world's swift.conf.
func (w *World) SwiftConf() string {
	var b strings.Builder
	fmt.Fprintf(&b, "[swift-hash]\nswift_hash_path_prefix = %s\nswift_hash_path_suffix = %s\n", worldPrefix, worldSuffix)
	for _, p := range w.Policies {
		fmt.Fprintf(&b, "\n[storage-policy:%d]\nname = %s\n", p.Index, p.Name)
		if p.Index == 0 {
			b.WriteString("default = yes\n")
		}
		if p.Erasure {
			b.WriteString("policy_type = erasure_coding\nec_type = liberasurecode_rs_vand\n" +
				"ec_num_data_fragments = 4\nec_num_parity_fragments = 2\n")
		}
	}
	return b.String()
}
