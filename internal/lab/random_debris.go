package lab

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strconv"
	"time"
)

// Debris is a file or directory that is no object's: what devices gather over the
// years.
type Debris struct {
	Spot    Spot
	Path    string // on the device
	Dir     bool
	Content string
	Age     time.Duration // by its mtime
	Keep    bool          // no replicator may touch it
	Alone   bool          // no replicator may put anything beside it either
}

// drawDebris draws what lies on the devices beside objects.
func (w *World) drawDebris(d dice, ssync bool) {
	for _, s := range w.Spots() {
		w.litter(d.of("debris %s", s), s)
		for _, p := range w.Policies {
			w.litterPolicy(d.of("debris %s %s", s, p.Name), s, p)
		}
	}
	for _, o := range w.Objects {
		if o.Loose || o.Torn != nil {
			continue // its directory may go
		}
		for _, s := range slices.SortedFunc(maps.Keys(o.Copies), bySpot) {
			w.litterObject(d.of("debris %s %s", s, o.Hash), s, o, ssync)
		}
	}
}

func bySpot(a, b Spot) int {
	return cmp.Or(cmp.Compare(a.Node, b.Node), cmp.Compare(a.Device, b.Device))
}

func (w *World) drop(d Debris) { w.Debris = append(w.Debris, d) }

// litter draws what has nothing to do with a policy.
func (w *World) litter(rng *rand.Rand, s Spot) {
	if chance(rng, 4) {
		w.drop(Debris{Spot: s, Path: "quarantined/objects/" + hexes(rng, 32) + "/1600000000.00000.data", Content: "ill", Keep: true})
	}
	if chance(rng, 4) {
		w.drop(Debris{Spot: s, Path: "async_pending/abc/" + hexes(rng, 32) + "-1600000000.00000", Content: "later", Keep: true})
	}
	if chance(rng, 5) { // of a policy that was taken out of swift.conf
		w.drop(Debris{Spot: s, Path: "objects-9/3/abc/" + hexes(rng, 29) + "abc/1600000000.00000.data", Content: "who knows", Keep: true, Alone: true})
		w.drop(Debris{Spot: s, Path: "tmp-9/old", Age: 90 * 24 * time.Hour, Keep: true})
	}
	if chance(rng, 4) {
		w.drop(Debris{Spot: s, Path: "README", Content: "this disk has an owner", Keep: true})
	}
}

// litterPolicy draws what lies in the directories of a policy.
func (w *World) litterPolicy(rng *rand.Rand, s Spot, p *WorldPolicy) {
	file := filepath.Join(p.Dir(), "%d", "abc", hexes(rng, 29)+"abc", "1600000000.00000")
	switch {
	case p.Erasure:
		if chance(rng, 2) {
			w.drop(Debris{Spot: s, Path: fmt.Sprintf(file, 1) + "#" + strconv.Itoa(rng.IntN(6)) + "#d.data", Content: "a piece", Keep: true, Alone: true})
			w.drop(Debris{Spot: s, Path: indexed("tmp", p.Index) + "/old", Age: 90 * 24 * time.Hour, Keep: true})
		}
		return
	case !p.In(s):
		if chance(rng, 2) { // it was taken out of the ring
			w.drop(Debris{Spot: s, Path: fmt.Sprintf(file, 1) + ".data", Content: "left behind", Keep: true, Alone: true})
		}
		return
	}
	if chance(rng, 4) {
		w.drop(Debris{Spot: s, Path: filepath.Join(p.Dir(), pick(rng, []string{"auditor_status_ALL.json", "auditor_status_ZBF.json"})), Content: "{}", Keep: true})
	}
	if chance(rng, 5) {
		w.drop(Debris{Spot: s, Path: filepath.Join(p.Dir(), "lost+found", "#12345"), Content: "found", Keep: true})
	}
	if chance(rng, 6) {
		w.drop(Debris{Spot: s, Path: fmt.Sprintf(file, p.Partitions()+rng.Uint32N(90)) + ".data", Content: "of a bigger ring", Keep: true})
	}
	if chance(rng, 5) {
		w.drop(Debris{Spot: s, Path: indexed("tmp", p.Index) + "/old", Content: "half", Age: ReclaimAge + time.Hour})
		w.drop(Debris{Spot: s, Path: indexed("tmp", p.Index) + "/fresh", Content: "half", Keep: true})
	}
	if part := rng.Uint32N(p.Partitions()); chance(rng, 6) && !w.holds(s, p, part) {
		w.drop(Debris{Spot: s, Path: filepath.Join(p.Dir(), strconv.Itoa(int(part)))})
	}
}

// holds tells whether a device has something of a partition.
func (w *World) holds(s Spot, p *WorldPolicy, part uint32) bool {
	return slices.ContainsFunc(w.Objects, func(o *WorldObject) bool {
		return o.Policy == p && o.Partition == part && o.Copies[s] != nil
	})
}

// litterObject draws what lies beside a copy of an object.
//
// A receiver of ssync in Swift 2.30 that finds a temporary file beside an object
// takes it for the object and wants every version of it, for ever, until an
// auditor comes: it never says that it has what a handoff offers. So for ssync no
// primary has one beside an object that is on a handoff.
func (w *World) litterObject(rng *rand.Rand, s Spot, o *WorldObject, ssync bool) {
	temp := Debris{
		Spot: s, Path: filepath.Join(o.Dir(), "."+pick(rng, o.Copies[s])+"."+pick(rng, []string{"Ab3x9z", "zzzzzz", "012345"})),
		Content: "half a fi", Keep: !o.Handoff(s),
	}
	if chance(rng, 6) && (!ssync || o.Handoff(s) || !slices.ContainsFunc(w.Spots(), func(s Spot) bool {
		return o.Copies[s] != nil && o.Handoff(s)
	})) {
		w.drop(temp) // of an rsync that died
	}
	part := filepath.Dir(filepath.Dir(o.Dir()))
	if chance(rng, 12) {
		w.drop(Debris{Spot: s, Path: filepath.Join(part, o.Suffix, hexes(rng, 29)+o.Suffix), Dir: true})
	}
	if chance(rng, 12) {
		w.drop(Debris{Spot: s, Path: filepath.Join(part, hexes(rng, 3)), Dir: true})
	}
	if chance(rng, 12) { // of a writer of hashes.pkl that died
		w.drop(Debris{Spot: s, Path: filepath.Join(part, "tmp"+pick(rng, []string{"ab12_x9z", "00000000"})+".tmp"), Content: "half"})
	}
	if o.Handoff(s) {
		return
	}
	if chance(rng, 16) {
		w.drop(Debris{Spot: s, Path: filepath.Join(o.Dir(), pick(rng, []string{"notes.txt", "core", "a.data"})), Content: "mine", Keep: true})
	}
	if chance(rng, 20) {
		w.drop(Debris{Spot: s, Path: filepath.Join(part, "README"), Content: "mine", Keep: true})
	}
}

// hexes are random hex digits.
func hexes(rng *rand.Rand, n int) string {
	const digits = "0123456789abcdef"
	b := make([]byte, n)
	for i := range b {
		b[i] = digits[rng.IntN(16)]
	}
	return string(b)
}
