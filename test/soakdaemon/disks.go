package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"understudy/internal/cluster"
	"understudy/test/faults/sick"
)

// makeDisks gives the first nodes real disks: XFS, but for the last of the first
// node, which is served by FUSE.
func (s *soak) makeDisks(ctx context.Context) error {
	images := filepath.Join(s.c.Root, "images")
	if err := os.Mkdir(images, 0o755); err != nil {
		return fmt.Errorf("make the disks: %w", err)
	}
	for _, n := range s.c.Nodes[:mounted] {
		for i, name := range n.Devices {
			at := cluster.Device{IP: n.IP, Name: name}
			image := filepath.Join(images, fmt.Sprintf("%d-%s", n.Number, name))
			if n.Number == 1 && i == len(n.Devices)-1 {
				if err := s.mountFuse(n, at, image); err != nil {
					return err
				}
				continue
			}
			d, err := sick.NewXFS(ctx, image, n.DevicePath(name))
			if err != nil {
				return err
			}
			s.xfs[at] = d
			if err := shut(ctx, d); err != nil {
				return err
			}
		}
	}
	return nil
}

// shut makes the folder below a disk root's, as a careful operator does: rsyncd does
// not look whether the disk is there, and what is written below it would be lost.
func shut(ctx context.Context, d *sick.XFS) error {
	if err := d.Unmount(ctx); err != nil {
		return err
	}
	if err := os.Chown(d.Path, 0, 0); err != nil {
		return fmt.Errorf("shut the folder below a disk: %w", err)
	}
	return d.Mount(ctx)
}

func (s *soak) mountFuse(n *cluster.Node, at cluster.Device, behind string) error {
	if err := os.Mkdir(behind, 0o755); err != nil {
		return fmt.Errorf("make the disks: %w", err)
	}
	if err := sick.GiveLike(n.CachePath(), behind); err != nil { // Swift's user has that
		return err
	}
	d, err := sick.NewFuse(behind, n.DevicePath(at.Name))
	s.fuse, s.where = d, at
	return err
}

// closeDisks unmounts all disks. Those of XFS are kept as files unless remove is set.
func (s *soak) closeDisks(ctx context.Context, remove bool) error {
	var errs []error
	for _, d := range s.xfs {
		if remove {
			errs = append(errs, d.Close(ctx))
		} else {
			errs = append(errs, d.Unmount(ctx))
		}
	}
	if s.fuse != nil {
		errs = append(errs, s.fuse.Close(ctx))
	}
	return errors.Join(errs...)
}
