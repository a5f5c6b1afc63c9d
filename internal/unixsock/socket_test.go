package unixsock

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

const patience = 30 * time.Second

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for limit := time.Now().Add(patience); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatalf("%s: not in %s", what, patience)
		}
	}
}

// The file has its permissions, wider ones than umask lets through included, and
// goes with the listener.
func TestSocketMode(t *testing.T) {
	for _, mode := range []fs.FileMode{0o600, 0o660, 0o666, 0o400} {
		path := filepath.Join(t.TempDir(), "made", "s")
		l, err := Listen(path, mode)
		if err != nil {
			t.Fatal(err)
		}
		info, err := os.Lstat(path)
		if err != nil || info.Mode() != mode|fs.ModeSocket {
			t.Errorf("%v, %v; want %v", info.Mode(), err, mode)
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("after the end: %v", err)
		}
	}
}

// At no moment has the file more permissions than its mode: bind itself makes it so,
// which the mode shows that it has before anybody has changed it.
func TestSocketModeFromTheBeginning(t *testing.T) {
	dir := t.TempDir()
	watched := make(chan fs.FileMode, 1)
	path := filepath.Join(dir, "s")
	stop := make(chan struct{})
	go func() {
		var worst fs.FileMode
		for {
			if info, err := os.Lstat(path); err == nil {
				worst |= info.Mode().Perm()
			}
			select {
			case <-stop:
				watched <- worst
				return
			default:
			}
		}
	}()
	for range 200 {
		l, err := Listen(path, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		_ = l.Close()
	}
	close(stop)
	if worst := <-watched; worst&^0o600 != 0 {
		t.Errorf("it had mode %v", worst)
	}
}

// A path that is too long for a socket's address works, too.
func TestSocketWithALongPath(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("long", 30))
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "s")
	l, err := Listen(path, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if alive, err := living(path); err != nil || !alive {
		t.Errorf("alive %v, %v", alive, err)
	}
}

// What a dead process has left is replaced; a living one's is not, and neither is
// what is no socket. Who has lost his name to another does not take it away.
func TestSocketOfAnother(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	stale, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	stale.(*net.UnixListener).SetUnlinkOnClose(false)
	if _, err := Listen(path, 0o600); !errors.Is(err, ErrInUse) {
		t.Errorf("a living one: %v", err)
	}
	_ = stale.Close()
	first, err := Listen(path, 0o600)
	if err != nil {
		t.Fatalf("a stale one: %v", err)
	}
	if err := os.Remove(path); err != nil { // by hand
		t.Fatal(err)
	}
	second, err := Listen(path, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	_ = first.Close()
	if alive, err := living(path); err != nil || !alive {
		t.Errorf("the second is gone: %v, %v", alive, err)
	}
	for name, make := range map[string]func(string) error{
		"file":    func(p string) error { return os.WriteFile(p, []byte("precious"), 0o600) },
		"folder":  func(p string) error { return os.Mkdir(p, 0o700) },
		"symlink": func(p string) error { return os.Symlink(path, p) },
	} {
		p := filepath.Join(t.TempDir(), name)
		if err := make(p); err != nil {
			t.Fatal(err)
		}
		if _, err := Listen(p, 0o600); err == nil || !strings.Contains(err.Error(), "no socket") {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := os.Lstat(p); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A process that has ended is over, whoever still holds its number.
func TestZombie(t *testing.T) {
	if zombie(os.Getpid()) {
		t.Error("this process lives")
	}
	cmd := exec.Command("/bin/true")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a zombie", func() bool { return zombie(cmd.Process.Pid) }) // nobody has waited for it
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	if !zombie(cmd.Process.Pid) {
		t.Error("it is gone")
	}
}

// A folder that another process has locked for good is an error, not a hang.
func TestSocketFolderLocked(t *testing.T) {
	dir := t.TempDir()
	f, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(filepath.Join(dir, "s"), 0o600); !errors.Is(err, syscall.EWOULDBLOCK) {
		t.Error(err)
	}
}

// deadDisk is what a process is that was killed while one of its threads waits in
// the kernel: its leader is a zombie, its sockets are open.
const deadDisk = `
import ctypes, socket, sys, threading, time
s = socket.socket(socket.AF_UNIX)
s.bind(sys.argv[1])
s.listen()
threading.Thread(target=time.sleep, args=(600,)).start()
print("listening", flush=True)
ctypes.CDLL(None).syscall(ctypes.c_long(93 if sys.argv[2] == "arm64" else 60), 0)
`

// A daemon that cannot end for a dead disk does not keep its socket from the next.
func TestSocketOfAProcessThatCannotEnd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	cmd := exec.Command("/usr/bin/python3", "-c", deadDisk, path, runtime.GOARCH)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	if _, err := out.Read(make([]byte, 100)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a zombie", func() bool { return zombie(cmd.Process.Pid) })
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatalf("its socket is closed: %v", err)
	}
	_ = c.Close()
	l, err := Listen(path, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
}
