package disk

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"understudy/internal/fault"
	"understudy/internal/store"
	"understudy/messages"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type rig struct {
	testing.TB
	*FS
	root, dev string
	faults    *fault.Injector
	dir       store.Dir
}

func newRig(t testing.TB, plan string) *rig {
	t.Helper()
	p, err := fault.Parse(plan)
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{TB: t, root: t.TempDir(), faults: fault.NewInjector(p, nil)}
	r.dev = filepath.Join(r.root, "d1")
	if err := os.Mkdir(r.dev, 0o755); err != nil {
		t.Fatal(err)
	}
	r.FS = New(store.OS(), r.faults, Config{Root: r.root})
	r.dir, err = store.OS().OpenDir(store.Root, r.dev, true)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.OS().CloseDir(r.dir) })
	return r
}

func (r *rig) file(name, content string) string {
	r.Helper()
	path := filepath.Join(r.dev, name)
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		r.Fatal(err)
	}
	return path
}

func (r *rig) open(name string, flags int) store.NewFile {
	r.Helper()
	f, err := r.OpenFile(r.dir, name, flags, 0o644)
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(func() { f.Close() })
	return f.(store.NewFile)
}

func (r *rig) want(path, content string) {
	r.Helper()
	got, err := os.ReadFile(path)
	if err != nil || string(got) != content {
		r.Errorf("%s holds %q, not %q (%v)", filepath.Base(path), got, content, err)
	}
}

// Every operation fails with the number that the plan says, does nothing, and is let
// through when the plan means another one.
func TestErrorsOfEveryOperation(t *testing.T) {
	calls := map[string]func(r *rig) error{
		"opendir": func(r *rig) error { d, err := r.OpenDir(r.dir, "sub", false); closeDir(d, err); return err },
		"readdir": func(r *rig) error { _, err := r.ReadDir(r.dir, "", nil); return err },
		"syncdir": func(r *rig) error { return r.SyncDir(r.dir) },
		"stat":    func(r *rig) error { _, err := r.FS.Stat(r.dir, "old", false); return err },
		"mkdir":   func(r *rig) error { return r.Mkdir(r.dir, "new") },
		"rmdir":   func(r *rig) error { return r.Rmdir(r.dir, "sub") },
		"remove":  func(r *rig) error { return r.Remove(r.dir, "old") },
		"rename":  func(r *rig) error { return r.Rename(r.dir, "old", r.dir, "other") },
		"move":    func(r *rig) error { return r.Move(r.dir, "old", r.dir, "other") },
		"open": func(r *rig) error {
			f, err := r.OpenFile(r.dir, "old", unix.O_RDONLY, 0)
			closeFile(f, err)
			return err
		},
		"create": func(r *rig) error {
			f, err := r.OpenFile(r.dir, "new", unix.O_CREAT|unix.O_RDWR, 0o600)
			closeFile(f, err)
			return err
		},
		"tmpfile": func(r *rig) error {
			f, err := r.OpenFile(r.dir, ".", unix.O_TMPFILE|unix.O_RDWR, 0o600)
			closeFile(f, err)
			return err
		},
		"read":     func(r *rig) error { _, err := r.open("old", unix.O_RDONLY).Read(make([]byte, 4)); return err },
		"write":    func(r *rig) error { _, err := r.open("old", unix.O_RDWR).Write([]byte("x")); return err },
		"fstat":    func(r *rig) error { _, err := r.open("old", unix.O_RDONLY).Stat(); return err },
		"truncate": func(r *rig) error { return r.open("old", unix.O_RDWR).Truncate(0) },
		"sync":     func(r *rig) error { return r.open("old", unix.O_RDWR).Sync() },
		"syncdata": func(r *rig) error { return r.open("old", unix.O_RDWR).SyncData() },
		"lock":     func(r *rig) error { _, err := r.open("old", unix.O_RDWR).TryLock(); return err },
		"unlock":   func(r *rig) error { return r.open("old", unix.O_RDWR).Unlock() },
		"close":    func(r *rig) error { return r.open("old", unix.O_RDWR).Close() },
		"getxattr": func(r *rig) error {
			_, err := r.open("old", unix.O_RDONLY).Attribute("user.a", make([]byte, 9))
			return err
		},
		"setxattr": func(r *rig) error { return r.open("old", unix.O_RDWR).SetAttribute("user.a", []byte("v")) },
		"allocate": func(r *rig) error { return r.open("old", unix.O_RDWR).Allocate(4096) },
		"link":     func(r *rig) error { return r.open(".", unix.O_TMPFILE|unix.O_RDWR).LinkInto(r.dir, "new") },
		"space":    func(r *rig) error { _, err := r.open("old", unix.O_RDWR).Space(); return err },
		"closedir": func(r *rig) error {
			d, err := store.OS().OpenDir(store.Root, r.dev, true)
			if err != nil {
				return err
			}
			return r.CloseDir(d)
		},
	}
	for _, op := range fault.DiskOps {
		call := calls[op]
		if call == nil {
			t.Errorf("no call does %s", op)
			continue
		}
		t.Run(op, func(t *testing.T) {
			make := func(plan string) *rig {
				r := newRig(t, plan)
				if err := unix.Setxattr(r.file("old", "old"), "user.a", []byte("value"), 0); err != nil {
					t.Fatal(err)
				}
				if err := os.Mkdir(filepath.Join(r.dev, "sub"), 0o755); err != nil {
					t.Fatal(err)
				}
				return r
			}
			r := make("disk device=d1 op=" + op + " : error ESTALE")
			if err := call(r); !errors.Is(err, unix.ESTALE) {
				t.Errorf("%v", err)
			}
			r.want(filepath.Join(r.dev, "old"), "old")
			for _, name := range []string{"new", "other"} {
				if _, err := os.Lstat(filepath.Join(r.dev, name)); err == nil {
					t.Errorf("there is %s", name)
				}
			}
			for _, other := range []string{"disk device=d2 : error EIO", "net : cut", "disk op=" + op + " path=*.none : error EIO"} {
				if err := call(make(other)); err != nil {
					t.Errorf("%s: %v", other, err)
				}
			}
		})
	}
}

