package lab

import (
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"understudy/internal/scenario"
	"understudy/internal/swift/hashpath"
	"understudy/internal/swift/ring"
	"understudy/internal/swift/timestamp"
)

// Told makes the world that a scenario tells of. The seed draws names, contents, places
// and the rings.
func Told(s *scenario.Scenario, seed uint64, now time.Time) (*World, error) {
	w := &World{Seed: seed, Now: now, Options: map[string]string{
		"sync_method": s.Cluster.Method, "reclaim_age": strconv.Itoa(int(ReclaimAge / time.Second)),
	}}
	for _, o := range s.Cluster.Options {
		w.Options[o.Name] = o.Value
	}
	d := dice{seed}
	w.tellNodes(s.Cluster)
	if err := w.tellPolicies(d, s.Cluster); err != nil {
		return nil, err
	}
	for line, o := range s.Data {
		for i := range o.Count {
			if err := w.tellObject(d.of("told %d %d", line, i), o); err != nil {
				return nil, fmt.Errorf("%s: %w", o, err)
			}
		}
	}
	return w, nil
}

func (w *World) tellNodes(c scenario.Cluster) {
	for number := 1; number <= c.Nodes; number++ {
		n := WorldNode{Number: number, Region: 1, Zone: number}
		for _, r := range c.Regions {
			if scenario.Match(r.Nodes, n.Name()) {
				n.Region = r.Region
			}
		}
		for device := 1; device <= c.Devices; device++ {
			n.Devices = append(n.Devices, "d"+strconv.Itoa(device))
		}
		w.Nodes = append(w.Nodes, n)
	}
}

// Name is what scenarios call the node.
func (n WorldNode) Name() string { return "n" + strconv.Itoa(n.Number) }

// Name is what scenarios call the device: n1/d2.
func (s Spot) Name() string { return "n" + strconv.Itoa(s.Node) + "/" + s.Device }

func (w *World) tellPolicies(d dice, c scenario.Cluster) error {
	for i := range c.Policies {
		p := &WorldPolicy{Index: i, Name: []string{"gold", "silver", "bronze"}[i], spots: w.Spots()}
		p.Ring = RingSpec{PartPower: c.PartPower, Replicas: c.Replicas, Seed: d.of("ring %s", p.Name).Uint64(), Version: 1}
		for id, s := range p.spots {
			weight := 100.0
			for _, one := range c.Weights {
				if scenario.Match(one.Devices, s.Name()) {
					weight = one.Weight
				}
			}
			if weight != scenario.Out {
				p.Ring.Devices = append(p.Ring.Devices, w.ringDevice(id, s, weight))
			}
		}
		if err := p.balance(); err != nil {
			return fmt.Errorf("make ring of policy %s: %w", p.Name, err)
		}
		w.Policies = append(w.Policies, p)
	}
	return nil
}

func (w *World) ringDevice(id int, s Spot, weight float64) ring.Device {
	n := w.Nodes[s.Node-1]
	return ring.Device{ID: id, Region: n.Region, Zone: n.Zone, Device: s.Device, Weight: weight, IP: strconv.Itoa(s.Node)}
}

// Reweigh changes weights in all rings and balances them anew.
func (w *World) Reweigh(devices string, weight float64) error {
	for _, p := range w.Policies {
		p.Ring.Version++
		for id, s := range p.spots {
			if !scenario.Match(devices, s.Name()) {
				continue
			}
			is := func(d ring.Device) bool { return d.ID == id }
			p.Ring.Devices = slices.DeleteFunc(p.Ring.Devices, is)
			if weight != scenario.Out {
				p.Ring.Devices = append(p.Ring.Devices, w.ringDevice(id, s, weight))
			}
		}
		if err := p.balance(); err != nil {
			return fmt.Errorf("change ring of policy %s: %w", p.Name, err)
		}
	}
	return nil
}

