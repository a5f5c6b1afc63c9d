package interop

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"understudy/internal/cluster"
)

// arrival is what a client does, through the handoff's object server, while the
// handoff's partition is being reverted. The revert knows the first of the names;
// the second is new.
type arrival struct {
	what string
	op   func(names []string, at float64) cluster.Op
}

var arrivals = []arrival{
	{"new object", func(names []string, at float64) cluster.Op { return putOp(names[1], at, 5000) }},
	{"newer data", func(names []string, at float64) cluster.Op { return putOp(names[0], at, 6000) }},
	{"newer metadata", func(names []string, at float64) cluster.Op {
		op := putOp(names[0], at, 0)
		op.Kind, op.Headers = cluster.Post, map[string]string{"X-Object-Meta-Color": "red"}
		return op
	}},
	{"deletion", func(names []string, at float64) cluster.Op {
		return cluster.Op{Kind: cluster.Delete, Name: names[0], At: cluster.Timestamp(at, 0)}
	}},
}

// moment is when, in the course of a revert, the client comes: at which point, and
// at which primary.
type moment struct {
	point string
	nth   int
}

// TestLossPutDuringRevert lets clients write to a handoff while its partition is
// being pushed, at every stage of the push. The object server acknowledges; it has
// nothing to do with the lock that a revert holds. Swift then removes the tree, with
// what has just arrived. Transfers are held at the stage in question by a gate (see
// losses_gate_test.go) until the write has been acknowledged.
func TestLossPutDuringRevert(t *testing.T) {
	for _, run := range []struct {
		method string
		last   moment   // at which everything may arrive
		others []moment // at which a new object arrives
		ours   []moment // at points that only our replicator has
	}{
		{
			"rsync",
			moment{afterPush, 3},
			[]moment{{afterPush, 1}},
			[]moment{{beforeProof, 1}, {beforeProof, 3}, {afterProof, 3}},
		},
		{
			"ssync",
			moment{afterUpdates, 3},
			[]moment{{beforeSession, 1}, {afterCheck, 1}, {afterUpdates, 1}},
			nil,
		},
	} {
		for _, p := range contenders(t) {
			t.Run(run.method+" "+p.Name, func(t *testing.T) {
				t.Parallel()
				r := newRace(t, run.method, p)
				for _, a := range arrivals {
					r.run(t, a, run.last)
				}
				moments := slices.Clone(run.others)
				if !p.loses {
					moments = append(moments, run.ours...)
				}
				for _, m := range moments {
					r.run(t, arrivals[0], m)
				}
				r.judge(t)
			})
		}
	}
}

// race is one cluster, in which each case has a partition of its own.
type race struct {
	ctx       context.Context
	c         *cluster.Cluster
	p         contender
	gated     cluster.Program
	gate      *gate
	h         cluster.History
	cases     map[string]string // what came and when, by the name of the object
	partition int               // the next one
}

func newRace(t *testing.T, method string, p contender) *race {
	t.Helper()
	ctx := deadline(t)
	r := &race{ctx: ctx, c: four(t, ctx, map[string]string{"sync_method": method}), p: p, cases: map[string]string{}}
	if method == "rsync" {
		start(t, ctx, r.c)
		r.gated, r.gate = gatedRsync(t, r.c, p.Program, rsyncWrapper)
	} else {
		r.gated, r.gate = p.Program, gateSsync(t, ctx, r.c, r.c.Nodes...)
	}
	return r
}

// run lets one thing arrive at one moment of a revert.
func (r *race) run(t *testing.T, a arrival, m moment) {
	t.Helper()
	partition, names := r.partition, namesIn(r.partition, 2)
	r.partition++
	n := handoffOf(t, r.ctx, r.c, partition)
	send(t, r.ctx, &r.h, n, partition, putOp(names[0], now(), 4000))
	repl, err := n.StartReplicator(r.gated, "--once", "--partitions", strconv.Itoa(partition))
	if err != nil {
		t.Fatal(err)
	}
	r.gate.await(t, r.ctx, repl, m.point, m.nth)
	late := a.op(names, now())
	send(t, r.ctx, &r.h, n, partition, late)
	r.gate.letAllGo()
	if err := repl.Wait(r.ctx); err != nil {
		t.Fatal(err)
	}
	r.gate.shut()
	r.cases[late.Name] = fmt.Sprintf("%s at %q %d", a.what, m.point, m.nth)
}

// judge looks for all that has arrived, and lets the cluster heal.
func (r *race) judge(t *testing.T) {
	t.Helper()
	gone := lost(t, r.ctx, r.c, &r.h)
	for name, what := range r.cases {
		isLost := slices.ContainsFunc(gone, func(l string) bool { return strings.Contains(l, strconv.Quote(name)) })
		if isLost != r.p.loses {
			t.Errorf("%s: %s, lost: %t", r.p.Name, what, isLost)
		}
	}
	if r.p.loses {
		return
	}
	wantFate(t, r.p, gone)
	r.gate.letAllGo()
	for _, n := range r.c.Nodes {
		pass(t, r.ctx, n, r.p.Program)
	}
	wantSettled(t, r.ctx, r.c, &r.h)
}
