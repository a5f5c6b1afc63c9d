package lab

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"understudy/internal/scenario"
	"understudy/messages"
)

// Clients write to a planted world while nodes are at work, as proxies would: to the
// primaries that can be reached, and to handoffs in the place of the others. What they
// have written belongs to the world's history. It is safe for concurrent use, but the
// world must not be judged meanwhile.
type Clients struct {
	Root    string
	Reaches func(Spot) bool // whether a device answers now
	Store   func(node int) Invalidator

	mu    sync.Mutex
	world *World
	rng   *rand.Rand
	last  time.Time
}

// Invalidator notes that a suffix has changed, as an object server does.
type Invalidator interface {
	Invalidate(ctx context.Context, p messages.Partition, suffixes []string) error
}

// NewClients makes the clients of a world.
func NewClients(w *World, root string) *Clients {
	return &Clients{Root: root, world: w, rng: dice{w.Seed}.of("clients")}
}

// errNobody says that no device takes a write.
var errNobody = errors.New("no device can be reached")

// Write does a request: put makes a new object, or a new version of an old one; post and
// delete need one that is there.
func (c *Clients) Write(ctx context.Context, verb string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	o := c.choose(verb)
	if o == nil {
		return nil // nothing is there to be deleted
	}
	now := time.Now()
	if !now.After(c.last.Add(time.Millisecond)) {
		now = c.last.Add(time.Millisecond)
	}
	c.last = now
	l := &life{rng: c.rng, object: o}
	made := l.told(verb, at(now, 0), scenario.Objects{Least: 1, Most: 8 << 10})
	var spots []Spot
	for _, s := range c.spots(o) {
		before := slices.Clone(o.Copies[s])
		l.apply(made, s)
		if slices.Equal(before, o.Copies[s]) {
			continue
		}
		if err := c.keep(ctx, o, s, before); err != nil {
			return fmt.Errorf("%s %s on %s: %w", verb, o.Name, s.Name(), err)
		}
		spots = append(spots, s)
	}
	if len(spots) == 0 {
		return errNobody
	}
	var all []string
	for _, files := range o.Copies {
		all = append(all, files...)
	}
	o.Want = stateOf(all)
	if !slices.Contains(c.world.Objects, o) {
		c.world.Objects = append(c.world.Objects, o)
	}
	return nil
}

// choose picks an object: a put is of a new one, two times of three.
func (c *Clients) choose(verb string) *WorldObject {
	if verb == "put" && (c.rng.IntN(3) > 0 || len(c.world.Objects) == 0) {
		return c.world.newObject(pick(c.rng, c.world.Policies))
	}
	var there []*WorldObject
	for _, o := range c.world.Objects {
		if o.Want.Data != "" && !c.world.harmed(o) {
			there = append(there, o)
		}
	}
	if len(there) == 0 {
		return nil
	}
	return pick(c.rng, there)
}

func (w *World) harmed(o *WorldObject) bool {
	return slices.ContainsFunc(w.Harms, func(h Harm) bool { return h.Object == o })
}

// spots are the devices that take a write: each primary that cannot be reached is stood in
// for by a handoff.
func (c *Clients) spots(o *WorldObject) (spots []Spot) {
	primaries := o.Policy.Primaries(o.Partition)
	missing := 0
	for _, s := range primaries {
		if c.Reaches(s) {
			spots = append(spots, s)
		} else {
			missing++
		}
	}
	for _, s := range o.Policy.spots {
		if missing > 0 && o.Policy.In(s) && !slices.Contains(primaries, s) && c.Reaches(s) {
			spots = append(spots, s)
			missing--
		}
	}
	return spots
}

// keep writes what is new of an object on a device, and unlinks what it ends.
// Swift: obj/diskfile.py DiskFileWriter.put.
func (c *Clients) keep(ctx context.Context, o *WorldObject, s Spot, before []string) error {
	for _, name := range o.Copies[s] {
		if slices.Contains(before, name) {
			continue
		}
		f := o.file(name)
		content := f.body.append(nil)
		err := writeFile(s.Path(c.Root), o.Dir(), f, content)
		for range 50 { // a handoff is given up at this moment: its directories go
			if !errors.Is(err, fs.ErrNotExist) {
				break
			}
			err = writeFile(s.Path(c.Root), o.Dir(), f, content)
		}
		if err != nil {
			return err
		}
	}
	for _, name := range before {
		if !slices.Contains(o.Copies[s], name) {
			if err := os.Remove(filepath.Join(s.Path(c.Root), o.Dir(), name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	part := messages.Partition{Device: s.Device, Policy: o.Policy.Index, Number: o.Partition}
	return c.Store(s.Node).Invalidate(ctx, part, []string{o.Suffix})
}

// Still does something while no client writes.
func (c *Clients) Still(do func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	do()
}
