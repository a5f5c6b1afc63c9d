package hang

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// A process that reads while the mount hangs is not even killed by SIGKILL; once the
// mount goes on, it ends.
func TestHang(t *testing.T) {
	source, target := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(source, "file"), []byte("content"), 0o644); err != nil {
		t.Fatal(err)
	}
	m, err := New(source, target)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	path := filepath.Join(target, "file")
	if out, err := exec.Command("cat", path).Output(); err != nil || string(out) != "content" {
		t.Fatalf("before the hang: %q, %v", out, err)
	}
	m.Hang()
	cat := exec.Command("cat", path)
	if err := cat.Start(); err != nil {
		t.Fatal(err)
	}
	waited := make(chan error, 1)
	go func() { waited <- cat.Wait() }()
	awaitBlocked(t, cat.Process.Pid)
	if err := cat.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-waited:
		t.Fatalf("the reader ended: %v", err)
	case <-time.After(300 * time.Millisecond): // longer only makes the test stricter
	}
	m.Resume()
	select {
	case err := <-waited:
		if err == nil {
			t.Error("the reader was not killed")
		}
	case <-time.After(30 * time.Second):
		t.Fatal("the reader hangs after the mount goes on")
	}
	if out, err := exec.Command("cat", path).Output(); err != nil || string(out) != "content" {
		t.Fatalf("after the hang: %q, %v", out, err)
	}
}

// awaitBlocked waits until a process waits for the mount.
func awaitBlocked(t *testing.T, pid int) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for time.Now().Before(deadline) {
		where, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "wchan"))
		if err == nil && (string(where) == "request_wait_answer" || string(where) == "fuse_simple_request") {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatal("the reader does not wait for the mount")
}
