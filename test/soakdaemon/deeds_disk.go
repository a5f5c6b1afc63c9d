package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"understudy/internal/cluster"
	"understudy/test/faults/sick"
)

// drawDisk draws an XFS disk that is well. With holds or mount, what else goes on at
// its node must allow for it.
func (s *soak) drawDisk(kind string, holds, mount bool) (*deed, *sick.XFS) {
	node := s.c.Nodes[s.rnd.IntN(mounted)]
	at := cluster.Device{IP: node.IP, Name: pick(s.rnd, node.Devices...)}
	disk := s.xfs[at]
	if disk == nil || !s.well(at) || holds && s.leaving(node) || mount && (s.held(node) || s.leaving(node)) {
		return nil, nil
	}
	return &deed{kind: kind, on: place(s.c, at), node: node, disk: at, holds: holds, mount: mount}, disk
}

// freeze lets writes to a disk hang.
func (s *soak) freeze() *deed {
	d, disk := s.drawDisk("freeze", true, false)
	if d == nil {
		return nil
	}
	d.do = disk.Freeze
	d.cure = disk.Thaw
	return d
}

// die shuts a file system down. What it has been given is on the disk by then: nothing
// of what a server has acknowledged, or a peer has proven, may go with it.
func (s *soak) die() *deed {
	d, disk := s.drawDisk("die", false, true)
	if d == nil {
		return nil
	}
	d.do = func(context.Context) error { return shutDown(disk.Path) }
	d.cure = func(ctx context.Context) error { return s.mountAgain(ctx, disk) }
	return d
}

// goingDown is the kernel's XFS_IOC_GOINGDOWN, and flushed its way to do so when all
// that is cached has been written.
const (
	goingDown = 0x8004587d
	flushed   = 0
)

func shutDown(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("shut down %s: %w", path, err)
	}
	defer f.Close()
	if err := unix.IoctlSetPointerInt(int(f.Fd()), goingDown, flushed); err != nil {
		return fmt.Errorf("shut down %s: %w", path, err)
	}
	return nil
}

// unmount takes a disk away while everybody works on it.
func (s *soak) unmount() *deed {
	d, disk := s.drawDisk("unmount", false, true)
	if d == nil {
		return nil
	}
	d.do = disk.Unmount
	d.cure = func(ctx context.Context) error {
		return errors.Join(s.wantNothingBelow(disk), s.mountAgain(ctx, disk))
	}
	return d
}

// wantNothingBelow demands that nobody has written where a disk is not mounted.
func (s *soak) wantNothingBelow(disk *sick.XFS) error {
	return filepath.WalkDir(disk.Path, func(path string, _ fs.DirEntry, err error) error {
		if path != disk.Path && !isMounted(disk.Path) {
			s.fault("%s: written below the mount point", path)
		}
		return err
	})
}

// mountAgain mounts a disk afresh, whatever state it is in.
func (s *soak) mountAgain(ctx context.Context, disk *sick.XFS) error {
	if isMounted(disk.Path) {
		if err := disk.Unmount(ctx); err != nil {
			return err
		}
	}
	return disk.Mount(ctx)
}

func (s *soak) fill() *deed {
	d, disk := s.drawDisk("fill", false, false)
	if d == nil || s.held(d.node) {
		return nil
	}
	d.do = func(context.Context) error { return disk.Fill() }
	d.cure = func(context.Context) error { return disk.Free() }
	return d
}

func (s *soak) turnReadOnly() *deed {
	d, disk := s.drawDisk("read-only", false, false)
	if d == nil || s.held(d.node) { // whoever hangs may hold a file open for writing
		return nil
	}
	d.do = disk.ReadOnly
	d.cure = func(context.Context) error { return disk.Writable() }
	return d
}

func (s *soak) drawFuse(kind string, holds bool) *deed {
	node := s.c.Node(s.where.IP)
	if !s.well(s.where) || holds && s.leaving(node) {
		return nil
	}
	return &deed{
		kind: kind, on: place(s.c, s.where), node: node, disk: s.where, holds: holds,
		cure: func(context.Context) error { return s.fuse.Recover() },
	}
}

// hangFuse lets every call on a disk hang.
func (s *soak) hangFuse() *deed {
	d := s.drawFuse("hang", true)
	if d != nil {
		d.do = func(context.Context) error { return s.fuse.Hang() }
	}
	return d
}

// failFuse makes every call on a disk fail with EIO.
func (s *soak) failFuse() *deed {
	d := s.drawFuse("fail", false)
	if d != nil {
		d.do = func(context.Context) error { return s.fuse.Fail() }
	}
	return d
}

func isMounted(path string) bool {
	table, err := os.ReadFile("/proc/self/mountinfo")
	return err == nil && strings.Contains(string(table), " "+path+" ")
}
