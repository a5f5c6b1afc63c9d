package store

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"understudy/messages"
)

type held struct{ OK bool }

// swiftLock asks Swift's lock_path for a lock, which Swift then holds.
func swiftLock(t *testing.T, dir string, name any, limit int, timeout float64) bool {
	t.Helper()
	var answer held
	ask(t, map[string]any{"op": "lock", "path": dir, "name": name, "limit": limit, "timeout": timeout}, &answer)
	return answer.OK
}

func swiftUnlock(t *testing.T) {
	t.Helper()
	ask(t, map[string]any{"op": "unlock"}, &held{})
}

// Swift holds a lock: ours times out. And the reverse.
func TestLocksExcludeSwift(t *testing.T) {
	ctx := context.Background()
	b := newBench(t, func(o *Options) { o.LockTimeout = 50 * time.Millisecond })
	b.object("aaa", plain, "1700000001.00000.data")
	replication := func() (*Lock, error) {
		return b.LockPartition(ctx, part, ReplicationLock, 50*time.Millisecond, false)
	}
	device := func() (*Lock, error) { return b.LockDevice(ctx, "sda", 1, 50*time.Millisecond) }
	for _, c := range []struct {
		dir  string
		name any
		lock func() (*Lock, error)
	}{{b.in(), "replication", replication}, {b.path("sda"), nil, device}} {
		if !swiftLock(t, c.dir, c.name, 1, 1) {
			t.Fatal("Swift cannot lock")
		}
		var timeout *LockTimeoutError
		if _, err := c.lock(); !errors.As(err, &timeout) {
			t.Errorf("%v while Swift holds it: %v", c.name, err)
		}
		swiftUnlock(t)
		l, err := c.lock()
		if err != nil {
			t.Fatal(err)
		}
		if swiftLock(t, c.dir, c.name, 1, 0.05) {
			t.Errorf("%v: Swift got it, too", c.name)
			swiftUnlock(t)
		}
		if err := l.Unlock(); err != nil {
			t.Error(err)
		}
		if !swiftLock(t, c.dir, c.name, 1, 1) {
			t.Errorf("%v: Swift does not get it after unlock", c.name)
		}
		swiftUnlock(t)
	}

	// The lock for hashes.pkl: Swift holds it, so ours neither answers nor writes.
	swiftLock(t, b.in(), nil, 1, 1)
	var timeout *LockTimeoutError
	if r, err := b.Hashes(ctx, part, messages.HashOptions{}); !errors.As(err, &timeout) || r.Hashes != nil {
		t.Errorf("hashes: %v, %v", r, err)
	}
	if err := b.Invalidate(ctx, part, []string{"abc"}); !errors.As(err, &timeout) {
		t.Errorf("invalidate: %v", err)
	}
	swiftUnlock(t)
	if r := b.hashes(messages.HashOptions{}); len(r.Hashes) != 1 {
		t.Errorf("%+v", r)
	}
}

// A device has as many locks as its limit says, shared with Swift.
func TestDeviceLockLimit(t *testing.T) {
	ctx := context.Background()
	b := newBench(t, nil)
	one, err := b.LockDevice(ctx, "sda", 2, 0)
	if err != nil {
		t.Fatal(err)
	}
	if !swiftLock(t, b.path("sda"), nil, 2, 0.1) {
		t.Fatal("Swift does not get the second lock")
	}
	var timeout *LockTimeoutError
	if _, err := b.LockDevice(ctx, "sda", 2, 0); !errors.As(err, &timeout) {
		t.Errorf("third of two locks: %v", err)
	}
	swiftUnlock(t)
	two, err := b.LockDevice(ctx, "sda", 2, 0)
	if err != nil {
		t.Fatal(err)
	}
	if n := b.ReleaseLocks(); n != 2 {
		t.Errorf("released %d, want 2", n)
	}
	for range 2 {
		if !swiftLock(t, b.path("sda"), nil, 2, 0.1) {
			t.Error("a released lock is not free")
		}
	}
	swiftUnlock(t)
	swiftUnlock(t)
	if err := errors.Join(one.Unlock(), two.Unlock()); err != nil {
		t.Error(err)
	}
	if got := tree(t, b.path("sda")); len(got) != 2 {
		t.Errorf("lock files %v", got)
	}
}

