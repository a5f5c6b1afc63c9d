package lab

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// What a judge finds, beside Lost, Wrong, Short and Mismatch of a Verdict.
const (
	Resurrected Kind = "resurrected" // a deleted object that is there again
	Left        Kind = "left"        // a copy on a device that is no primary
	Stale       Kind = "stale"       // a file that a newer one beside it ends
	Touched     Kind = "touched"     // something that is nobody's business
)

// Findings are all kinds of a judge, the worst first.
var Findings = []Kind{Lost, Wrong, Resurrected, Touched, Short, Left, Stale, Mismatch}

// Finding is one thing that is wrong with a world.
type Finding struct {
	Seed   uint64
	Kind   Kind
	Object string
	Device Spot // its zero value: no single one
	Path   string
	What   string
}

func (f Finding) String() string {
	words := []string{fmt.Sprintf("seed %d: %s:", f.Seed, f.Kind)}
	if f.Object != "" {
		words = append(words, printable(f.Object)+":")
	}
	if f.Device != (Spot{}) {
		words = append(words, f.Device.String()+":")
	}
	if f.Path != "" {
		words = append(words, printable(f.Path)+":")
	}
	return strings.Join(append(words, f.What), " ")
}

// Judge looks at all devices of a planted world after replicators have settled
// and tells everything that is not as the world's history demands. It changes
// nothing. The error says that it could not look.
func (w *World) Judge(root string) ([]Finding, error) {
	j, err := w.look(root)
	if err != nil {
		return nil, fmt.Errorf("judge seed %d: %w", w.Seed, err)
	}
	for _, o := range w.Objects {
		j.object(o)
	}
	if err := j.debris(); err != nil {
		return nil, fmt.Errorf("judge seed %d: %w", w.Seed, err)
	}
	SortFindings(j.found)
	return j.found, nil
}

// look reads all that the devices have of policies that are replicated.
func (w *World) look(root string) (*judge, error) {
	j := &judge{
		world: w, root: root, objects: map[string]*WorldObject{}, copies: map[*WorldObject]map[Spot]*held{},
		names: map[string]map[string]map[string][]string{},
	}
	for _, o := range w.Objects {
		j.objects[o.Dir()] = o
		j.copies[o] = map[Spot]*held{}
	}
	for _, s := range w.Spots() {
		for _, p := range w.Policies {
			if p.Erasure || !p.In(s) {
				continue
			}
			if err := j.walk(s, p); err != nil {
				return nil, err
			}
		}
	}
	return j, nil
}

// SortFindings puts the worst first.
func SortFindings(all []Finding) {
	slices.SortStableFunc(all, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(slices.Index(Findings, a.Kind), slices.Index(Findings, b.Kind)),
			cmp.Compare(a.Object, b.Object), bySpot(a.Device, b.Device), cmp.Compare(a.Path, b.Path))
	})
}

// judge gathers what is on the devices.
type judge struct {
	world   *World
	root    string
	objects map[string]*WorldObject // by directory
	copies  map[*WorldObject]map[Spot]*held
	names   map[string]map[string]map[string][]string // of files by device and partition, suffix, hash
	found   []Finding
}

// held is what a device holds of an object.
type held struct {
	whole []string // files that are as they were written
	bad   []string // files that are not
}

func (j *judge) add(k Kind, o *WorldObject, s Spot, path, what string, args ...any) {
	f := Finding{Seed: j.world.Seed, Kind: k, Device: s, Path: path, What: fmt.Sprintf(what, args...)}
	if o != nil {
		f.Object = o.Name
	}
	j.found = append(j.found, f)
}

// object judges one object by all of its copies.
func (j *judge) object(o *WorldObject) {
	var everywhere []string
	for _, c := range j.copies[o] {
		everywhere = append(everywhere, c.whole...)
	}
	if !o.Loose {
		j.lost(o, everywhere)
	}
	if o.Torn != nil {
		return // nobody can mend it: that it is not lost is all
	}
	want := o.Want
	primaries := o.Policy.Primaries(o.Partition)
	if o.Loose { // gone or back, but everywhere the same
		want = j.at(o, primaries[0])
	}
	for _, s := range primaries {
		if have := j.at(o, s); !same(have, want, o.Loose) {
			j.differs(o, s, have, want)
		}
		if c := j.copies[o][s]; c != nil {
			for _, f := range superseded(c.whole) {
				j.add(Stale, o, s, o.Dir()+"/"+f, "newer files end it")
			}
		}
	}
	for _, s := range j.world.Spots() {
		if c := j.copies[o][s]; c != nil && !slices.Contains(primaries, s) {
			j.add(Left, o, s, o.Dir(), "%d files on a device that is no primary", len(c.whole)+len(c.bad))
		}
	}
}

// at is what a device makes of an object.
func (j *judge) at(o *WorldObject, s Spot) state {
	if c := j.copies[o][s]; c != nil {
		return stateOf(c.whole)
	}
	return state{}
}

// same compares; when an object was deleted long ago, its tombstone may be gone.
func same(a, b state, loose bool) bool {
	if loose && a.Data == "" && b.Data == "" {
		return true
	}
	return a == b
}

// lost tells what no device has any more of what the object must be.
func (j *judge) lost(o *WorldObject, files []string) {
	have := map[string]bool{}
	for _, f := range files {
		n, _ := parseName(f)
		have[n.ext+n.at] = true
		if n.ctype != "" {
			have["ctype"+n.ctype] = true
		}
	}
	want := o.Want
	for _, part := range []struct{ what, kind, at string }{
		{"upload", "data", want.Data},
		{"deletion", "ts", want.Tombstone},
		{"update", "meta", want.Meta},
		{"content type", "ctype", want.Ctype},
	} {
		if part.at != "" && !have[part.kind+part.at] {
			j.add(Lost, o, Spot{}, o.Dir(), "no device has a whole copy of the %s of %s", part.what, part.at)
		}
	}
}

// differs tells how a primary's copy is not what it must be.
func (j *judge) differs(o *WorldObject, s Spot, have, want state) {
	switch {
	case have.Data != "" && want.Tombstone != "":
		j.add(Resurrected, o, s, o.Dir(), "it was deleted at %s, here is the upload of %s", want.Tombstone, have.Data)
	case have.Data != "" && want.Data == "":
		j.add(Resurrected, o, s, o.Dir(), "it is gone elsewhere, here is the upload of %s", have.Data)
	case have == state{}:
		j.add(Short, o, s, o.Dir(), "nothing is here, elsewhere is %+v", want)
	default:
		j.add(Short, o, s, o.Dir(), "want %+v, have %+v", want, have)
	}
}
