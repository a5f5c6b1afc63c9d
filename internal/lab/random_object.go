package lab

import (
	"encoding/hex"
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strconv"

	"understudy/internal/swift/hashpath"
)

// WorldObject is one object: what every device was left with by the writes that
// reached it, and so what it must become.
type WorldObject struct {
	Policy    *WorldPolicy
	Name      string // /account/container/object
	Partition uint32
	Suffix    string
	Hash      string
	Files     map[string]*File  // all that was written and not superseded where it was
	Copies    map[Spot][]string // names of those files, by device
	Want      state             // of all these files together
	Notes     map[string]string // of the updates, by time
	Types     map[string]string // that updates have set, by time
	Loose     bool              // deleted longer ago than the reclaim age: it may be back, but everywhere
	Torn      []Spot            // primaries on which a power cut has emptied the newest files
}

// Dir is the object's directory on a device.
func (o *WorldObject) Dir() string {
	return filepath.Join(o.Policy.Dir(), strconv.FormatUint(uint64(o.Partition), 10), o.Suffix, o.Hash)
}

// Handoff tells whether a device is none of the object's primaries.
func (o *WorldObject) Handoff(s Spot) bool {
	return !slices.Contains(o.Policy.Primaries(o.Partition), s)
}

func (w *World) drawObjects(d dice, spec WorldSpec) {
	rng := d.of("objects")
	count := 20 + rng.IntN(41)
	if spec.Small {
		count = 10 + rng.IntN(11)
	}
	var replicated []*WorldPolicy
	for _, p := range w.Policies {
		if !p.Erasure {
			replicated = append(replicated, p)
		}
	}
	bare := map[Spot]bool{} // disks that were replaced: they have seen nothing yet
	for _, s := range w.Spots() {
		if chance(rng, 10) {
			bare[s] = true
		}
	}
	habits := habits{beyondASCII: chance(rng, 2), offsets: chance(rng, 2), plainPosts: spec.Ssync}
	for i := range count {
		w.drawObject(d.of("object %d", i), i, pick(rng, replicated), bare, habits)
	}
	if spec.Torn {
		w.tear(d.of("torn"))
	}
}

func (w *World) drawObject(rng *rand.Rand, serial int, policy *WorldPolicy, bare map[Spot]bool, h habits) {
	account, container, object := "AUTH_lab", pick(rng, containers), fmt.Sprintf(pick(rng, names), serial)
	sum := worldHasher.Hash(account, container, object)
	o := &WorldObject{
		Policy: policy, Name: "/" + account + "/" + container + "/" + object,
		Partition: hashpath.Partition(sum, uint(32-policy.Ring.PartPower)),
		Suffix:    hashpath.Suffix(sum), Hash: hex.EncodeToString(sum[:]),
		Files: map[string]*File{}, Copies: map[Spot][]string{}, Notes: map[string]string{}, Types: map[string]string{},
	}
	l := &life{habits: h, rng: rng, object: o}
	l.live(w.Now)
	reach := newReach(rng, policy, o.Partition, bare)
	for _, op := range l.ops {
		for _, s := range reach.draw() {
			l.apply(op, s)
		}
	}
	var all []string
	for s, files := range o.Copies {
		if len(files) == 0 {
			delete(o.Copies, s)
		}
		all = append(all, files...)
	}
	maps.DeleteFunc(o.Files, func(name string, _ *File) bool { return !slices.Contains(all, name) })
	if len(all) == 0 {
		return // nobody took it
	}
	o.Want = stateOf(all)
	o.Loose = o.Want.Tombstone != "" && l.buried
	w.Objects = append(w.Objects, o)
}

// reach draws which devices a request reaches: primaries and, when they cannot
// be reached, handoffs. Every request reaches somebody.
type reach struct {
	rng       *rand.Rand
	primaries []Spot
	handoffs  []Spot
}

func newReach(rng *rand.Rand, p *WorldPolicy, part uint32, bare map[Spot]bool) *reach {
	r := &reach{rng: rng}
	primaries := p.Primaries(part)
	for _, s := range p.spots {
		switch {
		case s == (Spot{}) || bare[s]:
		case slices.Contains(primaries, s):
			r.primaries = append(r.primaries, s)
		default:
			r.handoffs = append(r.handoffs, s)
		}
	}
	if len(r.primaries)+len(r.handoffs) == 0 { // all are bare: somebody must have it
		r.primaries = primaries[:1]
	}
	return r
}

func (r *reach) draw() []Spot {
	up, away := 75, 12 // percent of each
	switch n := r.rng.IntN(10); {
	case n < 3:
		up = 100
	case n < 5:
		up, away = 0, 60
	}
	var spots []Spot
	for _, s := range r.primaries {
		if r.rng.IntN(100) < up {
			spots = append(spots, s)
		}
	}
	for _, s := range r.handoffs {
		if r.rng.IntN(100) < away {
			spots = append(spots, s)
		}
	}
	if len(spots) == 0 {
		spots = append(spots, pick(r.rng, append(slices.Clone(r.primaries), r.handoffs...)))
	}
	return spots
}

// tear makes some objects such that the only whole copies of their newest upload
// are on handoffs, while primaries hold files of that name that are empty: what a
// power cut leaves of files that nobody had synced.
func (w *World) tear(rng *rand.Rand) {
	for _, o := range w.Objects {
		file := o.Want.Data + ".data"
		if o.Want.Data == "" || o.Want.Meta != "" || o.Files[file].Size == 0 || len(o.Files) != 1 {
			continue
		}
		var away []Spot
		for _, s := range o.Policy.spots {
			if s != (Spot{}) && o.Handoff(s) {
				away = append(away, s)
			}
		}
		if len(away) == 0 || chance(rng, 2) {
			continue
		}
		o.Copies = map[Spot][]string{pick(rng, away): {file}}
		o.Torn = o.Policy.Primaries(o.Partition)
	}
}
