package cluster

import (
	"cmp"
	"context"
	"maps"
	"slices"
)

// Reweight gives the ring of a policy exactly these devices, each with a weight, and
// rebalances it with Swift's builder, which it keeps for the next time. Like an
// operator's rebalance it moves one replica of a partition at the most; but the first
// one begins with an empty builder and may move them all.
func (c *Cluster) Reweight(ctx context.Context, policy int, weights map[Device]float64, seed uint32) error {
	type device struct {
		Zone   int     `json:"zone"`
		IP     string  `json:"ip"`
		Port   int     `json:"port"`
		Device string  `json:"device"`
		Weight float64 `json:"weight"`
	}
	request := struct {
		Path      string   `json:"path"`
		Builder   string   `json:"builder"`
		PartPower int      `json:"part_power"`
		Replicas  int      `json:"replicas"`
		Seed      uint32   `json:"seed"`
		Devices   []device `json:"devices"`
	}{Path: c.RingPath(policy), Builder: c.path("run/" + policyName("object", policy) + ".builder"), Replicas: 3, Seed: seed}
	for _, p := range c.spec.Policies {
		if p.Index == policy {
			request.PartPower = p.PartPower
		}
	}
	byName := func(a, b Device) int {
		return cmp.Or(cmp.Compare(a.IP, b.IP), cmp.Compare(a.Name, b.Name))
	}
	for _, d := range slices.SortedFunc(maps.Keys(weights), byName) {
		request.Devices = append(request.Devices, device{c.Node(d.IP).Number, d.IP, ServerPort, d.Name, weights[d]})
	}
	return c.helper(ctx, "reweight", request, nil)
}
