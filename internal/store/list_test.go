package store

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"understudy/messages"
)

// wholeList puts the pieces of a listing together.
func wholeList(ctx context.Context, s *Store, device string, policy int) (whole messages.Listing, err error) {
	err = s.List(ctx, device, policy, func(l messages.Listing) {
		whole.Created = whole.Created || l.Created
		whole.Partitions = append(whole.Partitions, l.Partitions...)
		whole.Strange = append(whole.Strange, l.Strange...)
	})
	return whole, err
}

func (b *bench) list(policy int) messages.Listing {
	b.Helper()
	l, err := wholeList(context.Background(), b.Store, "sda", policy)
	if err != nil {
		b.Fatal(err)
	}
	slices.Sort(l.Partitions)
	slices.Sort(l.Strange)
	return l
}

func TestList(t *testing.T) {
	b := newBench(t, nil)
	for _, name := range []string{
		"0", "1", "10", "4294967295",
		"4294967296", "007", "-1", "+1", "1_0", " 7", "7 ", "٣", "abc", ".lock", "0x1", "99999999999999999999",
		"auditor_status_.txt", "xauditor_status_ALL.json",
	} {
		b.mkdir(b.path("sda", "objects", name))
	}
	for _, name := range []string{"auditor_status_ALL.json", "auditor_status_ZBF.json", "5"} {
		b.write(b.path("sda", "objects", name), "")
	}
	before := tree(t, b.root)
	got := b.list(0)
	// A file named 5 is listed: entries are not looked at.
	if want := []uint32{0, 1, 5, 10, 4294967295}; !slices.Equal(got.Partitions, want) || got.Created {
		t.Errorf("partitions %v, want %v", got.Partitions, want)
	}
	if len(got.Strange) != 14 {
		t.Errorf("strange: %q", got.Strange)
	}
	if after := tree(t, b.root); !slices.Equal(before, after) {
		t.Errorf("listing changed %v to %v", before, after)
	}
}

func TestListMakesObjects(t *testing.T) {
	b := newBench(t, nil)
	if got := b.list(3); !got.Created || len(got.Partitions) != 0 {
		t.Errorf("first: %+v", got)
	}
	if got := b.list(3); got.Created || len(got.Partitions) != 0 {
		t.Errorf("second: %+v", got)
	}
	if got := tree(t, b.root); !slices.Equal(got, []string{"sda/", "sda/objects-3/"}) {
		t.Errorf("made %v", got)
	}
}

// A directory that cannot be read is an error, and not taken for a missing one.
func TestListErrors(t *testing.T) {
	for _, errno := range []unix.Errno{unix.EIO, unix.EACCES, unix.ENOTDIR, unix.EUCLEAN} {
		var b *bench
		b = newBench(t, withHook(func(op, path string) error {
			if op == "mkdir" {
				t.Errorf("%v: makes %s", errno, path)
			}
			if op == "readdir" && path == b.path("sda", "objects") {
				return errno
			}
			return nil
		}))
		if l, err := wholeList(context.Background(), b.Store, "sda", 0); !errors.Is(err, errno) || l.Created {
			t.Errorf("%v: %+v, %v", errno, l, err)
		}
	}
	b := newBench(t, withHook(func(op, path string) error {
		if op == "mkdir" {
			return unix.EROFS
		}
		return nil
	}))
	_, err := wholeList(context.Background(), b.Store, "sda", 0)
	if want := "ERROR creating " + b.path("sda/objects"); err == nil || len(err.Error()) < len(want) || err.Error()[:len(want)] != want {
		t.Errorf("%v, want %s…", err, want)
	}
}

// A policy's directory that is a symbolic link is not followed, nor replaced.
func TestListFollowsNoLink(t *testing.T) {
	for _, to := range []string{"elsewhere", "nowhere"} {
		b := newBench(t, nil)
		b.mkdir("elsewhere/5")
		if err := os.Symlink(b.path(to), b.path("sda/objects")); err != nil {
			t.Fatal(err)
		}
		if l, err := wholeList(context.Background(), b.Store, "sda", 0); err == nil || len(l.Partitions) > 0 || l.Created {
			t.Errorf("link to %s: %+v, %v", to, l, err)
		}
		if _, err := b.Hashes(context.Background(), part, messages.HashOptions{}); err == nil || errors.Is(err, ErrNoPartition) {
			t.Errorf("link to %s: hashes: %v", to, err)
		}
	}
}

// Old files in tmp go, by their own time of writing; exactly the reclaim age is
// not old, and nothing but files of that very policy's tmp is touched.
func TestListCleansTmp(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	var b *bench
	b = newBench(t, func(o *Options) {
		o.Now = func() time.Time { return now }
		withHook(func(op, path string) error {
			if op == "remove" && path == b.path("sda/tmp/stuck") {
				return unix.EIO
			}
			if op == "remove" && path == b.path("sda/tmp/dir") {
				t.Error("tries to unlink a directory")
			}
			return nil
		})(o)
	})
	age := func(path string, d time.Duration) {
		at := unix.NsecToTimespec(now.Add(-d).UnixNano())
		if err := unix.UtimesNanoAt(unix.AT_FDCWD, path, []unix.Timespec{at, at}, unix.AT_SYMLINK_NOFOLLOW); err != nil {
			t.Fatal(err)
		}
	}
	for name, d := range map[string]time.Duration{
		"sda/tmp/old": week + time.Nanosecond, "sda/tmp/edge": week, "sda/tmp/new": 0, "sda/tmp/future": -week, "sda/tmp/stuck": 2 * week,
		"sda/tmp-1/old": 2 * week, "sda/tmp/dir/old": 2 * week, "sda/other/old": 2 * week, "target": 2 * week,
	} {
		b.write(b.path(name), "x")
		age(b.path(name), d)
	}
	age(b.path("sda/tmp/dir"), 2*week)
	for link, d := range map[string]time.Duration{"sda/tmp/link-new": 0, "sda/tmp/link-old": 2 * week} {
		if err := os.Symlink(b.path("target"), b.path(link)); err != nil {
			t.Fatal(err)
		}
		age(b.path(link), d)
	}
	before := tree(t, b.root)
	b.list(0)
	want := slices.DeleteFunc(before, func(p string) bool { return p == "sda/tmp/old" || p == "sda/tmp/link-old" })
	want = append(want, "sda/objects/")
	slices.Sort(want)
	if after := tree(t, b.root); !slices.Equal(after, want) {
		t.Errorf("left %v, want %v", after, want)
	}
}

// A tmp that cannot be cleaned does not keep the partitions from being listed.
func TestListWithoutTmp(t *testing.T) {
	b := newBench(t, nil)
	b.write(b.path("sda/tmp"), "a file")
	b.mkdir("sda/objects/3")
	if got := b.list(0); !slices.Equal(got.Partitions, []uint32{3}) {
		t.Errorf("%+v", got)
	}
	b = newBench(t, nil)
	b.write(b.path("outside/old"), "")
	if err := os.Symlink(b.path("outside"), b.path("sda/tmp")); err != nil {
		t.Fatal(err)
	}
	b.reclaimAge = -week // everything is old
	b.list(0)
	b.read(b.path("outside/old"))
}

func TestCancelledListStops(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	b := newBench(t, withHook(func(op, path string) error {
		if op == "stat" && strings.Contains(path, "/tmp/") { // the first of three, in whatever order
			cancel()
		}
		return nil
	}))
	b.write(b.path("sda/tmp/x"), "")
	b.write(b.path("sda/tmp/y"), "")
	b.write(b.path("sda/tmp/z"), "")
	_, err := wholeList(ctx, b.Store, "sda", 0)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}
