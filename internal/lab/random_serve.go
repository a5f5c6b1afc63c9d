package lab

import (
	"context"
	"errors"
	"os"
)

// NewOf plants a world in an empty folder and starts our own servers and, for
// rsync, one real daemon over it. Judge it with Dir as its root; Check is not for it.
func NewOf(ctx context.Context, dir string, w *World) (*Cluster, error) {
	return NewOfSpec(ctx, w, Spec{Dir: dir, Options: w.Options})
}

// NewOfSpec is NewOf with what a Spec says beside the shape: Dir, Options, Log, OwnRings.
func NewOfSpec(ctx context.Context, w *World, spec Spec) (*Cluster, error) {
	dir, c := spec.Dir, &Cluster{Dir: spec.Dir, spec: spec}
	if err := w.Plant(dir); err != nil {
		return nil, err
	}
	disks := make([][]string, len(w.Nodes))
	for i, n := range w.Nodes {
		disks[i] = n.Devices
	}
	err := c.serve(ctx, disks, func() error {
		return errors.Join(os.WriteFile(c.swiftConfPath(), []byte(w.SwiftConf()), 0o644), c.WriteRings(w, nil))
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

// WriteRings writes the world's rings where nodes read them: those that hear of it, nil
// for all.
func (c *Cluster) WriteRings(w *World, hears func(node int) bool) error {
	for _, n := range c.Nodes {
		if hears == nil || hears(n.Number) {
			if err := w.WriteRings(c.RingDir(n.Number), c.Address); err != nil {
				return err
			}
		}
	}
	return nil
}
