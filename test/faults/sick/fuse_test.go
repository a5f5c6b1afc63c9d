package sick

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"
)

// A well FUSE disk does all that Swift needs of a disk: nameless files that get a
// name, attributes, locks, renames. Its files are those of the folder behind.
func TestFusePassesThrough(t *testing.T) {
	d, behind := newFuse(t)
	dir := filepath.Join(d.Path, "a", "b")
	must(t, os.MkdirAll(dir, 0o755))
	fd, err := unix.Open(dir, unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
	must(t, err)
	f := os.NewFile(uintptr(fd), "nameless")
	defer f.Close()
	_, err = f.WriteString("text")
	must(t, err)
	must(t, unix.Fsetxattr(fd, "user.swift.metadata", []byte("value"), 0))
	must(t, f.Sync())
	must(t, unix.Linkat(unix.AT_FDCWD, "/proc/self/fd/"+strconv.Itoa(fd), unix.AT_FDCWD, filepath.Join(dir, "one"), unix.AT_SYMLINK_FOLLOW))
	must(t, os.Rename(filepath.Join(dir, "one"), filepath.Join(dir, "two")))
	want(t, filepath.Join(behind, "a/b/two"), "text")
	value := make([]byte, 10)
	if n, err := unix.Getxattr(filepath.Join(behind, "a/b/two"), "user.swift.metadata", value); err != nil || string(value[:n]) != "value" {
		t.Errorf("attribute %q, %v", value[:max(0, n)], err)
	}
	must(t, unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB))
	var root, parent unix.Stat_t
	must(t, unix.Lstat(d.Path, &root))
	must(t, unix.Lstat(filepath.Dir(d.Path), &parent))
	if root.Dev == parent.Dev {
		t.Error("the disk is no mount point to who compares devices")
	}
}

// Whatever is asked of a hanging disk hangs, and no signal ends it; when the disk
// recovers it is done, and nothing is left.
func TestFuseHangs(t *testing.T) {
	d, behind := newFuse(t)
	put(t, filepath.Join(behind, "file"), "text")
	must(t, d.Hang())
	var stuck []*exec.Cmd
	for _, argv := range [][]string{
		{"cat", "file"}, {"ls", "."}, {"stat", "file"}, {"touch", "new"}, {"mkdir", "folder"}, {"rm", "old"}, {"mv", "one", "two"},
	} {
		for i, name := range argv[1:] {
			argv[i+1] = filepath.Join(d.Path, name)
		}
		cmd := exec.Command(argv[0], argv[1:]...)
		must(t, cmd.Start())
		stuck = append(stuck, cmd)
	}
	await(t, "all calls have come to the disk", holds(t, d, len(stuck)))
	for _, cmd := range stuck {
		must(t, cmd.Process.Kill())
	}
	for _, cmd := range stuck {
		await(t, "cannot be killed: "+cmd.String(), func() bool { return State(cmd.Process.Pid) == 'D' })
	}
	must(t, d.Recover())
	for _, cmd := range stuck {
		_ = cmd.Wait() // killed by now
	}
	must(t, writeNameless(d.Path))
	want(t, filepath.Join(d.Path, "file"), "text")
}

// holds tells whether so many calls hang. Before they have come to the disk, the
// kernel takes them back when their callers are killed.
func holds(t *testing.T, d *Fuse, want int) func() bool {
	return func() bool {
		n, err := d.Holds()
		must(t, err)
		return n == want
	}
}

// One call that hangs has its thread in the kernel: SIGKILL leaves a process that can
// not be waited for until the server of the disk ends, and then at once.
func TestFuseTorn(t *testing.T) {
	d, behind := newFuse(t)
	put(t, filepath.Join(behind, "file"), "text")
	must(t, d.Hang())
	cmd := exec.Command("cat", filepath.Join(d.Path, "file"))
	must(t, cmd.Start())
	await(t, "the call has come to the disk", holds(t, d, 1))
	must(t, cmd.Process.Kill())
	await(t, "the reader hangs in the kernel", func() bool { return State(cmd.Process.Pid) == 'D' })
	d.Tear()
	_ = cmd.Wait() // killed, or its read has failed before
	if _, err := os.Lstat(d.Path); !errors.Is(err, unix.ENOTCONN) {
		t.Errorf("lstat of a torn disk: %v", err)
	}
}

// A failing disk answers EIO to everything, also to what hung before.
func TestFuseFails(t *testing.T) {
	d, behind := newFuse(t)
	put(t, filepath.Join(behind, "file"), "text")
	must(t, d.Fail())
	for name, do := range map[string]func() error{
		"lstat": func() error { _, err := os.Lstat(d.Path); return err },
		"read":  func() error { _, err := os.ReadFile(filepath.Join(d.Path, "file")); return err },
		"list":  func() error { _, err := os.ReadDir(d.Path); return err },
		"write": func() error { return writeNameless(d.Path) },
	} {
		if err := do(); !errors.Is(err, unix.EIO) {
			t.Errorf("%s: %v", name, err)
		}
	}
	must(t, d.Recover())
	want(t, filepath.Join(d.Path, "file"), "text")
}