// tellObject makes an object that has lived a life.
func (w *World) tellObject(rng *rand.Rand, told scenario.Objects) error {
	o := w.newObject(w.Policies[told.Policy])
	l := &life{rng: rng, object: o}
	places := newPlaces(rng, w, o)
	for i, deed := range told.Life {
		spots, err := places.of(deed)
		if err != nil {
			return err
		}
		if deed.Age == 0 { // a harm
			for _, s := range spots {
				w.Harms = append(w.Harms, Harm{o, s, deed.Verb})
			}
			continue
		}
		op := l.told(deed.Verb, at(w.Now.Add(-deed.Age), i), told)
		for _, s := range spots {
			l.apply(op, s)
		}
		l.buried = l.buried || deed.Verb == "delete" && deed.Age > ReclaimAge
	}
	var all []string
	for _, files := range o.Copies {
		all = append(all, files...)
	}
	if len(all) == 0 {
		return fmt.Errorf("nobody has taken it")
	}
	o.Want = stateOf(all)
	o.Loose = o.Want.Tombstone != "" && l.buried
	w.Objects = append(w.Objects, o)
	return nil
}

// newObject is an object that nobody has written yet.
func (w *World) newObject(p *WorldPolicy) *WorldObject {
	serial := w.serial
	w.serial++
	account, container, object := "AUTH_lab", containers[serial%len(containers)], fmt.Sprintf(names[serial%len(names)], serial)
	sum := worldHasher.Hash(account, container, object)
	return &WorldObject{
		Policy: p, Name: "/" + account + "/" + container + "/" + object,
		Partition: hashpath.Partition(sum, uint(32-p.Ring.PartPower)),
		Suffix:    hashpath.Suffix(sum), Hash: hex.EncodeToString(sum[:]),
		Files: map[string]*File{}, Copies: map[Spot][]string{}, Notes: map[string]string{}, Types: map[string]string{},
	}
}

// told makes a request of a scenario.
func (l *life) told(verb string, at timestamp.Timestamp, o scenario.Objects) op {
	made := op{verb: strings.ToUpper(verb), at: at}
	switch verb {
	case "put":
		made.data = l.uploadOf(at, o.Least+l.rng.IntN(o.Most-o.Least+1))
	case "post":
		made.note = l.word(notes)
	}
	return made
}

// at is a time in Swift's form; a few of one instant differ by their serial.
func at(t time.Time, serial int) timestamp.Timestamp {
	ts, err := timestamp.FromTime(t)
	if err != nil {
		return timestamp.Timestamp{Raw: int64(serial)} // before the epoch: Swift has no earlier time
	}
	ts.Raw += int64(serial)
	return ts
}

// places chooses devices of one object, for all of its life in the same order.
type places struct{ primaries, handoffs []Spot }

func newPlaces(rng *rand.Rand, w *World, o *WorldObject) places {
	p := places{primaries: slices.Clone(o.Policy.Primaries(o.Partition))}
	for _, s := range w.Spots() {
		if o.Policy.In(s) && !slices.Contains(p.primaries, s) {
			p.handoffs = append(p.handoffs, s)
		}
	}
	for _, all := range [][]Spot{p.primaries, p.handoffs} {
		rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	}
	return p
}

func (p places) of(d scenario.Deed) (spots []Spot, err error) {
	for _, share := range d.On {
		from := p.primaries
		if share.Away {
			from = p.handoffs
		}
		if d.Except != "" {
			from = slices.DeleteFunc(slices.Clone(from), func(s Spot) bool {
				return scenario.Match(d.Except, s.Name()) || scenario.Match(d.Except, "n"+strconv.Itoa(s.Node))
			})
		}
		if share.Count > len(from) {
			return nil, fmt.Errorf("%s: partition has only %d such devices", share, len(from))
		}
		if share.Count > 0 {
			from = from[:share.Count]
		}
		spots = append(spots, from...)
	}
	return spots, nil
}
