package cluster

import "context"

// RingOf says what a ring is made of.
type RingOf struct {
	PartPower int
	Replicas  int
	Devices   []Device
}

// WriteRing writes a ring with Swift's builder in the place of the file at path, at
// once as Swift's own tools do.
func (c *Cluster) WriteRing(ctx context.Context, path string, r RingOf) error {
	type device struct {
		Zone   int    `json:"zone"`
		IP     string `json:"ip"`
		Port   int    `json:"port"`
		Device string `json:"device"`
	}
	request := struct {
		Path      string   `json:"path"`
		PartPower int      `json:"part_power"`
		Replicas  int      `json:"replicas"`
		Devices   []device `json:"devices"`
	}{Path: path, PartPower: r.PartPower, Replicas: r.Replicas}
	for _, d := range r.Devices {
		request.Devices = append(request.Devices, device{c.Node(d.IP).Number, d.IP, ServerPort, d.Name})
	}
	return c.helper(ctx, "rings", []any{request}, nil)
}
