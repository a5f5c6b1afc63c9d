package sick

import (
	"bufio"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// A dead disk fails every call, even lstat of its root, until it is mounted afresh;
// what was written before is there again.
func TestDeadDisk(t *testing.T) {
	d := newXFS(t)
	file := filepath.Join(d.Path, "file")
	put(t, file, "text")
	must(t, d.Sync())
	must(t, d.Die(soon(t)))
	if _, err := os.Lstat(d.Path); !errors.Is(err, unix.EIO) {
		t.Errorf("lstat of the root: %v", err)
	}
	if err := os.WriteFile(file, nil, 0o644); !errors.Is(err, unix.EIO) {
		t.Errorf("write: %v", err)
	}
	must(t, d.Unmount(soon(t)))
	must(t, d.Mount(soon(t)))
	want(t, file, "text")
}

// A frozen disk lets reads through. A write hangs where SIGKILL does not reach it, and
// is done when the disk is thawed.
func TestFrozenDisk(t *testing.T) {
	d := newXFS(t)
	put(t, filepath.Join(d.Path, "old"), "text")
	must(t, d.Freeze(soon(t)))
	want(t, filepath.Join(d.Path, "old"), "text")
	file := filepath.Join(d.Path, "new")
	cmd := exec.Command("sh", "-c", `echo text >"$0"`, file)
	must(t, cmd.Start())
	await(t, "the write hangs", func() bool { return Hanging(cmd.Process.Pid) == 1 })
	must(t, cmd.Process.Kill())
	if _, err := os.Lstat(file); !os.IsNotExist(err) || State(cmd.Process.Pid) != 'D' {
		t.Errorf("a frozen disk took a write: %v, state %c", err, State(cmd.Process.Pid))
	}
	must(t, d.Thaw(soon(t)))
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Errorf("the writer ended with %v", err)
	}
	put(t, file, "text")
}

// A full disk refuses a file without a name as soon as something is written to it,
// and one with a name; what it has can be read and removed.
func TestFullDisk(t *testing.T) {
	d := newXFS(t)
	file := filepath.Join(d.Path, "file")
	put(t, file, "text")
	must(t, d.Fill())
	if err := writeNameless(d.Path); !errors.Is(err, unix.ENOSPC) {
		t.Errorf("write a file without a name: %v", err)
	}
	if err := os.WriteFile(filepath.Join(d.Path, "new"), []byte("text"), 0o644); !errors.Is(err, unix.ENOSPC) {
		t.Errorf("write a file: %v", err)
	}
	want(t, file, "text")
	must(t, os.Remove(file))
	must(t, d.Free())
	must(t, writeNameless(d.Path))
}

// A read-only disk refuses writes with EROFS and can be read, in a namespace that was
// made meanwhile, too; there it can be written again as soon as it can here.
func TestReadOnlyDisk(t *testing.T) {
	d := newXFS(t)
	put(t, filepath.Join(d.Path, "file"), "text")
	must(t, d.ReadOnly(soon(t)))
	if err := writeNameless(d.Path); !errors.Is(err, unix.EROFS) {
		t.Errorf("write a file without a name: %v", err)
	}
	want(t, filepath.Join(d.Path, "file"), "text")
	slave := exec.Command("unshare", "-m", "--propagation", "slave", "sh", "-c",
		`touch "$0" || echo refused; read -r word; touch "$0" && echo touched`, filepath.Join(d.Path, "new"))
	talk := converse(t, slave)
	talk("refused\n")
	must(t, d.Writable())
	must(t, writeNameless(d.Path))
	talk("touched\n")
}

// A disk in use cannot be unmounted; a shell that was started in the namespace of a
// slave, as the daemons of a cluster are, sees it go.
func TestUnmountedDisk(t *testing.T) {
	d := newXFS(t)
	file := filepath.Join(d.Path, "file")
	put(t, file, "text")
	slave := exec.Command("unshare", "-m", "--propagation", "slave", "sh", "-c",
		`test -e "$0" && echo there; read -r word; test -e "$0" || echo gone`, file)
	talk := converse(t, slave)
	talk("there\n")
	f, err := os.Open(file)
	must(t, err)
	if err := command(soon(t), "umount", d.Path); err == nil {
		t.Error("a disk in use could be unmounted")
	}
	must(t, f.Close())
	must(t, d.Unmount(soon(t)))
	talk("gone\n")
	must(t, d.Mount(soon(t)))
	want(t, file, "text")
}

// converse starts a script and returns what wants it to say a line. Before all but the
// first, the script gets an empty line to read.
func converse(t *testing.T, cmd *exec.Cmd) (talk func(want string)) {
	t.Helper()
	stdin, err := cmd.StdinPipe()
	must(t, err)
	stdout, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	t.Cleanup(func() {
		_ = stdin.Close()
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	})
	lines := bufio.NewReader(stdout)
	first := true
	return func(want string) {
		t.Helper()
		if !first {
			_, err := io.WriteString(stdin, "\n")
			must(t, err)
		}
		first = false
		if said, err := lines.ReadString('\n'); err != nil || said != want {
			t.Fatalf("%q, %v", said, err)
		}
	}
}

// writeNameless does what a probe does: a file without a name, written and synced.
func writeNameless(dir string) error {
	fd, err := unix.Open(dir, unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if _, err := unix.Write(fd, make([]byte, 4096)); err != nil {
		return err
	}
	return unix.Fsync(fd)
}