func closeDir(d store.Dir, err error) {
	if err == nil {
		store.OS().CloseDir(d)
	}
}

func closeFile(f store.File, err error) {
	if err == nil {
		f.Close()
	}
}

func TestShortAndTorn(t *testing.T) {
	for _, test := range []struct {
		verb string
		n    int
		fail error
		left string
	}{
		{"short", 4, unix.ENOSPC, "abcd"},
		{"torn", 8, nil, "abcd"},
		{"error ENOSPC", 0, unix.ENOSPC, ""},
	} {
		r := newRig(t, "disk op=write : "+test.verb+" nth=1")
		f := r.open("x", unix.O_CREAT|unix.O_RDWR)
		n, err := f.Write([]byte("abcdefgh"))
		if n != test.n || test.fail == nil && err != nil || test.fail != nil && !errors.Is(err, test.fail) {
			t.Errorf("%s: %d, %v", test.verb, n, err)
		}
		if test.verb == "torn" {
			if n, err := f.Write([]byte("more")); n != 4 || err != nil {
				t.Errorf("after a torn write: %d, %v", n, err)
			}
			if err := f.Sync(); err != nil {
				t.Error(err)
			}
		}
		r.want(filepath.Join(r.dev, "x"), test.left)
	}
}

func TestReads(t *testing.T) {
	const content = "0123456789abcdef"
	read := func(verb string, seed string) []byte {
		r := newRig(t, "seed "+seed+"\ndisk op=read : "+verb)
		r.file("x", content)
		all, err := io.ReadAll(r.open("x", unix.O_RDONLY))
		if err != nil {
			t.Fatal(err)
		}
		p := make([]byte, 4)
		if n, err := r.open("x", unix.O_RDONLY).ReadAt(p, 2); verb == "short" && (n != 2 || err == nil) {
			t.Errorf("ReadAt: %d, %v", n, err)
		}
		return all
	}
	if got := read("short", "1"); string(got) != content {
		t.Errorf("short reads lose something: %q", got)
	}
	flipped := read("flip nth=1", "1")
	if bits(flipped, content) != 1 {
		t.Errorf("%q is not one bit off", flipped)
	}
	if !bytes.Equal(flipped, read("flip nth=1", "1")) {
		t.Error("the same plan flips another bit")
	}
	r := newRig(t, "disk op=readdir : short")
	for _, name := range []string{"a", "b", "c", "d"} {
		r.file(name, "")
	}
	if names, err := r.ReadDir(r.dir, "", nil); len(names) != 2 || !errors.Is(err, unix.EIO) {
		t.Errorf("%v, %v", names, err)
	}
	var some []string
	err := r.EachName(r.dir, "", func(names []string) error { some = append(some, names...); return nil })
	if len(some) != 2 || !errors.Is(err, unix.EIO) {
		t.Errorf("%v, %v", some, err)
	}
}

