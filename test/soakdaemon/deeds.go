package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"understudy/internal/cluster"
)

const (
	most    = 3                // troubles at a time
	perDeed = 45 * time.Second // for a deed or a cure, some of which try again and again
	tries   = 5                // of a cure
	// patience is how many tries an object server has to close the files of a disk.
	patience = 3
)

// deed is one thing that happens. Without a cure it is over at once.
type deed struct {
	kind string
	on   string // what it happens to, in words
	do   func(context.Context) error
	cure func(context.Context) error

	node  *cluster.Node  // whose disk or server it is, or nil
	disk  cluster.Device // zero: no disk
	holds bool           // processes of the node hang meanwhile
	mount bool           // the disk is unmounted in its course, which nobody may hold up
	peer  bool           // a server does not answer
	pause bool           // its daemon is stopped
	ring  bool           // the ring file is of no use meanwhile
}

// ill is a deed that waits for its cure.
type ill struct {
	deed
	left  int // steps until then
	tried int
}

// kinds are all deeds and how often each comes. A draw gives nil where nothing can be
// done now: the troubles must leave the soak a way out.
var kinds = []struct {
	weight int
	draw   func(*soak) *deed
}{
	{3, (*soak).freeze},
	{3, (*soak).die},
	{3, (*soak).unmount},
	{3, (*soak).destroy},
	{2, (*soak).fill},
	{2, (*soak).turnReadOnly},
	{3, (*soak).hangFuse},
	{2, (*soak).failFuse},
	{2, (*soak).stopServer},
	{2, (*soak).stopRsyncd},
	{6, (*soak).cutOff}, // a network of its own is there for it
	{2, (*soak).pauseDaemon},
	{1, (*soak).restartServer},
	{3, (*soak).kill},
	{3, (*soak).terminate},
	{2, (*soak).killStock},
	{3, (*soak).reloadGood},
	{1, (*soak).reloadBad},
	{3, (*soak).changeRing},
	{2, (*soak).spoilRing},
	{2, (*soak).junk},
}

// step waits a little, cures what is due and does one deed. Which is a matter of the
// seed alone: steps count, not seconds.
func (s *soak) step(ctx context.Context) error {
	wait := time.Duration(1500+s.rnd.IntN(3000)) * time.Millisecond
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(wait):
	}
	if err := s.cure(ctx, func(i *ill) bool { i.left--; return i.left <= 0 }); err != nil {
		return err
	}
	for range 50 {
		if d := s.draw(); d != nil {
			s.carryOut(ctx, *d)
			break
		}
	}
	s.now.Store(s.troubles())
	return s.wantAlive()
}

func (s *soak) draw() *deed {
	all := 0
	for _, k := range kinds {
		all += k.weight
	}
	at := s.rnd.IntN(all)
	for _, k := range kinds {
		if at -= k.weight; at < 0 {
			d := k.draw(s)
			if d != nil && d.cure != nil && len(s.ills) >= most {
				return nil
			}
			return d
		}
	}
	return nil
}

func (s *soak) carryOut(ctx context.Context, d deed) {
	within, cancel := context.WithTimeout(ctx, perDeed)
	defer cancel()
	s.note("%s %s", d.kind, d.on)
	steps := 2 + s.rnd.IntN(4)
	if err := d.do(within); err != nil {
		s.note("%s %s was not to be done: %v", d.kind, d.on, err)
		s.undone[d.kind]++
		if d.cure == nil {
			return
		}
		steps = 0 // half done, maybe
	} else {
		s.counts[d.kind]++
	}
	if d.cure != nil {
		s.ills = append(s.ills, &ill{deed: d, left: steps})
	}
}

// cure ends the chosen troubles. One that cannot be ended now is tried again.
func (s *soak) cure(ctx context.Context, due func(*ill) bool) error {
	var left []*ill
	var failed error
	for _, i := range s.ills {
		if !due(i) {
			left = append(left, i)
			continue
		}
		within, cancel := context.WithTimeout(ctx, perDeed)
		err := i.deed.cure(within)
		cancel()
		if err == nil {
			s.note("%s %s is over", i.kind, i.on)
			continue
		}
		held := holders(&i.deed)
		s.note("%s %s is not over: %v%v", i.kind, i.on, err, held)
		i.tried++
		left = append(left, i)
		if i.mount && i.tried == patience {
			failed = errors.Join(failed, s.makeLetGo(ctx, i, held))
		}
		if i.tried >= tries {
			failed = errors.Join(failed, fmt.Errorf("%s %s: %w", i.kind, i.on, err))
		}
	}
	s.ills = left
	return failed
}

// cureAll ends all troubles.
func (s *soak) cureAll(ctx context.Context) error {
	for len(s.ills) > 0 {
		if err := s.cure(ctx, func(*ill) bool { return true }); err != nil {
			return err
		}
	}
	return nil
}

// any tells whether there is such a trouble now.
func (s *soak) any(such func(*ill) bool) bool { return slices.ContainsFunc(s.ills, such) }

// well tells whether nothing is wrong with a disk.
func (s *soak) well(d cluster.Device) bool {
	return !s.any(func(i *ill) bool { return i.disk == d })
}

// held tells whether processes of a node hang, or one of its servers is stopped.
func (s *soak) held(n *cluster.Node) bool {
	return s.any(func(i *ill) bool { return i.node == n && (i.holds || i.peer) })
}

// leaving tells whether one of a node's disks is unmounted or has still to be.
func (s *soak) leaving(n *cluster.Node) bool {
	return s.any(func(i *ill) bool { return i.node == n && i.mount })
}

// paused tells whether a node's daemon is stopped: it hears of nothing now.
func (s *soak) paused(n *cluster.Node) bool {
	return s.any(func(i *ill) bool { return i.node == n && i.pause })
}

// blind tells whether there is no good ring file.
func (s *soak) blind() bool { return s.any(func(i *ill) bool { return i.ring }) }

// troubles names all of this moment.
func (s *soak) troubles() string {
	var now []string
	for _, i := range s.ills {
		now = append(now, i.kind+" "+i.on)
	}
	return strings.Join(now, ", ")
}

// totals writes counts in the order of their names.
func totals(counts map[string]int) string {
	var words []string
	for _, k := range slices.Sorted(maps.Keys(counts)) {
		words = append(words, fmt.Sprintf("%d %s", counts[k], k))
	}
	return strings.Join(words, ", ")
}

func pick[T any](rnd *rand.Rand, from ...T) T { return from[rnd.IntN(len(from))] }
