package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"understudy/messages"
)

func (f faultFile) Attribute(name string, into []byte) (int, error) {
	if err := f.fs.ask("getxattr", f.path); err != nil {
		return 0, err
	}
	return f.File.(NewFile).Attribute(name, into)
}

func (f faultFile) SetAttribute(name string, value []byte) error {
	if err := f.fs.ask("setxattr", f.path); err != nil {
		return err
	}
	return f.File.(NewFile).SetAttribute(name, value)
}

func (f faultFile) Allocate(size int64) error {
	if err := f.fs.ask("fallocate", f.path); err != nil {
		return err
	}
	return f.File.(NewFile).Allocate(size)
}

func (f faultFile) SyncData() error {
	if err := f.fs.ask("fdatasync", f.path); err != nil {
		return err
	}
	return f.File.(NewFile).SyncData()
}

func (f faultFile) LinkInto(at Dir, name string) error {
	if err := f.fs.ask("link", at.Child(name)); err != nil {
		return err
	}
	return f.File.(NewFile).LinkInto(at, name)
}

func (f faultFile) Space() (Space, error) {
	if err := f.fs.ask("statfs", f.path); err != nil {
		return Space{}, err
	}
	return f.File.(NewFile).Space()
}

// long keeps tombstones of the tests' time.
const long = 100 * 365 * 24 * time.Hour

// writeBench has a hook in the way of every call.
func writeBench(t *testing.T, hook *func(op, path string) error) *bench {
	return quickBench(t, func(o *Options) {
		o.ReclaimAge = long
		o.FS = faultFS{OS(), func(op, path string) error {
			if *hook != nil {
				return (*hook)(op, path)
			}
			return nil
		}}
	})
}

// objectFiles are the files in hash directories, by path below the partition.
func (b *bench) objectFiles() map[string]string {
	b.Helper()
	all := map[string]string{}
	paths, err := filepath.Glob(b.in("???", "*", "*"))
	hidden, _ := filepath.Glob(b.in("???", "*", ".*"))
	if err != nil {
		b.Fatal(err)
	}
	for _, p := range append(paths, hidden...) {
		rel, _ := filepath.Rel(b.in(), p)
		all[rel] = content(b, p)
	}
	return all
}

// Any one call of the disk that fails while an object is written: nobody is told that
// it is stored unless it is; what was there is there; what is there is whole; nothing
// else is left; and the suffix is hashed again if anything has changed.
func TestWriteFails(t *testing.T) {
	writes := map[string]func(in *Incoming) error{
		"put":    func(in *Incoming) error { return putBody(in, "o", stamp(2), "new body") },
		"post":   func(in *Incoming) error { return post(in, "o", stamp(2)) },
		"delete": func(in *Incoming) error { return remove(in, "o", stamp(2)) },
		"first":  func(in *Incoming) error { return putBody(in, "p", stamp(2), "new body") },
	}
	for what, write := range writes {
		for _, errno := range []unix.Errno{unix.EIO, unix.ENOSPC, unix.EROFS} {
			for n := 1; ; n++ {
				var hook func(op, path string) error
				b := writeBench(t, &hook)
				in := b.incoming()
				if err := putBody(in, "o", stamp(0), "old body"); err != nil {
					t.Fatal(err)
				}
				if err := os.Truncate(b.in(invalidFile), 0); err != nil {
					t.Fatal(err)
				}
				before, call, count := b.objectFiles(), "", 0
				hook = func(op, path string) error {
					if count++; count == n {
						call = op + " " + short(path)
						return errno
					}
					return nil
				}
				err := write(in)
				hook = nil
				in.Close()
				in.device = Dir{}
				if call == "" {
					if err != nil || n < 20 {
						t.Errorf("%s, %d calls: %v", what, n, err)
					}
					break
				}
				name := fmt.Sprintf("%s, %v from %s", what, errno, call)
				after := b.objectFiles()
				if err == nil && maps.Equal(before, after) {
					t.Errorf("%s: told to be stored", name)
				}
				b.nothingLost(name, before, after)
				if !maps.Equal(before, after) && !strings.Contains(b.marks(), "\n") {
					t.Errorf("%s: the suffix is not marked", name)
				}
			}
		}
	}
}

// marks is what hashes.invalid holds, or a mark when there is no cache to be wrong.
func (b *bench) marks() string {
	data, err := os.ReadFile(b.in(invalidFile))
	if _, cached := os.Stat(b.in(hashFile)); errors.Is(err, os.ErrNotExist) || os.IsNotExist(cached) && len(data) == 0 {
		return "\n"
	}
	return string(data)
}

// nothingLost checks that each file that was there is there, or a newer one that
// overtakes it, and that all files of the object are whole.
func (b *bench) nothingLost(name string, before, after map[string]string) {
	b.Helper()
	for path, text := range after {
		switch {
		case strings.HasSuffix(path, ".data"):
			if !strings.HasPrefix(text, "old body ") && !strings.HasPrefix(text, "new body ") || !strings.Contains(text, "checksum") {
				b.Errorf("%s: %s holds %q", name, path, text)
			}
		case !strings.Contains(text, "checksum") || strings.HasPrefix(filepath.Base(path), "."):
			b.Errorf("%s: left %s %q", name, path, text)
		}
	}
	for path := range before {
		newer := slices.ContainsFunc(slices.Collect(maps.Keys(after)), func(p string) bool {
			return filepath.Dir(p) == filepath.Dir(path) && filepath.Base(p) > filepath.Base(path) && !strings.HasSuffix(p, ".meta")
		})
		if _, ok := after[path]; !ok && !newer {
			b.Errorf("%s: lost %s", name, path)
		}
	}
	if debris, _ := filepath.Glob(b.path("sda", "tmp*", "*")); len(debris) > 0 {
		b.Errorf("%s: left %v", name, debris)
	}
}

