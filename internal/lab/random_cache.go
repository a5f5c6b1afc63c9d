package lab

import (
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"understudy/internal/swift/hashes"
)

// Cache is what a device remembers of the suffix hashes of a partition: right or
// wrong, readable or not, but never wrong in a way that hides a change. Real
// devices do not hide any either: an object server notes what it changes.
type Cache struct {
	Spot    Spot
	Dir     string // of the partition, on the device
	Pickle  []byte // hashes.pkl; nil: there is none
	Invalid string // hashes.invalid
}

// part is a partition on a device, with its objects.
type part struct {
	spot    Spot
	dir     string
	objects []*WorldObject
}

// parts are all partitions that hold objects, in order.
func (w *World) parts() []*part {
	byDir := map[string]*part{}
	for _, o := range w.Objects {
		for s := range o.Copies {
			dir := filepath.Dir(filepath.Dir(o.Dir()))
			key := s.String() + "/" + dir
			if byDir[key] == nil {
				byDir[key] = &part{spot: s, dir: dir}
			}
			byDir[key].objects = append(byDir[key].objects, o)
		}
	}
	var all []*part
	for _, key := range slices.Sorted(maps.Keys(byDir)) {
		all = append(all, byDir[key])
	}
	return all
}

// hashes are the suffix hashes of a partition as Swift would compute them now.
func (p *part) hashes() suffixHashes {
	names := map[string]map[string][]string{}
	for _, o := range p.objects {
		if names[o.Suffix] == nil {
			names[o.Suffix] = map[string][]string{}
		}
		names[o.Suffix][o.Hash] = o.Copies[p.spot]
	}
	return hashAll(names)
}

func (w *World) drawCaches(d dice) {
	for _, p := range w.parts() {
		rng := d.of("cache %s %s", p.spot, p.dir)
		c := Cache{Spot: p.spot, Dir: p.dir}
		c.draw(rng, p.hashes(), float64(w.Now.Unix())-rng.Float64()*1e5)
		if c.Pickle != nil || c.Invalid != "" {
			w.Caches = append(w.Caches, c)
		}
	}
}

func (c *Cache) draw(rng *rand.Rand, now suffixHashes, updated float64) {
	f := hashes.File{Suffixes: now, Valid: true, Updated: updated}
	suffix := pick(rng, slices.Sorted(maps.Keys(now)))
	switch pick(rng, []string{
		"none", "none", "none", "right", "right", "forgotten", "wrong", "ghost", "noted", "noted",
		"invalid", "garbage", "cut", "empty", "strange", "legacy",
	}) {
	case "none":
		c.noise(rng)
		return
	case "right":
		c.noise(rng)
	case "forgotten":
		f.Suffixes[suffix] = ""
	case "wrong": // differently on each device, else nobody would ever notice
		f.Suffixes[suffix] = hexes(rng, 32)
	case "ghost":
		if ghost := hexes(rng, 3); f.Suffixes[ghost] == "" {
			f.Suffixes[ghost] = hexes(rng, 32)
		}
	case "noted": // as an object server leaves it after a change
		if delete(f.Suffixes, suffix); chance(rng, 2) {
			f.Suffixes[suffix] = hexes(rng, 32)
		}
		c.Invalid = suffix + "\n"
	case "invalid":
		f = hashes.File{Suffixes: suffixHashes{}}
	case "garbage":
		c.Pickle = []byte("\x00\xffno pickle at all" + hexes(rng, 90))
		return
	case "cut":
		c.Pickle = f.Encode()
		c.Pickle = c.Pickle[:rng.IntN(len(c.Pickle))]
		return
	case "empty":
		c.Pickle = []byte{}
		return
	case "strange":
		c.Pickle = []byte(strings.Replace(string(f.Encode()), suffix, "q_q", 1))
		return
	case "legacy": // before Swift 2.7: a dict without "valid" and "updated"
		c.Pickle = []byte("(dp0\nS'" + suffix + "'\np1\nS'" + hexes(rng, 32) + "'\np2\ns.")
		if len(now) > 1 { // it could hide the others
			c.Invalid = strings.Join(slices.Sorted(maps.Keys(now)), "\n") + "\n"
		}
		return
	}
	c.Pickle = f.Encode()
}

// noise adds notes that mean nothing, or nothing new.
func (c *Cache) noise(rng *rand.Rand) {
	switch rng.IntN(6) {
	case 0:
		c.Invalid = hexes(rng, 3) + "\n"
	case 1:
		c.Invalid = "no suffix\n" + hexes(rng, 3) + "\n" + strconv.Itoa(rng.Int()) + "\n"
	}
}
