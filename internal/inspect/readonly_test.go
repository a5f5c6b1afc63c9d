package inspect

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"understudy/internal/store"
	"understudy/messages"
)

// No call of the file system that the store makes changes anything through ReadOnly.
func TestReadOnly(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"file", ".lock", ".lock-replication"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("content"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "empty"), 0o755); err != nil {
		t.Fatal(err)
	}
	fs := ReadOnly(store.OS())
	d, err := fs.OpenDir(store.Root, dir, true)
	if err != nil {
		t.Fatal(err)
	}
	defer fs.CloseDir(d)
	for name, call := range map[string]func() error{
		"mkdir": func() error { return fs.Mkdir(d, "new") }, "rename": func() error { return fs.Rename(d, "file", d, "other") },
		"move": func() error { return fs.Move(d, "file", d, "other") },
	} {
		if err := call(); !errors.Is(err, unix.EROFS) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := errors.Join(fs.Rmdir(d, "empty"), fs.Remove(d, "file"), fs.SyncDir(d)); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"file", ".lock", ".lock-replication", "new", ".lock-new"} {
		for _, flags := range []int{
			unix.O_WRONLY, unix.O_RDWR, unix.O_WRONLY | unix.O_CREAT, unix.O_WRONLY | unix.O_TRUNC, unix.O_RDONLY | unix.O_TRUNC,
			unix.O_RDWR | unix.O_CREAT | unix.O_EXCL, unix.O_RDWR | unix.O_CREAT | unix.O_APPEND, unix.O_WRONLY | unix.O_TMPFILE,
		} {
			f, err := fs.OpenFile(d, name, flags, 0o644)
			if err != nil {
				if !errors.Is(err, unix.EROFS) {
					t.Errorf("open %s with %x: %v", name, flags, err)
				}
				continue
			}
			if n, err := f.Write([]byte("x")); n > 0 || err == nil {
				t.Errorf("%s was written to", name)
			}
			if err := f.Truncate(0); err == nil {
				t.Errorf("%s was cut", name)
			}
			f.Close()
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 4 {
		t.Errorf("%v, %v", entries, err)
	}
	for _, name := range []string{"file", ".lock", ".lock-replication"} {
		if data, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(data) != "content" {
			t.Errorf("%s: %q, %v", name, data, err)
		}
	}
}

// One who looks waits for no lock, and keeps nobody waiting.
func TestReadOnlyLocksNothing(t *testing.T) {
	root := t.TempDir()
	p := messages.Partition{Device: "sda", Number: 7}
	s := store.New(store.Options{Root: root, FS: ReadOnly(store.OS()), ReclaimAge: 1 << 40})
	dir := s.PartitionPath(p)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	other := store.New(store.Options{Root: root, ReclaimAge: 1 << 40})
	held, err := other.LockPartition(t.Context(), p, store.ReplicationLock, 0, false)
	if err != nil {
		t.Fatal(err)
	}
	hold, err := s.Hold(t.Context(), p)
	if err != nil {
		t.Fatalf("another holds the lock: %v", err)
	}
	if err := held.Unlock(); err != nil {
		t.Fatal(err)
	}
	held, err = other.LockPartition(t.Context(), p, store.ReplicationLock, 0, false)
	if err != nil {
		t.Fatalf("one who looks holds the lock: %v", err)
	}
	hold.Release()
	if err := held.Unlock(); err != nil {
		t.Fatal(err)
	}
}

// A node that has not answered three times in a row costs no more; one answer of any
// kind makes it a node like others.
func TestPatient(t *testing.T) {
	asked, answer := 0, error(nil)
	ask := Patient(func(context.Context, messages.Node, int, uint32) (messages.Hashes, error) {
		asked++
		return nil, answer
	})
	dead, unmounted := errors.New("timeout"), &messages.StatusError{Status: 507}
	node := messages.Node{ReplicationIP: "10.0.0.1", ReplicationPort: 6200, Device: "sda"}
	for _, next := range []error{dead, dead, unmounted, dead, dead, nil, dead, dead, dead} {
		answer = next
		if _, err := ask(t.Context(), node, 0, 1); !errors.Is(err, next) {
			t.Errorf("%v, want %v", err, next)
		}
	}
	if _, err := ask(t.Context(), node, 0, 1); err == nil || asked != 9 {
		t.Errorf("asked %d times, %v", asked, err)
	}
	other := node
	other.ReplicationPort++
	answer = nil
	if _, err := ask(t.Context(), other, 0, 1); err != nil || asked != 10 {
		t.Errorf("another node: asked %d times, %v", asked, err)
	}
}

// A disk that hangs is left behind.
func TestWithin(t *testing.T) {
	hang := make(chan struct{})
	defer close(hang)
	if _, err := within(t.Context(), 1, func(context.Context) (int, error) { <-hang; return 1, nil }); !errors.Is(err, errHangs) {
		t.Error(err)
	}
	if n, err := within(t.Context(), 1<<40, func(context.Context) (int, error) { return 7, nil }); n != 7 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
}
