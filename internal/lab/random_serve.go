package lab

import (
	"context"
	"errors"
	"os"
)

// NewOf plants a world in an empty folder and starts our own servers and, for
// rsync, one real daemon over it. Judge it with Dir as its root; Check is not for it.
func NewOf(ctx context.Context, dir string, w *World) (*Cluster, error) {
	c := &Cluster{Dir: dir, spec: Spec{Options: w.Options}}
	if err := w.Plant(dir); err != nil {
		return nil, err
	}
	disks := make([][]string, len(w.Nodes))
	for i, n := range w.Nodes {
		disks[i] = n.Devices
	}
	err := c.serve(ctx, disks, func() error {
		return errors.Join(os.WriteFile(c.swiftConfPath(), []byte(w.SwiftConf()), 0o644), w.WriteRings(c.etc(), c.Address))
	})
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// Address is where a node's object server listens.
func (c *Cluster) Address(node int) (ip string, port int) {
	n := c.Node(node)
	return n.IP, n.Port
}
