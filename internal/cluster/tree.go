package cluster

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// Tree is a random set of objects on which the nodes disagree, drawn from a seed.
type Tree struct {
	Seed     uint64
	Objects  int
	Policies []int
	Base     time.Time // the first timestamp; a few hours pass from there
	Handoffs bool      // leave some copies on handoffs, too
	Junk     bool      // and what crashes leave behind
}

// Ops draws the operations. Junk comes last: later writes would cover it up.
func (t Tree) Ops() []Op {
	rnd := rand.New(rand.NewPCG(t.Seed, 7))
	base := float64(t.Base.Unix())
	var ops, junk []Op
	for i := range t.Objects {
		d := draw{
			rnd: rnd, policy: t.Policies[rnd.IntN(len(t.Policies))], handoffs: t.Handoffs,
			name: fmt.Sprintf("/AUTH_lab/c%d/%s-%d-%d", i%3, pick(rnd, odd), t.Seed, i),
			now:  base + float64(i)*60,
		}
		done := d.object()
		ops = append(ops, done...)
		if t.Junk && rnd.IntN(3) == 0 {
			first := done[0]
			junk = append(junk, Op{
				Kind: pick(rnd, Junk), Policy: first.Policy, Name: first.Name,
				Copies: []int{pick(rnd, first.Copies)},
			})
		}
	}
	return append(ops, junk...)
}

// Junk lists what can be left around an object so that every later run of any
// replicator must do the same about it.
var Junk = []string{
	"tempfile", "invalid-line", "hashes-fresh", "hashes-garbage", "hashes-truncated",
	"hashes-empty", "hashes-legacy", "hashes-wrong", "hashes-none", "hashes-strange-key",
}

// odd are the beginnings of object names.
var odd = []string{
	"plain", "with space", "ünïcödé ☃", "per%cent", "quote'\"", "sl/ash//es", "日本語",
	"+plus&amp", "new\nline", "\x00reserved\x00name", "-dash", "..", "#hash?query",
}

// draw makes the life of one object.
type draw struct {
	rnd      *rand.Rand
	policy   int
	handoffs bool
	name     string
	now      float64
}

func (d *draw) object() []Op {
	if d.rnd.IntN(25) == 0 { // a tombstone that every node may reclaim at once
		old := d.op(Delete)
		old.At = Timestamp(d.now-3*86400, 0)
		return []Op{old}
	}
	first := d.op(Put)
	for len(first.Copies) < 2 { // else one empty device could leave metadata without data
		first.Copies = d.copies()
	}
	ops := []Op{first}
	if d.rnd.IntN(4) == 0 {
		ops = append(ops, d.op(Put))
	}
	for range d.rnd.IntN(3) {
		ops = append(ops, d.op(Post))
	}
	if d.rnd.IntN(5) == 0 {
		ops = append(ops, d.op(Delete))
		if d.rnd.IntN(3) == 0 {
			ops = append(ops, d.op(Put))
		}
	}
	return ops
}

func (d *draw) op(kind string) Op {
	d.now += 0.5 + d.rnd.Float64()
	offset := 0
	if d.rnd.IntN(8) == 0 && kind != Post {
		offset = 1 + d.rnd.IntN(20)
	}
	op := Op{
		Kind: kind, Policy: d.policy, Name: d.name, At: Timestamp(d.now, offset),
		Copies: d.copies(), PY2: d.rnd.IntN(8) == 0,
	}
	if kind == Delete {
		return op
	}
	op.Headers = map[string]string{"X-Object-Meta-Color": pick(d.rnd, []string{"blue", "grün", "赤", ""})}
	if d.rnd.IntN(4) == 0 {
		op.Headers["X-Object-Meta-Note"] = fmt.Sprintf("%0*d", 60+d.rnd.IntN(300), d.rnd.IntN(1000))
	}
	if kind == Put || d.rnd.IntN(2) == 0 {
		op.Headers["Content-Type"] = pick(d.rnd, []string{"text/plain", "image/png", "text/ü; charset=☃"})
	}
	if kind == Put {
		op.Size, op.Body = d.size(), d.rnd.IntN(1<<30)
		if d.rnd.IntN(6) == 0 { // some long expired, some not yet
			op.Headers["X-Delete-At"] = fmt.Sprintf("%.0f", d.now+float64(d.rnd.IntN(4)*40000))
		}
	}
	return op
}

func (d *draw) size() int {
	switch d.rnd.IntN(12) {
	case 0, 1:
		return 0
	case 2:
		return 65536 + d.rnd.IntN(3) - 1
	case 3:
		return 1<<20 + d.rnd.IntN(3<<20)
	default:
		return 1 + d.rnd.IntN(5000)
	}
}

// copies draws a non-empty set of primaries; all three half of the time.
func (d *draw) copies() []int {
	set := 1 + d.rnd.IntN(7)
	if d.rnd.IntN(2) == 0 {
		set = 7
	}
	var copies []int
	for i := range 3 {
		if set&(1<<i) != 0 {
			copies = append(copies, i)
		}
	}
	if d.handoffs && d.rnd.IntN(4) == 0 {
		copies = append(copies, 3+d.rnd.IntN(2))
	}
	return copies
}

func pick[T any](rnd *rand.Rand, from []T) T { return from[rnd.IntN(len(from))] }
