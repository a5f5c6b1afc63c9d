package sick

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// smallest is the size of the smallest file system that mkfs.xfs makes.
const smallest = 300 << 20

// XFS is a disk: a file system of its own in a sparse file, by a loop device.
type XFS struct {
	Path  string // its mount point
	image string
}

// NewXFS makes a disk in a new file and mounts it on a folder, whose owner and mode
// its root gets.
func NewXFS(ctx context.Context, image, path string) (*XFS, error) {
	f, err := os.Create(image)
	if err != nil {
		return nil, fmt.Errorf("make disk %s: %w", path, err)
	}
	if err := errors.Join(f.Truncate(smallest), f.Close()); err != nil {
		return nil, fmt.Errorf("make disk %s: %w", path, err)
	}
	return newXFSOn(ctx, image, path)
}

// newXFSOn makes a file system in a file that is there.
func newXFSOn(ctx context.Context, image, path string) (*XFS, error) {
	d := &XFS{Path: path, image: image}
	var folder unix.Stat_t
	if err := unix.Stat(path, &folder); err != nil {
		return nil, fmt.Errorf("make disk %s: %w", path, err)
	}
	if err := command(ctx, "mkfs.xfs", "-q", image); err != nil {
		return nil, err
	}
	if err := d.Mount(ctx); err != nil {
		return nil, err
	}
	err := errors.Join(unix.Chown(path, int(folder.Uid), int(folder.Gid)), unix.Chmod(path, folder.Mode&0o7777))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("make disk %s: %w", path, err), d.Close(ctx))
	}
	return d, nil
}

// Mount mounts the disk.
func (d *XFS) Mount(ctx context.Context) error {
	return command(ctx, "mount", "-o", "loop", d.image, d.Path)
}

// Remake makes the file system anew: all that was on the disk is gone. It must not be
// mounted, and is not mounted; its root belongs to root then.
func (d *XFS) Remake(ctx context.Context) error {
	if mounted(ctx, d.Path) {
		return fmt.Errorf("make disk %s anew: it is mounted", d.Path)
	}
	return command(ctx, "mkfs.xfs", "-q", "-f", d.image)
}

// Unmount unmounts the disk as an operator does: while it is in use it tries again,
// as long as the context allows.
func (d *XFS) Unmount(ctx context.Context) error {
	return patiently(ctx, func() error { return command(ctx, "umount", d.Path) })
}

// Sync writes all that is cached to the disk.
func (d *XFS) Sync() error {
	root, err := os.Open(d.Path)
	if err != nil {
		return fmt.Errorf("sync disk: %w", err)
	}
	defer root.Close()
	if err := unix.Syncfs(int(root.Fd())); err != nil {
		return fmt.Errorf("sync disk %s: %w", d.Path, err)
	}
	return nil
}

// Die shuts the file system down, as it does itself when its log cannot be written:
// every call fails with EIO until the disk is unmounted and mounted again.
func (d *XFS) Die(ctx context.Context) error {
	return command(ctx, "xfs_io", "-x", "-c", "shutdown", d.Path)
}

// Freeze stops all writes: they hang in the kernel, where no signal ends them. Reads
// go on.
func (d *XFS) Freeze(ctx context.Context) error { return command(ctx, "xfs_freeze", "-f", d.Path) }

// Thaw lets the writes of a frozen disk go on.
func (d *XFS) Thaw(ctx context.Context) error { return command(ctx, "xfs_freeze", "-u", d.Path) }

// ReadOnly makes the disk fail writes with EROFS, as its file system does itself after
// some errors: the file system, not this mount of it, so that every namespace sees it.
// The kernel refuses while a file is open for writing: it is asked again as long as
// the context allows.
func (d *XFS) ReadOnly(ctx context.Context) error {
	return patiently(ctx, func() error { return d.reconfigure("ro") })
}

// Writable takes ReadOnly back.
func (d *XFS) Writable() error { return d.reconfigure("rw") }

func (d *XFS) reconfigure(flag string) error {
	fd, err := unix.Fspick(unix.AT_FDCWD, d.Path, unix.FSPICK_CLOEXEC)
	if err != nil {
		return fmt.Errorf("make disk %s %s: %w", d.Path, flag, err)
	}
	defer unix.Close(fd)
	if err := unix.FsconfigSetFlag(fd, flag); err != nil {
		return fmt.Errorf("make disk %s %s: %w", d.Path, flag, err)
	}
	if err := unix.FsconfigReconfigure(fd); err != nil {
		return fmt.Errorf("make disk %s %s: %w", d.Path, flag, err)
	}
	return nil
}

// Fill takes every free block of the disk: writes fail with ENOSPC. It can be called
// again when something has been removed since.
func (d *XFS) Fill() error {
	f, err := os.OpenFile(d.ballast(), os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("fill disk %s: %w", d.Path, err)
	}
	defer f.Close()
	at, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return fmt.Errorf("fill disk %s: %w", d.Path, err)
	}
	for size := int64(128 << 20); size >= 4096; {
		switch err := unix.Fallocate(int(f.Fd()), 0, at, size); {
		case err == nil:
			at += size
		case errors.Is(err, unix.ENOSPC):
			size /= 2
		case !errors.Is(err, unix.EINTR):
			return fmt.Errorf("fill disk %s: %w", d.Path, err)
		}
	}
	return nil
}

// Free gives back what Fill has taken.
func (d *XFS) Free() error {
	if err := os.Remove(d.ballast()); err != nil {
		return fmt.Errorf("free disk %s: %w", d.Path, err)
	}
	return nil
}

func (d *XFS) ballast() string { return filepath.Join(d.Path, "ballast") }

// Close thaws and unmounts the disk, whatever state it is in, and removes its file.
func (d *XFS) Close(ctx context.Context) error {
	_ = d.Thaw(ctx) // it complains when the disk is not frozen
	err := error(nil)
	if mounted(ctx, d.Path) {
		soon, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		if err = d.Unmount(soon); err != nil {
			err = errors.Join(err, command(ctx, "umount", "--lazy", d.Path))
		}
	}
	return errors.Join(err, os.Remove(d.image))
}
