package interop

import (
	"testing"

	"understudy/internal/cluster"
)

// TestTempFileAtThePeer leaves what a broken rsync leaves beside an object of a
// primary. Swift's ssync receiver takes the last name of the listing for the object's
// file, cannot read it, asks for the object, and refuses it then, for it has it: every
// session fails until Swift's auditor has removed the temporary file. So long the
// handoff must stay, for nothing proves that primary's copy; then it must go.
func TestTempFileAtThePeer(t *testing.T) {
	const partition = 5
	ctx := deadline(t)
	c := four(t, ctx, map[string]string{"sync_method": "ssync"})
	h, names := &cluster.History{}, namesIn(partition, 3)
	var ops []cluster.Op
	for _, name := range names {
		op := putOp(name, now()-60, 1000)
		op.Copies = []int{0, 1, 2, 3}
		ops = append(ops, op)
	}
	ops = append(ops, cluster.Op{Kind: "tempfile", Name: names[1], Copies: []int{1}})
	write(t, ctx, c, h, ops)
	start(t, ctx, c)
	n := handoffOf(t, ctx, c, partition)

	for range 2 {
		pass(t, ctx, n, ours(t))
		if !holds(t, n, partition) {
			t.Fatal("the handoff is gone, though one primary has proven nothing")
		}
	}
	for _, n := range c.Nodes {
		if err := n.Audit(ctx, 0); err != nil {
			t.Fatal(err)
		}
	}
	pass(t, ctx, n, ours(t))
	if holds(t, n, partition) {
		t.Error("the handoff is still there")
	}
	wantSettled(t, ctx, c, h)
}
