package store

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"understudy/messages"
)

func (b *bench) probe() (messages.Disk, error) {
	b.Helper()
	disk, err := b.Probe(context.Background(), "sda")
	if open := openFiles(b, b.root); open != 0 {
		b.Errorf("%d files open", open)
	}
	return disk, err
}

// withoutTmpfile is a file system on which every file has a name. The hook sees
// every other call.
func withoutTmpfile(errno unix.Errno, hook func(op, path string) error) func(*Options) {
	return withHook(func(op, path string) error {
		if op == "tmpfile" {
			return errno
		}
		if hook == nil {
			return nil
		}
		return hook(op, path)
	})
}

// A disk that is well is fine, and looks as before; a file with a name is made only
// where there is no other way, and what a crash has left there goes.
func TestProbe(t *testing.T) {
	for _, errno := range []unix.Errno{0, unix.EOPNOTSUPP, unix.EISDIR, unix.ENOENT} {
		var ops []string
		hook := func(op, path string) error {
			if op == "create" || op == "fsync" || op == "pread" || op == "remove" {
				ops = append(ops, op)
			}
			return nil
		}
		tune, want := withHook(hook), []string{"fsync", "pread"}
		if errno != 0 {
			tune, want = withoutTmpfile(errno, hook), []string{"remove", "create", "fsync", "pread", "remove"}
		}
		b := newBench(t, tune)
		b.write(b.path("sda/objects/7/abc/x"), "")
		before := tree(t, b.root)
		if errno != 0 {
			b.write(b.path("sda", probeFile), "of a probe that has died")
		}
		if disk, err := b.probe(); err != nil || disk != messages.DiskFine {
			t.Errorf("%v: %q, %v", errno, disk, err)
		}
		if after := tree(t, b.root); !slices.Equal(before, after) {
			t.Errorf("%v: left %v", errno, after)
		}
		if !slices.Equal(ops, want) {
			t.Errorf("%v: %v, want %v", errno, ops, want)
		}
	}
}

// Each step can fail in each way; one answer each, and no file is left.
func TestProbeFaults(t *testing.T) {
	type answer struct {
		disk messages.Disk
		bad  bool
	}
	writing := map[unix.Errno]answer{
		unix.ENOSPC: {disk: messages.DiskFull}, unix.EDQUOT: {disk: messages.DiskFull}, unix.EROFS: {disk: messages.DiskReadOnly},
		unix.EIO: {bad: true}, unix.EUCLEAN: {bad: true}, unix.ENOTCONN: {bad: true}, unix.EMFILE: {bad: true},
	}
	for _, named := range []bool{false, true} {
		steps := []string{"write", "fsync", "pread", "close"}
		if named {
			steps = append(steps, "create", "remove")
		} else {
			steps = append(steps, "tmpfile")
		}
		for _, step := range steps {
			for errno, want := range writing {
				asked := 0
				hook := func(op, path string) error {
					if op == step {
						if asked++; asked == 1 {
							return errno
						}
					}
					return nil
				}
				tune := withHook(hook)
				if named {
					tune = withoutTmpfile(unix.EOPNOTSUPP, hook)
				}
				b := newBench(t, tune)
				disk, err := b.probe()
				if disk != want.disk || want.bad != (err != nil) {
					t.Errorf("%v at %s: %q, %v", errno, step, disk, err)
				}
				if err != nil && (!errors.Is(err, errno) || !strings.HasPrefix(err.Error(), "probe device sda: ")) {
					t.Errorf("%v at %s: %v", errno, step, err)
				}
				if step == "fsync" && asked != 1 {
					t.Errorf("%v: %d times fsync", errno, asked)
				}
				if left := tree(t, b.path("sda")); len(left) > 0 {
					t.Errorf("%v at %s: left %v", errno, step, left)
				}
			}
		}
	}
}

// A disk that takes no writes must be readable: when it is not, that is what counts.
func TestProbeOfAnUnwritableDiskReads(t *testing.T) {
	for _, errno := range []unix.Errno{unix.EROFS, unix.ENOSPC, unix.EACCES} {
		for _, step := range []string{"readdir", "readdir on", "stat"} {
			armed := false
			b := newBench(t, withHook(func(op, path string) error {
				if op == "tmpfile" {
					armed = true
					return errno
				}
				if armed && op == step {
					return unix.EIO
				}
				return nil
			}))
			b.mkdir("sda/objects")
			if disk, err := b.probe(); !b.Ill(err) || disk != messages.DiskFine {
				t.Errorf("%v, then EIO at %s: %q, %v", errno, step, disk, err)
			}
		}
	}
}

// An illness is told also when the disk is full as well.
func TestProbeTellsIllnessFirst(t *testing.T) {
	b := newBench(t, withHook(func(op, path string) error {
		switch op {
		case "write":
			return unix.ENOSPC
		case "close":
			return unix.EIO
		}
		return nil
	}))
	if disk, err := b.probe(); !errors.Is(err, unix.EIO) || disk != messages.DiskFine {
		t.Errorf("%q, %v", disk, err)
	}
}

