package sim

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"time"

	"understudy/internal/lab"
	"understudy/internal/sim/simfs"
	"understudy/internal/store"
	"understudy/messages"
)

// mostPasses is how many passes after the end of the faults a cluster may need until all
// is in its place: those that breakers, locks and calls that time out cost among them.
const mostPasses = 30

// service is what is looked at in the end of a node that goes on working.
type service struct {
	rounds int      // that it has ended
	cut    []string // devices whose pass was cut short in the last of them
	taken  int      // slots that are out
}

func (b *boot) service() service {
	w := b.node.world
	w.mu.Lock()
	defer w.mu.Unlock()
	s := service{rounds: b.rounds, cut: b.cut}
	if b.budget != nil {
		s.taken = b.budget.Taken()
	}
	return s
}

// rounds is how many rounds each node has ended since its start.
func (w *world) rounds() map[*node]int {
	all := map[*node]int{}
	for _, n := range w.nodes {
		all[n] = n.boot.service().rounds
	}
	return all
}

// passes is the most rounds that a node has ended since.
func (w *world) passes(since map[*node]int) (most int) {
	for _, n := range w.nodes {
		most = max(most, n.boot.service().rounds-since[n])
	}
	return most
}

// serves looks at nodes that have nothing more to do: each ends two more rounds with all
// of its devices, and all slots are back at some time.
func (w *world) serves() {
	since := w.rounds()
	idle := map[*node]bool{}
	well := func(n *node) bool {
		s := n.boot.service()
		idle[n] = idle[n] || s.taken == 0
		return idle[n] && (!w.employs(n) || s.rounds-since[n] >= 2 && len(s.cut) == 0)
	}
	if w.sched.Run(func() bool {
		all := true
		for _, n := range w.nodes {
			all = well(n) && all
		}
		return all
	}, time.Now().Add(15*time.Minute), healSteps) {
		return
	}
	for _, n := range w.nodes {
		if s := n.boot.service(); !well(n) {
			w.problem("stuck: %s has ended %d rounds in a quarter of an hour; cut short in the last: %v; slots that are out: %d, never none: %v",
				n.name, s.rounds-since[n], s.cut, s.taken, !idle[n])
		}
	}
}

// employs tells whether a ring knows a device of a node: else it has no rounds.
func (w *world) employs(n *node) bool {
	for _, p := range w.drawn.Policies {
		for _, d := range n.disks {
			if !p.Erasure && p.In(lab.Spot{Node: n.number, Device: d.name}) {
				return true
			}
		}
	}
	return false
}

// hashes compares, on disks at rest, what is told of each primary's partitions out of
// hashes.pkl with what is told without one. On handoffs nobody asks: there a cache may
// name for ever what is not there, as in Swift.
func (w *world) hashes() {
	for _, n := range w.nodes {
		machine := simfs.NewMachine(n.system, simfs.Hooks{})
		for _, d := range n.disks {
			machine.Mount(d.path(), d.fs)
		}
		s := store.New(store.Options{
			Root: devicesRoot, MountCheck: true, ReclaimAge: w.plan.reclaim, Log: w.log, FS: machine, Now: time.Now, Rand: n.boot,
		})
		for _, d := range n.disks {
			for _, p := range w.drawn.Policies {
				for part := range p.Partitions() {
					if !p.Erasure && slices.Contains(p.Primaries(part), lab.Spot{Node: n.number, Device: d.name}) {
						w.hashesOf(s, d, messages.Partition{Device: d.name, Policy: p.Index, Number: part})
					}
				}
			}
		}
	}
}

func (w *world) hashesOf(s *store.Store, d *disk, p messages.Partition) {
	part := messages.ObjectsDir(p.Policy) + "/" + strconv.FormatUint(uint64(p.Number), 10)
	if w.audited[d.String()+"/"+part] {
		return // a job that was under way then may have written what it had read before
	}
	cached, err := s.Hashes(context.Background(), p, messages.HashOptions{})
	if err != nil {
		return // no directory: debris
	}
	d.fs.Drop(part + "/hashes.pkl")
	fresh, err := s.Hashes(context.Background(), p, messages.HashOptions{List: true})
	if err != nil {
		w.problem("wrong: hash %s of %s: %v", p, d.node.name, err)
		return
	}
	w.hashed++
	for suffix := range cached.Hashes { // of what a cache has named since the beginning and was never there
		if len(d.fs.Names(part+"/"+suffix)) == 0 && fresh.Hashes[suffix] == "" {
			delete(cached.Hashes, suffix)
		}
	}
	if !maps.Equal(cached.Hashes, fresh.Hashes) {
		w.problem("wrong: hashes.pkl of %s of %s tells %v, the disk %v", p, d.node.name, cached.Hashes, fresh.Hashes)
	}
}
