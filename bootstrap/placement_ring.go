package bootstrap

import (
	"iter"
	"slices"

	"understudy/internal/swift/ring"
	"understudy/messages"
)

// placedRing is a ring as the engine sees it. It implements messages.Ring and is
// immutable: the slices of Devices and Local are shared by all who ask.
type placedRing struct {
	ring    *ring.Ring
	byID    []messages.Node // Index -1; zero for a removed device
	devices []messages.Node // in order of id
	local   []messages.Node
}

var _ messages.Ring = (*placedRing)(nil)

func newPlacedRing(r *ring.Ring) *placedRing {
	p := &placedRing{ring: r, byID: make([]messages.Node, len(r.Devices()))}
	for id, d := range r.Devices() {
		if d == nil {
			continue
		}
		p.byID[id] = messages.Node{
			ID: d.ID, Region: d.Region, Zone: d.Zone, IP: d.IP, Port: d.Port,
			ReplicationIP: d.ReplicationIP, ReplicationPort: d.ReplicationPort,
			Device: d.Device, Meta: d.Meta, Index: -1,
		}
		p.devices = append(p.devices, p.byID[id])
	}
	p.devices = slices.Clip(p.devices)
	return p
}

// withLocal is the same ring with other local devices, or p itself if they are the same.
func (p *placedRing) withLocal(devices []*ring.Device) *placedRing {
	local := make([]messages.Node, len(devices))
	for i, d := range devices {
		local[i] = p.byID[d.ID]
	}
	if slices.Equal(local, p.local) {
		return p
	}
	other := *p
	other.local = local
	return &other
}

func (p *placedRing) Partitions() uint32 { return p.ring.Partitions() }

// Replicas implements messages.Ring.
func (p *placedRing) Replicas() float64 { return p.ring.ReplicaCount() }

// NextPartPower implements messages.Ring.
func (p *placedRing) NextPartPower() bool {
	_, set := p.ring.NextPartPower()
	return set
}

func (p *placedRing) Primaries(part uint32) []messages.Node {
	var buf [8]*ring.Device
	devices := p.ring.AppendPartNodes(buf[:0], part)
	if len(devices) == 0 {
		return nil
	}
	nodes := make([]messages.Node, len(devices))
	for i, d := range devices {
		nodes[i] = p.byID[d.ID]
		nodes[i].Index = i
	}
	return nodes
}

func (p *placedRing) Handoffs(part uint32) iter.Seq[messages.Node] {
	return func(yield func(messages.Node) bool) {
		for d := range p.ring.MoreNodes(part) {
			if !yield(p.byID[d.ID]) {
				return
			}
		}
	}
}

func (p *placedRing) Devices() []messages.Node { return p.devices }

func (p *placedRing) Local() []messages.Node { return p.local }