// flipFS reads back one bit that was not written, or nothing.
type flipFS struct {
	faultFS
	short bool
}

type flipFile struct {
	File
	short bool
}

func (f flipFS) OpenFile(at Dir, name string, flags int, perm uint32) (File, error) {
	file, err := f.faultFS.OpenFile(at, name, flags, perm)
	return flipFile{file, f.short}, err
}

func (f flipFile) ReadAt(p []byte, at int64) (int, error) {
	if f.short {
		return f.File.ReadAt(p, at+1)
	}
	n, err := f.File.ReadAt(p, at)
	p[n-1] ^= 1
	return n, err
}

func TestProbeComparesBytes(t *testing.T) {
	for _, short := range []bool{false, true} {
		b := newBench(t, func(o *Options) {
			o.FS = flipFS{faultFS{OS(), func(op, path string) error { return nil }}, short}
		})
		_, err := b.probe()
		if err == nil || err.Error() != "probe device sda: probe read back other bytes than it wrote" || !b.Ill(err) {
			t.Errorf("%v", err)
		}
	}
}

// Two probes write different bytes, or the second could read what the first wrote.
func TestProbesDiffer(t *testing.T) {
	var wrote []string
	b := newBench(t, func(o *Options) { o.FS = spyFS{faultFS{OS(), func(op, path string) error { return nil }}, &wrote} })
	for range 2 {
		if _, err := b.probe(); err != nil {
			t.Fatal(err)
		}
	}
	if len(wrote) != 2 || len(wrote[0]) != probeSize || wrote[0] == wrote[1] {
		t.Errorf("%d writes", len(wrote))
	}
}

type spyFS struct {
	faultFS
	wrote *[]string
}

type spyFile struct {
	File
	wrote *[]string
}

func (f spyFS) OpenFile(at Dir, name string, flags int, perm uint32) (File, error) {
	file, err := f.faultFS.OpenFile(at, name, flags, perm)
	return spyFile{file, f.wrote}, err
}

func (f spyFile) Write(p []byte) (int, error) {
	*f.wrote = append(*f.wrote, string(p))
	return f.File.Write(p)
}

// A device that belongs to another user is read, and is fine.
func TestProbeOfAnotherUsersDevice(t *testing.T) {
	b := newBench(t, nil)
	b.mkdir("sda/objects")
	for _, dir := range []string{filepath.Dir(b.root), b.root, b.path("sda")} {
		if err := os.Chmod(dir, 0o555); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.Chmod(dir, 0o755) })
	}
	var disk messages.Disk
	var err error
	asNobody(t, func() { disk, err = b.Probe(context.Background(), "sda") })
	if err != nil || disk != messages.DiskFine {
		t.Errorf("%q, %v", disk, err)
	}
	if log := b.log.String(); strings.Count(log, "\n") != 1 || !strings.Contains(log, `"level":"debug"`) || !strings.Contains(log, `"device":"sda"`) {
		t.Errorf("log: %s", log)
	}
}

// asNobody runs f on a thread that has no rights of root's over files. The thread
// ends with it.
func asNobody(t *testing.T, f func()) {
	t.Helper()
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		var err error
		if os.Geteuid() == 0 {
			err = unix.Setfsuid(65534)
		}
		if err == nil {
			f()
		}
		done <- err
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func TestProbeIsCancelled(t *testing.T) {
	for _, step := range []string{"opendir", "write", "fsync"} {
		ctx, cancel := context.WithCancel(context.Background())
		after := ""
		b := newBench(t, withoutTmpfile(unix.EOPNOTSUPP, func(op, path string) error {
			if ctx.Err() != nil && (op == "write" || op == "fsync" || op == "pread") {
				after = op
			}
			if op == step {
				cancel()
			}
			return nil
		}))
		if _, err := b.Probe(ctx, "sda"); !errors.Is(err, context.Canceled) || after != "" {
			t.Errorf("cancelled at %s: %v, then %q", step, err, after)
		}
		if left := tree(t, b.path("sda")); len(left) > 0 {
			t.Errorf("cancelled at %s: left %v", step, left)
		}
	}
}

// Another probe of the same disk, in another process, takes the name now and then.
func TestProbesMeet(t *testing.T) {
	made := 0
	var b *bench
	b = newBench(t, withoutTmpfile(unix.EOPNOTSUPP, func(op, path string) error {
		if op == "create" && made == 0 {
			made++
			b.write(path, "of another")
		}
		if op == "close" {
			os.Remove(b.path("sda", probeFile))
		}
		return nil
	}))
	if disk, err := b.probe(); err != nil || disk != messages.DiskFine || made != 1 {
		t.Errorf("%q, %v", disk, err)
	}
}