func bits(got []byte, want string) (n int) {
	if len(got) != len(want) {
		return -1
	}
	for i := range got {
		for x := got[i] ^ want[i]; x != 0; x &= x - 1 {
			n++
		}
	}
	return n
}

func TestAttributes(t *testing.T) {
	for verb, check := range map[string]func(n int, err error, got []byte) bool{
		"error ENODATA": func(_ int, err error, _ []byte) bool { return errors.Is(err, unix.ENODATA) },
		"short":         func(n int, err error, _ []byte) bool { return err == nil && n == 2 },
		"flip":          func(n int, err error, got []byte) bool { return err == nil && bits(got[:n], "text") == 1 },
	} {
		r := newRig(t, "disk op=getxattr path=*.data : "+verb)
		if err := unix.Setxattr(r.file("1.data", ""), "user.swift.metadata", []byte("text"), 0); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, 16)
		if n, err := r.open("1.data", unix.O_RDONLY).Attribute("user.swift.metadata", got); !check(n, err, got) {
			t.Errorf("%s: %d %v %q", verb, n, err, got)
		}
	}
}

// A file without a name is "unnamed" in its directory, and after that what it is called.
func TestNamesOfDrafts(t *testing.T) {
	r := newRig(t, "disk op=write path=d1/unnamed|unnamed : error EIO times=1\ndisk op=link path=1.ts : error EDQUOT\ndisk op=sync path=1.data : error EROFS")
	f := r.open(".", unix.O_TMPFILE|unix.O_RDWR)
	if _, err := f.Write([]byte("x")); !errors.Is(err, unix.EIO) {
		t.Errorf("write: %v", err)
	}
	if err := f.Sync(); err != nil {
		t.Errorf("sync before the name: %v", err)
	}
	if err := f.LinkInto(r.dir, "1.ts"); !errors.Is(err, unix.EDQUOT) {
		t.Errorf("link: %v", err)
	}
	if err := f.LinkInto(r.dir, "1.data"); err != nil {
		t.Fatal(err)
	}
	if err := f.Sync(); !errors.Is(err, unix.EROFS) {
		t.Errorf("sync after the name: %v", err)
	}
}

// A hang heeds no context, lets go when it is cleared, and then the disk does its work.
func TestHang(t *testing.T) {
	r := newRig(t, "disk op=readdir : hang")
	s := store.New(store.Options{Root: r.root, ReclaimAge: time.Hour, Log: zerolog.Nop(), FS: r.FS})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.List(ctx, "d1", 0, func(messages.Listing) {}) }()
	for r.faults.Counts()[0].Fired == 0 {
		time.Sleep(time.Millisecond)
	}
	cancel()
	select {
	case err := <-done:
		t.Fatalf("came back: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	r.faults.Clear()
	<-done
}

func TestProbeOnSickDisk(t *testing.T) {
	for plan, want := range map[string]messages.Disk{
		"disk op=tmpfile : error EROFS":               messages.DiskReadOnly,
		"disk op=write path=unnamed : error ENOSPC":   messages.DiskFull,
		"disk device=d2 : error EIO":                  messages.DiskFine,
		"disk op=tmpfile|create|mkdir : error EDQUOT": messages.DiskFull,
		"disk op=write : delay 1ms":                   messages.DiskFine,
	} {
		r := newRig(t, plan)
		s := store.New(store.Options{Root: r.root, ReclaimAge: time.Hour, Log: zerolog.Nop(), FS: r.FS})
		if got, err := s.Probe(context.Background(), "d1"); got != want || err != nil {
			t.Errorf("%s: %v, %v", plan, got, err)
		}
	}
	for _, plan := range []string{"disk op=sync : error EIO", "disk op=read : short", "disk op=read : flip", "disk op=write : torn"} {
		r := newRig(t, plan)
		s := store.New(store.Options{Root: r.root, ReclaimAge: time.Hour, Log: zerolog.Nop(), FS: r.FS})
		if got, err := s.Probe(context.Background(), "d1"); err == nil {
			t.Errorf("%s: the disk is %v", plan, got)
		}
	}
}
