package main

import (
	"context"
	"errors"
	"slices"

	"understudy/internal/cluster"
	"understudy/test/faults/sick"
)

// destroy takes a disk away and brings an empty one in its place. Whatever was on it
// alone is lost, so it happens only to nodes with real disks, and a write counts as done
// when another node has it (see safe). From there it can only go to all primaries, one of
// which is on such a node: three replicas are in three of four zones.
func (s *soak) destroy() *deed {
	if !s.o.destroy {
		return nil
	}
	d, disk := s.drawDisk("destroy", false, true)
	if d == nil {
		return nil
	}
	d.do = disk.Unmount
	d.cure = func(ctx context.Context) error {
		if isMounted(disk.Path) {
			if err := disk.Unmount(ctx); err != nil {
				return err
			}
		}
		err := errors.Join(s.wantNothingBelow(disk), disk.Remake(ctx))
		if err == nil {
			err = disk.Mount(ctx)
		}
		if err == nil {
			err = sick.GiveLike(d.node.CachePath(), disk.Path)
		}
		return err
	}
	return d
}

// safe tells whether a disk is never destroyed.
func (w *clients) safe(d cluster.Device) bool {
	return !w.destroy || !slices.ContainsFunc(w.c.Nodes[:mounted], func(n *cluster.Node) bool { return n.IP == d.IP })
}
