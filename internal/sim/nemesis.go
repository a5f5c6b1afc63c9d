package sim

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"understudy/internal/lab"
	"understudy/internal/sim/simfs"
)

// nemesis strikes and heals.
type nemesis struct {
	world *world
	rng   *rand.Rand
	heals []heal
}

// heal undoes a fault, after so many steps or so much virtual time.
type heal struct {
	step uint64
	at   time.Time
	do   func()
}

// strike does one of the plan's faults.
func (m *nemesis) strike() {
	w := m.world
	if len(w.plan.kinds) == 0 {
		return
	}
	kind := w.plan.kinds[m.rng.IntN(len(w.plan.kinds))]
	n := w.nodes[m.rng.IntN(len(w.nodes))]
	d := n.disks[m.rng.IntN(len(n.disks))]
	if holders := w.holders(); kind == "full" && len(holders) > 0 { // which must be drained
		d = holders[m.rng.IntN(len(holders))]
		n = d.node
	}
	w.sched.Note("nemesis " + kind + " " + d.String())
	undo := func() { d.mend() }
	switch kind {
	case "power cut", "kill":
		if !m.down(n, kind == "power cut") {
			return
		}
		undo = func() { m.up(n) }
	case "hang":
		if d.hangs != nil {
			return
		}
		d.set(func() { d.hangs = make(chan struct{}) })
	case "EIO", "EIO on writes":
		d.set(func() { d.errors, d.writes = w.plan.errors, kind == "EIO on writes" })
	case "read-only":
		d.fs.ReadOnly = true
	case "fsync fails":
		d.set(func() { d.forgets = 1 + m.rng.IntN(3) })
	case "clock jump":
		n.jump(time.Duration(m.rng.Int64N(int64(48*time.Hour))) - 24*time.Hour)
		undo = func() { n.jump(0) }
	case "full":
		d.fill(int64(m.rng.IntN(2000)))
	case "unmount":
		if d.unmounted || n.boot == nil {
			return
		}
		d.set(func() { d.unmounted = true })
		n.boot.machine.Unmount(d.fs)
	case "cut link":
		w.net.Cut(n.ip, w.nodes[m.rng.IntN(len(w.nodes))].ip)
		undo = w.net.Heal
	case "isolate node":
		for _, o := range w.nodes {
			w.net.Cut(n.ip, o.ip)
			w.net.Cut(o.ip, n.ip)
		}
		undo = w.net.Heal
	case "ring change":
		m.ringChange()
		w.fault(kind)
		return
	case "wipe", "rot":
		m.destroy(kind, d)
		return
	}
	w.fault(kind)
	h := heal{step: w.sched.Steps() + 50 + m.rng.Uint64N(2000), at: time.Now().Add(time.Duration(1+m.rng.IntN(300)) * time.Second), do: undo}
	m.heals = append(m.heals, h)
}

// tick heals what is due.
func (m *nemesis) tick() {
	rest := m.heals[:0]
	for _, h := range m.heals {
		if m.world.sched.Steps() >= h.step || !time.Now().Before(h.at) {
			h.do()
		} else {
			rest = append(rest, h)
		}
	}
	m.heals = rest
}

func (m *nemesis) down(n *node, power bool) bool {
	b := n.boot
	if b == nil {
		return false
	}
	n.boot = nil
	b.end(power)
	if power {
		for _, d := range n.disks {
			d.fs.Crash(m.world.plan.percent, m.rng)
		}
	}
	return true
}

func (m *nemesis) up(n *node) {
	if n.boot != nil {
		return
	}
	m.world.edge("node started again")
	if err := n.start(); err != nil {
		m.world.problem("start of %s: %v", n.name, err)
	}
}

func (m *nemesis) ringChange() {
	w := m.world
	for _, p := range w.drawn.Policies {
		if !p.Erasure && m.rng.IntN(2) == 0 {
			p.Reweigh(m.rng)
		}
	}
	if err := w.writeRings(); err != nil {
		w.problem("write rings: %v", err)
	}
}

// destroy takes copies away for good: a new disk in the place of an old one, or a file
// with a flipped bit. It spares what has no other copy on a primary's disk.
func (m *nemesis) destroy(kind string, d *disk) {
	w := m.world
	if w.plan.can("ring change") { // who is a primary, and for whom, would not be certain
		return
	}
	if kind == "wipe" && (d.node.boot != nil || !d.spare(func(*object) bool { return true })) {
		w.edge("spared by the atlas")
		return
	}
	if kind == "wipe" {
		d.fs.Wipe()
		w.fault(kind)
		return
	}
	var files []string
	for _, p := range w.drawn.Policies {
		if p.Erasure {
			continue
		}
		w.truth.scan(p, d, func(o *object, file string, l simfs.Look) {
			// A file that no client knows of yet may become the newest by its answer.
			if len(l.Data) > 0 && o.acked[file] && d.spare(func(other *object) bool { return other == o }) {
				files = append(files, o.dir()+"/"+file)
			}
		})
	}
	if len(files) == 0 {
		w.edge("spared by the atlas")
		return
	}
	d.fs.Damage(files[m.rng.IntN(len(files))], func(data []byte) []byte {
		if m.rng.IntN(2) == 0 {
			return data[:m.rng.IntN(len(data))]
		}
		data[m.rng.IntN(len(data))] ^= 1 << m.rng.IntN(8)
		return data
	})
	w.fault(kind)
}

// spare tells whether some objects of a disk can be taken from it: what is newest of
// them is on the disks of other primaries, too.
func (d *disk) spare(some func(*object) bool) bool {
	t := d.node.world.truth
	for _, o := range t.objects {
		if !some(o) {
			continue
		}
		primaries := map[lab.Spot]bool{}
		for _, s := range o.policy.Primaries(o.part) {
			primaries[s] = true
		}
		other := func(e *disk) view {
			if e == d || !primaries[lab.Spot{Node: e.node.number, Device: e.name}] {
				return nil
			}
			return certain
		}
		if t.missing(o, other) != "" {
			return false
		}
	}
	return true
}

// holders are the disks that hold handoffs, by the rings of now.
func (w *world) holders() (found []*disk) {
	for _, n := range w.nodes {
		for _, d := range n.disks {
			if w.holds(d) {
				found = append(found, d)
			}
		}
	}
	return found
}

func (w *world) holds(d *disk) bool {
	here := lab.Spot{Node: d.node.number, Device: d.name}
	for _, p := range w.drawn.Policies {
		if p.Erasure {
			continue
		}
		for _, name := range d.fs.Names(p.Dir()) {
			part, err := strconv.ParseUint(name, 10, 32)
			if err == nil && uint32(part) < p.Partitions() && !slices.Contains(p.Primaries(uint32(part)), here) {
				return true
			}
		}
	}
	return false
}
