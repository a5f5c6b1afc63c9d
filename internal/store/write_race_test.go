package store

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"understudy/messages"
)

// What others do to the object's directory while it is written.
func TestWriteRaces(t *testing.T) {
	hash := incoming.Paths.Hex("a", "c", "o")
	for _, c := range []struct {
		what   string
		race   func(b *bench, n int) // before the nth link
		fails  bool
		copies int // files of the object in its place in the end
	}{
		{what: "nothing", race: func(*bench, int) {}, copies: 1},
		{what: "the empty directory is removed", race: func(b *bench, n int) {
			if n == 1 {
				os.Remove(b.in(hash[29:], hash))
				os.Remove(b.in(hash[29:]))
			}
		}, copies: 1},
		{what: "it is removed again and again", race: func(b *bench, n int) { os.Remove(b.in(hash[29:], hash)) }, fails: true},
		{what: "it is moved to the quarantine", race: func(b *bench, n int) {
			if n == 1 {
				os.Rename(b.in(hash[29:], hash), b.path("quarantined"))
			}
		}, copies: 1},
		{what: "the suffix is moved to the quarantine", race: func(b *bench, n int) {
			if n == 1 {
				os.Rename(b.in(hash[29:]), b.path("quarantined"))
			}
		}, copies: 1},
		{what: "the partition is removed", race: func(b *bench, n int) { os.Rename(b.in(), b.path("elsewhere")) }, fails: true},
		{what: "the same version comes", race: func(b *bench, n int) {
			if n == 1 {
				b.write(b.in(hash[29:], hash, stamp(0).Internal()+".data"), "torn")
			}
		}, copies: 1},
		{what: "a newer version comes", race: func(b *bench, n int) {
			if n == 1 {
				b.write(b.in(hash[29:], hash, stamp(9).Internal()+".data"), "newer")
			}
		}, copies: 1},
		{what: "a file takes the directory's place", race: func(b *bench, n int) {
			if n == 1 {
				os.Remove(b.in(hash[29:], hash))
				b.write(b.in(hash[29:], hash), "")
			}
		}, copies: -1, fails: true},
	} {
		links := 0
		var b *bench
		var hook func(op, path string) error
		b = writeBench(t, &hook)
		in := b.incoming()
		hook = func(op, path string) error {
			if op == "link" && !strings.HasPrefix(filepath.Base(path), ".") {
				links++
				c.race(b, links)
			}
			return nil
		}
		err := putBody(in, "o", stamp(0), "body")
		hook = nil
		if (err != nil) != c.fails {
			t.Errorf("%s: %v", c.what, err)
		}
		files := b.objectFiles()
		if len(files) != max(0, c.copies) {
			t.Errorf("%s: in place are %v", c.what, slices.Collect(maps.Keys(files)))
		}
		for path, text := range files {
			if strings.HasPrefix(text, "torn") {
				t.Errorf("%s: %s is torn", c.what, path)
			}
		}
	}
}

// Whoever hashes the suffix between the mark and the link does not hide the object:
// it is marked again.
func TestHashedWhileWritten(t *testing.T) {
	var hook func(op, path string) error
	b := writeBench(t, &hook)
	in := b.incoming()
	if err := putBody(in, "o", stamp(0), "body"); err != nil {
		t.Fatal(err)
	}
	before := b.hashes(messages.HashOptions{}).Hashes
	hook = func(op, _ string) error {
		if op == "link" {
			hook = nil
			if again := b.hashes(messages.HashOptions{}).Hashes; !maps.Equal(again, before) {
				t.Errorf("before the link: %v", again)
			}
		}
		return nil
	}
	if err := putBody(in, "o", stamp(1), "body"); err != nil {
		t.Fatal(err)
	}
	if after := b.hashes(messages.HashOptions{}).Hashes; maps.Equal(after, before) {
		t.Error("the new version does not show in the hashes")
	}
}

// Another revert gives the whole partition up while a session waits for its lock: the
// session gets the lock of a new partition, not that of a file without a name.
func TestSessionWaitsForRevert(t *testing.T) {
	var hook func(op, path string) error
	b := writeBench(t, &hook)
	b.mkdir(b.in())
	lock, err := b.LockPartition(context.Background(), part, ReplicationLock, 0, true)
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan *Incoming, 1)
	go func() {
		o := incoming
		o.LockTimeout = 20 * time.Second
		in, err := b.OpenIncoming(context.Background(), part, o)
		if err != nil {
			t.Error(err)
		}
		got <- in
	}()
	// The session has the lock file open as soon as somebody else's descriptor does.
	for open := 0; open < 2; {
		open = 0
		fds, _ := filepath.Glob("/proc/self/fd/*")
		for _, fd := range fds {
			if to, _ := os.Readlink(fd); to == b.in(handoffLock) {
				open++
			}
		}
	}
	if err := os.RemoveAll(b.in()); err != nil {
		t.Fatal(err)
	}
	if err := lock.Unlock(); err != nil {
		t.Fatal(err)
	}
	in := <-got
	if in == nil {
		return
	}
	defer in.Close()
	if _, err := b.LockPartition(context.Background(), part, ReplicationLock, 0, true); err == nil {
		t.Error("the lock keeps nobody off")
	}
	if err := putBody(in, "o", stamp(0), "body"); err != nil || len(b.objectFiles()) != 1 {
		t.Errorf("%v, %v", err, b.objectFiles())
	}
}