// A disk that is unmounted in the middle of a session is written to no more, and its
// mount point never.
func TestWriteUnmounted(t *testing.T) {
	b := newBench(t, func(o *Options) { o.MountCheck, o.ReclaimAge = true, long })
	b.write(b.path("sda", ".ismount"), "")
	in := b.incoming()
	if err := putBody(in, "o", stamp(0), "body"); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(b.path("sda"), b.path("away")); err != nil {
		t.Fatal(err)
	}
	b.mkdir("sda")
	for what, err := range map[string]error{
		"put": putBody(in, "p", stamp(0), "body"), "post": post(in, "o", stamp(1)), "delete": remove(in, "o", stamp(1)),
	} {
		var down *messages.DeviceError
		if !errors.As(err, &down) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if left := tree(t, b.path("sda")); len(left) > 0 {
		t.Errorf("below the mount point: %v", left)
	}
	if _, err := b.OpenIncoming(context.Background(), part, incoming); err == nil {
		t.Error("a session on a device that is not mounted")
	}
	if left := tree(t, b.path("sda")); len(left) > 0 {
		t.Errorf("below the mount point: %v", left)
	}
}

// Without room there are no objects, but there are tombstones: also for an object
// without content, and whatever fallocate says.
func TestWriteReserve(t *testing.T) {
	for _, c := range []struct {
		what      string
		rules     WriteRules
		full      string // a call that says ENOSPC
		put, zero bool
		post      bool
	}{
		{what: "all is reserved", rules: WriteRules{Reserve: &Reserve{Percent: 100}}},
		{what: "more bytes than there are", rules: WriteRules{Reserve: &Reserve{Bytes: 1 << 60}}},
		{what: "no fallocate", rules: WriteRules{Reserve: &Reserve{Percent: 100}, NoAllocate: true}, put: true},
		{what: "a byte", rules: WriteRules{Reserve: &Reserve{Bytes: 1}}, put: true, zero: true, post: true},
		{what: "the default", put: true, zero: true, post: true},
		{what: "fallocate fails", full: "fallocate", zero: true, post: true},
	} {
		var hook func(op, path string) error
		b := writeBench(t, &hook)
		o := incoming
		o.Rules = WriteRules{Reserve: &Reserve{}}
		in, err := b.OpenIncoming(context.Background(), part, o)
		if err != nil {
			t.Fatal(err)
		}
		if err := putBody(in, "o", stamp(0), "body"); err != nil {
			t.Fatal(err)
		}
		in.rules = c.rules
		hook = func(op, _ string) error {
			if op == c.full {
				return unix.ENOSPC
			}
			return nil
		}
		for name, check := range map[string]struct {
			ok  bool
			err error
		}{
			"put":    {c.put, putBody(in, "put", stamp(0), "body")},
			"zero":   {c.zero, putBody(in, "zero", stamp(0), "")},
			"post":   {c.post, post(in, "o", stamp(1))},
			"delete": {true, remove(in, "o", stamp(2))},
		} {
			if (check.err == nil) != check.ok || check.err != nil && !errors.Is(check.err, ErrNoSpace) {
				t.Errorf("%s: %s: %v", c.what, name, check.err)
			}
		}
		in.Close()
	}
}

// A file system without files that have no name: drafts are in the device's tmp, and
// none is left there.
func TestWriteWithoutTmpfile(t *testing.T) {
	for _, errno := range []unix.Errno{unix.EOPNOTSUPP, unix.EISDIR, unix.EINVAL} {
		var hook func(op, path string) error
		b := writeBench(t, &hook)
		in := b.incoming()
		links := 0
		hook = func(op, path string) error {
			if op == "tmpfile" {
				return errno
			}
			if op == "link" {
				if links++; links == 1 { // and once the directory has gone
					os.Remove(filepath.Dir(path))
				}
				if found, _ := filepath.Glob(b.path("sda", "tmp", "tmp????????")); len(found) != 1 {
					t.Errorf("%v: drafts %v", errno, found)
				}
			}
			return nil
		}
		for i, name := range []string{"o", "p", "o"} {
			if err := putBody(in, name, stamp(i), "body"); err != nil {
				t.Errorf("%v: %v", errno, err)
			}
		}
		d, err := in.BeginPut(context.Background(), object("q"), stamp(0), 4)
		if err != nil {
			t.Fatal(err)
		}
		d.Discard()
		if files := b.objectFiles(); len(files) != 2 {
			t.Errorf("%v: %v", errno, slices.Collect(maps.Keys(files)))
		}
		if left := tree(t, b.path("sda", "tmp")); len(left) > 0 {
			t.Errorf("%v: left %v", errno, left)
		}
	}
}

// A draft that is given up leaves nothing, not even the directories made for it.
func TestDiscard(t *testing.T) {
	var hook func(op, path string) error
	b := writeBench(t, &hook)
	in := b.incoming()
	d, err := in.BeginPut(context.Background(), object("o"), stamp(0), 4)
	if err != nil {
		t.Fatal(err)
	}
	d.Discard()
	d.Discard()
	if left, _ := filepath.Glob(b.in("???")); len(left) > 0 {
		t.Errorf("left %v", left)
	}
	if err := putBody(in, "o", stamp(0), "body"); err != nil {
		t.Fatal(err)
	}
	if d, err = in.BeginPut(context.Background(), object("o"), stamp(1), 4); err != nil {
		t.Fatal(err)
	}
	d.Discard()
	if files := b.objectFiles(); len(files) != 1 {
		t.Errorf("%v", files)
	}
}
