package lab

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Harm is what has happened to one copy of an object: to its newest upload.
type Harm struct {
	Object *WorldObject
	Spot   Spot
	Verb   string // flip, truncate, empty, bare, temp
}

// HarmsDone are harms that a world was born with; Plant does them.
func (w *World) plantHarms(root string) error {
	for _, h := range w.Harms {
		if err := w.harm(root, h); err != nil {
			return fmt.Errorf("%s %s on %s: %w", h.Verb, h.Object.Name, h.Spot.Name(), err)
		}
	}
	return nil
}

// Hurt harms some copies on devices that a pattern chooses, and tells how many it found.
func (w *World) Hurt(root, verb string, count int, on func(Spot) bool, rng *rand.Rand) (int, error) {
	var all []Harm
	for _, o := range w.Objects {
		for _, s := range w.Spots() {
			path := filepath.Join(s.Path(root), o.Dir(), o.Want.Data+".data")
			if _, err := os.Lstat(path); err == nil && on(s) && o.Want.Data != "" {
				all = append(all, Harm{o, s, verb})
			}
		}
	}
	rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	all = all[:min(count, len(all))]
	for _, h := range all {
		if err := w.harm(root, h); err != nil {
			return 0, err
		}
	}
	return len(all), nil
}

func (w *World) harm(root string, h Harm) error {
	o := h.Object
	dir := filepath.Join(h.Spot.Path(root), o.Dir())
	name := o.Want.Data + ".data"
	path := filepath.Join(dir, name)
	if h.Verb == "temp" {
		return w.leaveTemp(root, h, name)
	}
	if o.Want.Data == "" {
		return errors.New("there is no upload to be harmed")
	}
	f := o.Files[name]
	if _, err := os.Lstat(path); err != nil { // the copy was never there: its twin is
		if err := plantFile(dir, f, f.body.append(nil)); err != nil {
			return err
		}
	}
	switch h.Verb {
	case "flip":
		return flipBit(path, f.Size)
	case "truncate":
		return os.Truncate(path, f.Size/2)
	case "empty":
		return os.Truncate(path, 0)
	}
	// bare: metadata does not survive a file that is made anew
	if err := os.Remove(path); err != nil {
		return err
	}
	return os.WriteFile(path, f.body.append(nil), 0o644)
}

// leaveTemp leaves what an rsync leaves that was killed.
func (w *World) leaveTemp(root string, h Harm, name string) error {
	files := slices.Clone(h.Object.Copies[h.Spot])
	if len(files) > 0 {
		name = files[len(files)-1]
	}
	if strings.HasPrefix(name, ".") {
		return errors.New("there is nothing that could be on its way")
	}
	d := Debris{Spot: h.Spot, Path: filepath.Join(h.Object.Dir(), "."+name+".zzzzzz"), Content: "half a fi", Keep: !h.Object.Handoff(h.Spot)}
	w.Debris = append(w.Debris, d)
	return d.plant(root, w.Now)
}

func flipBit(path string, size int64) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	var one [1]byte
	if size > 0 {
		_, err = f.ReadAt(one[:], size/2)
		one[0] ^= 4
	}
	if err == nil && size > 0 {
		_, err = f.WriteAt(one[:], size/2)
	}
	return errors.Join(err, f.Close())
}