// Waiting ends when the lock is free, and when the context is done.
func TestLockWaits(t *testing.T) {
	b := newBench(t, nil)
	first, err := b.LockPartition(context.Background(), part, ReplicationLock, 0, true)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	result := make(chan error)
	go func() {
		_, err := b.LockPartition(ctx, part, ReplicationLock, time.Hour, true)
		result <- err
	}()
	cancel()
	if err := <-result; !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	go func() {
		l, err := b.LockPartition(context.Background(), part, ReplicationLock, time.Hour, true)
		if err == nil {
			err = l.Unlock()
		}
		result <- err
	}()
	if err := first.Unlock(); err != nil {
		t.Error(err)
	}
	if err := <-result; err != nil {
		t.Errorf("after unlock: %v", err)
	}
	if n := b.ReleaseLocks(); n != 0 {
		t.Errorf("%d locks left over", n)
	}
}

// The waits are Swift's: 10 ms until a hundredth of the timeout has been slept,
// then that hundredth each time. Time is virtual here.
func TestLockBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tries []time.Duration
		var start time.Time
		b := newBench(t, withHook(func(op, path string) error {
			if op == "trylock" {
				tries = append(tries, time.Since(start))
			}
			return nil
		}))
		other := New(Options{Root: b.root})
		l, err := other.LockPartition(context.Background(), part, ReplicationLock, 0, true)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Unlock()
		start = time.Now()
		var timeout *LockTimeoutError
		if _, err := b.LockPartition(context.Background(), part, ReplicationLock, 10*time.Second, false); !errors.As(err, &timeout) {
			t.Error(err)
		}
		want := []time.Duration{}
		for at, pause := time.Duration(0), 10*time.Millisecond; at <= 10*time.Second; at += pause {
			want = append(want, at)
			if at > 100*time.Millisecond {
				pause = 100 * time.Millisecond
			}
		}
		want = append(want, 10*time.Second) // once more at the very end
		if !slices.Equal(tries, want) {
			t.Errorf("tried at %v, want %v", tries, want)
		}
	})
}

func TestLockPartitionMakesNothingUnasked(t *testing.T) {
	b := newBench(t, nil)
	if _, err := b.LockPartition(context.Background(), part, ReplicationLock, 0, false); !errors.Is(err, ErrNoPartition) {
		t.Errorf("%v", err)
	}
	if got := tree(t, b.path("sda")); len(got) != 0 {
		t.Errorf("made %v", got)
	}
}

// A symbolic link in place of a lock file is not followed.
func TestLockFollowsNoLink(t *testing.T) {
	b := newBench(t, nil)
	b.mkdir(b.in())
	if err := os.Symlink(b.path("outside"), b.in(lockFile)); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Hashes(context.Background(), part, messages.HashOptions{}); err == nil {
		t.Error("no error")
	}
	if _, err := os.Lstat(b.path("outside")); !os.IsNotExist(err) {
		t.Error("followed")
	}
}

// A child process must not inherit a lock: a killed daemon's rsync would hold it.
func TestLockIsNotInherited(t *testing.T) {
	b := newBench(t, nil)
	l, err := b.LockPartition(context.Background(), part, ReplicationLock, 0, true)
	if err != nil {
		t.Fatal(err)
	}
	child := exec.Command("sleep", "60")
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		child.Process.Kill()
		child.Wait()
	}()
	if err := l.Unlock(); err != nil {
		t.Error(err)
	}
	if !swiftLock(t, b.in(), "replication", 1, 0) {
		t.Error("the child holds it")
	}
	swiftUnlock(t)
}
