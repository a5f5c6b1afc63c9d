package interop

import (
	"testing"

	"understudy/internal/cluster"
)

// TestMixedCluster runs both programs in one cluster: two nodes have our replicator and
// our server, two have Swift's. Every object is on some of its nodes only, and one
// device is empty. All push to all, by rsync or by ssync, and then Swift judges: every
// primary has the newest state of every object, readable for its DiskFile, with the
// hashes that it computes, and its replicators find nothing left to push.
func TestMixedCluster(t *testing.T) {
	for _, method := range []string{"rsync", "ssync"} {
		t.Run(method, func(t *testing.T) {
			shortly(t, method != "ssync")
			t.Parallel()
			ctx := deadline(t)
			c := newCluster(t, ctx, cluster.Spec{
				Nodes: 4, Devices: 2, Policies: []cluster.Policy{{Index: 0, Name: "gold", PartPower: 4}},
				Replicator: map[string]string{"sync_method": method, "conn_timeout": "20"},
			})
			h := &cluster.History{}
			empty := cluster.Device{IP: c.Nodes[3].IP, Name: "d2"}
			var ops []cluster.Op
			for p := range 16 {
				for i, name := range namesIn(p, 4) {
					op := putOp(name, now()-60, 1000*i)
					op.Copies = []int{(p + i) % 3}
					ops = append(ops, op)
				}
			}
			write(t, ctx, c, h, ops, empty)
			programs := map[int]cluster.Program{}
			for _, n := range c.Nodes {
				programs[n.Number] = cluster.Stock
				if n.Number%2 == 1 {
					n.ServeOn(ourServer(t))
					programs[n.Number] = ours(t)
				}
			}
			start(t, ctx, c)
			for range 3 {
				for _, n := range c.Nodes {
					pass(t, ctx, n, programs[n.Number])
				}
			}
			wantSettled(t, ctx, c, h)
			wantNothingLeftToPush(t, c)
		})
	}
}
