package faults

import (
	"context"
	"io/fs"
	"path/filepath"
	"testing"
	"time"
)

// A disk whose file system has shut itself down fails every call. Ten errors in a row,
// or here three, take it out of service; an operator unmounts it, which must work at
// once, and mounts it again.
func (l *lab) dies(t *testing.T) {
	d := l.xfs["d3"]
	l.course(t, illness{
		disk: "d3", method: "rsync", fall: d.Die, state: "failing",
		heal: func(ctx context.Context) error {
			if err := d.Unmount(atOnce(t, ctx)); err != nil {
				return err
			}
			return d.Mount(ctx)
		},
	})
}

// A disk answers every call with an I/O error, as after a cable came loose, and then
// works again: nobody has to tell the daemon.
func (l *lab) fails(t *testing.T) {
	l.course(t, illness{
		disk: fuseDisk, method: "ssync", state: "failing", stay: true,
		fall: func(context.Context) error { return l.fuse.Fail() },
		heal: func(context.Context) error { return l.fuse.Recover() },
	})
}

// A frozen disk can be read, but whatever writes to it hangs in the kernel: only a
// probe that writes finds out. The threads that hang cannot be ended; the daemon can.
func (l *lab) freezes(t *testing.T) {
	d := l.xfs["d5"]
	l.course(t, illness{disk: "d5", method: "rsync", fall: d.Freeze, state: "stalled", heal: d.Thaw})
}

// The same over ssync, where it is not an rsync but the daemon that reads the disk.
func (l *lab) freezesOverSsync(t *testing.T) {
	d := l.xfs["d5"]
	l.course(t, illness{disk: "d5", method: "ssync", fall: d.Freeze, state: "stalled", heal: d.Thaw, stay: true})
}

// A disk that answers nothing at all holds whoever asks it: the daemon's calls and its
// rsyncs. Then it answers again, as if nothing had been.
func (l *lab) hangs(t *testing.T) {
	l.course(t, illness{
		disk: fuseDisk, method: "rsync", state: "stalled",
		fall: func(context.Context) error { return l.fuse.Hang() },
		heal: func(context.Context) error { return l.fuse.Recover() },
	})
}

// A disk that hangs never answers again: it is torn out, and another one with the same
// files is mounted in its place.
func (l *lab) hangsForEver(t *testing.T) {
	l.course(t, illness{
		disk: fuseDisk, method: "ssync", state: "stalled", stay: true,
		fall: func(context.Context) error { return l.fuse.Hang() },
		heal: func(ctx context.Context) error {
			if err := l.fuse.Close(ctx); err != nil {
				return err
			}
			l.mountFuse(t)
			return nil
		},
	})
}

// A disk is unmounted in the middle of a pass: what works on it now may delay that a
// little, the daemon as such may not. While it is away nothing is written to the
// folder that is in its place, which belongs to Swift's user like the disk.
func (l *lab) isUnmounted(t *testing.T) {
	d := l.xfs["d8"]
	l.course(t, illness{
		disk: "d8", method: "rsync", state: "unmounted",
		fall: func(ctx context.Context) error { return d.Unmount(atOnce(t, ctx)) },
		heal: d.Mount,
		watch: func(t *testing.T) {
			err := filepath.WalkDir(d.Path, func(path string, _ fs.DirEntry, err error) error {
				if path != d.Path {
					t.Errorf("written below the mount point: %s", path)
				}
				return err
			})
			must(t, err)
		},
	})
}

// atOnce bounds an unmounting: a job in flight may take that long, not more.
func atOnce(t *testing.T, ctx context.Context) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	t.Cleanup(cancel)
	return ctx
}
