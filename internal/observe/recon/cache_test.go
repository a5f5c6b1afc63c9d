package recon

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"understudy/messages"
)

// Entries of the engine's own types print as expected.
func TestUpdateTypes(t *testing.T) {
	dir := t.TempDir()
	nodes := messages.FailureNodes{}
	nodes.Count(messages.Node{ReplicationIP: "10.0.0.1", Device: "sdb"})
	err := New(dir).Update(t.Context(), map[string]any{
		"replication_stats": map[string]any{"failure_nodes": nodes, "attempted": 3, "u": uint8(1), "none": nil, "no": (*int)(nil)},
		"replication_time":  float64(2),
		"list":              []any{true, "é", 1.5},
	})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, FileName)
	const want = `{"list": [true, "\u00e9", 1.5], "replication_stats": {"attempted": 3, "failure_nodes": {"10.0.0.1": {"sdb": 1}}, "no": null, "none": null, "u": 1}, "replication_time": 2.0}` + "\n"
	if data, err := os.ReadFile(path); err != nil || string(data) != want {
		t.Errorf("the file holds %s, %v\nwant           %s", data, err, want)
	}
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

func TestRefusals(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, FileName)
	for _, entries := range []map[string]any{
		{"a": struct{}{}}, {"a": map[int]int{}}, {"a": []any{func() {}}}, {"a": endless()},
	} {
		if err := New(dir).Update(t.Context(), entries); err == nil {
			t.Errorf("%T is accepted", entries["a"])
		}
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("a file was made: %v", err)
		}
	}
	if err := New(filepath.Join(dir, "none")).Update(t.Context(), nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("update without a directory: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the directory was made: %v", err)
	}
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := New(dir).Update(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("update of a pipe: %v", err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	mustWrite(t, path, `{"a": "`+strings.Repeat("x", maxLine)+`"}`)
	if err := New(dir).Update(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "bytes") {
		t.Errorf("update of a giant: %v", err)
	}
	onlyTheCache(t, dir)
}

func endless() any {
	l := []any{nil}
	l[0] = l
	return l
}

// hold locks the cache as another process would.
func hold(t *testing.T, path string) *os.File {
	t.Helper()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	return f
}

func TestLocked(t *testing.T) {
	dir := t.TempDir()
	f := hold(t, filepath.Join(dir, FileName))
	if err := New(dir).Update(t.Context(), map[string]any{"a": 1}); !errors.Is(err, ErrLocked) {
		t.Errorf("update of a locked file: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := New(dir).Update(ctx, map[string]any{"a": 1}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled update: %v", err)
	}
	_ = f.Close()
	if err := New(dir).Update(t.Context(), map[string]any{"a": 1}); err != nil {
		t.Errorf("update after that: %v", err)
	}
}

// A waiter whose file is replaced under it takes the new one.
func TestReplacedWhileWaiting(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, FileName)
	old := hold(t, path)
	done := make(chan error, 1)
	go func() { done <- New(dir).Update(context.Background(), map[string]any{"ours": 1}) }()
	awaitOpen(t, path, 2) // ours, and the waiter's
	next := filepath.Join(dir, "next")
	mustWrite(t, next, `{"theirs": 2}`)
	if err := os.Rename(next, path); err != nil {
		t.Fatal(err)
	}
	_ = old.Close()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(path); err != nil || string(data) != "{\"ours\": 1, \"theirs\": 2}\n" {
		t.Errorf("the file holds %s, %v", data, err)
	}
}

// awaitOpen waits until this process has a file open n times.
func awaitOpen(t *testing.T, path string, n int) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		links, err := filepath.Glob("/proc/self/fd/*")
		if err != nil {
			t.Fatal(err)
		}
		open := 0
		for _, link := range links {
			if name, err := os.Readlink(link); err == nil && name == path {
				open++
			}
		}
		if open == n {
			return
		}
	}
	t.Fatalf("%s is not open %d times", path, n)
}

// What has been read and printed once reads and prints the same again.
func FuzzParse(f *testing.F) {
	for _, c := range reconCases()[:40] {
		if len(c.start) < 1000 {
			f.Add([]byte(c.start))
		}
		f.Add([]byte(c.updates[0]))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := parse(data)
		if err != nil {
			return
		}
		first := encode(nil, v)
		again, err := parse(first)
		if err != nil {
			t.Fatalf("%q printed as %q: %v", data, first, err)
		}
		if second := encode(nil, again); string(first) != string(second) {
			t.Fatalf("%q printed as %q, then as %q", data, first, second)
		}
	})
}
