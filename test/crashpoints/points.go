package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"understudy/internal/fault"
)

// class is a kind of path, as a pattern of fault plans.
type class struct{ name, pattern string }

var classes = []class{
	{"data", "*.data"},
	{"tombstone", "*.ts"},
	{"metadata", "*.meta"},
	{"draft", "."}, // a file that has no name yet
	{"hashes.pkl", "hashes.pkl"},
	{"hashes.pkl's draft", "tmp*.tmp"},
	{"hashes.invalid", "hashes.invalid"},
	{"lock", ".lock*"},
	{"hash directory", strings.Repeat("[0-9a-f]", 32)},
	{"suffix", strings.Repeat("[0-9a-f]", 3)},
	{"partition", "[0-9]|[0-9][0-9]"},
	{"objects", "objects"},
}

// rsyncs are what an rsync can be for.
var rsyncs = []class{{"push", "push"}, {"proof", "proof"}, {"list", "list"}}

// ops are the operations that change a disk, or by which it is decided what to change.
var ops = []string{
	"mkdir", "rmdir", "remove", "rename", "move", "create", "tmpfile", "write", "truncate",
	"sync", "syncdata", "syncdir", "setxattr", "link", "allocate", "lock", "open", "readdir", "stat", "read",
}

// scenario is what the first node does when it is struck.
type scenario string

const (
	passes   scenario = "pass"    // its replicator hashes, pushes and reverts
	receives scenario = "receive" // its server takes what the other node pushes
)

// point is a place in the program at which it can end.
type point struct {
	in   scenario
	op   string
	path class
	seen int // how often a run comes by
}

func (p point) String() string { return fmt.Sprintf("%s: %s of %s", p.in, p.op, p.path.name) }

// line is the fault of a plan that is about this point.
func (p point) line(do string, nth int) string {
	return fmt.Sprintf("process op=%s path=%s : %s nth=%d", p.op, p.path.pattern, do, nth)
}

// far is an nth that no run reaches.
const far = 1_000_000_000

// everywhere is a plan that ends nothing and counts every point.
func everywhere() (plan string, points map[string]point) {
	points = map[string]point{}
	var lines []string
	add := func(p point) {
		lines = append(lines, p.line("kill", far))
		points[p.line("kill", far)] = p
	}
	for _, op := range ops {
		for _, c := range classes {
			add(point{op: op, path: c})
		}
	}
	for _, c := range rsyncs {
		add(point{op: fault.RsyncOp, path: c})
	}
	return strings.Join(lines, "\n") + "\n", points
}

// powers are what becomes of the disk: no cut, or a cut that keeps so many percent of
// what was not flushed.
var powers = []int{-1, 0, 50, 100}

// powerFails is the verb of a strike at the disk: it loses its power while the program
// is at work, at a write of the kernel's.
const powerFails = "power"

// takerDies is the verb of a strike at the rsyncs that take what the other node pushes:
// its rsync daemon and they are killed while they write, and the daemon is started again.
const takerDies = "taker"

// longest is how long after the first of them it happens at most.
const longest = 400 * time.Millisecond

// verbs are how the program ends: before the operation, after it, or not at all but by
// a panic that somebody catches.
var verbs = []string{"kill", "kill done", "panic"}

// aim is what strikes are restricted to; the zero value is nothing.
type aim struct {
	method string // of synchronising
	cuts   bool   // only power cuts of the node that receives, and one replica
}

// strike is one case.
type strike struct {
	point
	verb  string
	nth   int
	power int
	seed  uint64
	after time.Duration // of takerDies
}

func (s strike) String() string {
	if s.verb == powerFails {
		return fmt.Sprintf("%s: cut that keeps %d %%, at the %d. write of %d to the disk", s.in, s.power, s.nth, s.seen)
	}
	cut := "no cut"
	if s.power >= 0 {
		cut = fmt.Sprintf("cut that keeps %d %%", s.power)
	}
	if s.verb == takerDies {
		return fmt.Sprintf("%s: rsyncd and its children are killed %s after the first has come, %s", s.in, s.after, cut)
	}
	return fmt.Sprintf("%s, %s at the %d. of %d, %s", s.point, s.verb, s.nth, s.seen, cut)
}

// draw draws a strike at any of the points, all alike; every fourth is one at the disk,
// and with rsync every fourth one at those who receive.
func (r *rig) draw(points []point, writes map[scenario]int, rnd *rand.Rand) strike {
	switch n := rnd.IntN(4); {
	case r.cuts: // the last fifth of them come when all is over
		p := point{in: receives, seen: writes[receives]}
		return strike{point: p, verb: powerFails, nth: 1 + rnd.IntN(p.seen*5/4+1), power: powers[1+rnd.IntN(2)], seed: rnd.Uint64()}
	case n == 0:
		in := []scenario{passes, receives}[rnd.IntN(2)]
		p := point{in: in, seen: writes[in]}
		return strike{point: p, verb: powerFails, nth: 1 + rnd.IntN(max(1, p.seen)), power: powers[1+rnd.IntN(3)], seed: rnd.Uint64()}
	case n == 1 && r.method == "rsync":
		return strike{
			point: point{in: receives}, verb: takerDies, after: time.Duration(rnd.Int64N(int64(longest))).Round(time.Millisecond),
			power: powers[rnd.IntN(len(powers))], seed: rnd.Uint64(),
		}
	case n == 2 && r.method == "rsync": // there are only few of these among all points
		points = slices.DeleteFunc(slices.Clone(points), func(p point) bool { return p.op != fault.RsyncOp })
	}
	p := points[rnd.IntN(len(points))]
	return strike{
		point: p, verb: verbs[rnd.IntN(len(verbs))], nth: 1 + rnd.IntN(p.seen),
		power: powers[rnd.IntN(len(powers))], seed: rnd.Uint64(),
	}
}
