package store

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"understudy/messages"
)

// quickBench is newBench in memory, for tests that are many fsyncs.
func quickBench(t testing.TB, tune func(*Options)) *bench {
	t.Helper()
	root := fastDir(t)
	b := newBench(t, func(o *Options) {
		if tune != nil {
			tune(o)
		}
		o.Root = root
	})
	b.root = root
	b.mkdir("sda")
	return b
}

// put writes a file as Swift's PUT does: whole in the device's tmp directory first,
// then linked into its hash directory, which is made again if it has just gone.
func (b *bench) put(path, content string) error {
	temp := b.path("sda/tmp", strings.ReplaceAll(path, "/", "_"))
	err := errors.Join(os.MkdirAll(filepath.Dir(temp), 0o755), os.WriteFile(temp, []byte(content), 0o644))
	if err != nil {
		return err
	}
	for range 1000 {
		if err = os.MkdirAll(b.in(filepath.Dir(path)), 0o755); err == nil {
			err = os.Link(temp, b.in(path))
		}
		if !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return err
}

// Something arrives at every single step of a removal, and is never lost. What
// arrives before the partition is looked at again keeps all of it.
func TestArrivalsSurvive(t *testing.T) {
	fresh := four[:29] + "abc"
	for name, path := range map[string]string{
		"an object":                   "abc/" + fresh + "/9.data",
		"an object in a new suffix":   "123/" + fresh[:29] + "123/9.data",
		"an object in an empty one":   "eee/00000000000000000000000000000eee/9.data",
		"newer data":                  "abc/" + one + "/9.data",
		"older data":                  "abc/" + two + "/0.data",
		"a POST":                      "abc/" + one + "/9.meta",
		"a tombstone":                 "abc/" + two + "/9.ts",
		"a temporary file of rsync's": "abc/" + one + "/.9.data.xxxxxx",
		"something foreign":           "def/" + four + "/9.xyz",
		"a foreign file":              "abc/x",
		"a foreign file at the top":   "x",
	} {
		for _, whole := range []bool{true, false} {
			for n := 1; ; n++ {
				calls, removed := 0, 0
				var b *bench
				h := (*Handoff)(nil)
				b = quickBench(t, withHook(func(op, at string) error {
					if h == nil {
						return nil
					}
					if calls++; calls == n {
						if err := b.put(path, "it"); err != nil {
							b.Fatal(err)
						}
					}
					if op == "remove" && calls >= n {
						removed++
					}
					return nil
				}))
				b.handoff()
				h = b.hold()
				files := maps.Clone(h.Manifest().Files)
				if !whole {
					delete(files, four)
				}
				r := b.remove(h, files)
				h.Release()
				if calls < n {
					if n < 40 {
						t.Errorf("only %d calls", n)
					}
					break
				}
				if data, err := os.ReadFile(b.in(path)); err != nil || string(data) != "it" {
					t.Fatalf("%s at call %d: lost: %v, %+v", name, n, err, r)
				}
				if n == 1 && (removed > 0 || r.Objects > 0 || r.Kept == "") {
					t.Errorf("%s: %+v, %d files removed", name, r, removed)
				}
			}
		}
	}
}

// Another file takes the name of a listed one. It is kept at every step but that
// between the last look and the unlink, and rsync's rename is as good as a PUT.
func TestReplacementsSurvive(t *testing.T) {
	for _, path := range []string{"abc/" + one + "/1.data", "abc/" + three + "/2.ts", "abc/" + two + "/.3.data.Ab0_9z", "tmpabcdefgh.tmp"} {
		for n := 1; ; n++ {
			calls, came := 0, false
			var b *bench
			h := (*Handoff)(nil)
			b = quickBench(t, withHook(func(op, at string) error {
				if h == nil {
					return nil
				}
				if calls++; calls != n || op == "remove" && at == b.in(path) {
					return nil
				}
				b.write(b.path("sda/new"), "it")
				came = os.Rename(b.path("sda/new"), b.in(path)) == nil // rsync gives up otherwise
				return nil
			}))
			b.handoff()
			h = b.hold()
			r := b.remove(h, h.Manifest().Files)
			if calls < n {
				break
			}
			if data, err := os.ReadFile(b.in(path)); came && (err != nil || string(data) != "it") {
				t.Errorf("%s at call %d: lost: %v, %+v", path, n, err, r)
			}
		}
	}
}

// An rsync that was at work when the partition was listed finishes at some step.
func TestRsyncFinishes(t *testing.T) {
	for n := 1; ; n++ {
		calls, came := 0, false
		var b *bench
		h := (*Handoff)(nil)
		b = quickBench(t, withHook(func(op, at string) error {
			if calls++; h != nil && calls == n {
				came = os.Rename(b.in("abc", two, ".3.data.Ab0_9z"), b.in("abc", two, "3.data")) == nil
			}
			return nil
		}))
		b.handoff()
		h, calls = b.hold(), 0
		r := b.remove(h, h.Manifest().Files)
		if calls < n {
			return
		}
		if _, err := os.Stat(b.in("abc", two, "3.data")); came && (err != nil || r.Whole || r.Kept == "") {
			t.Errorf("call %d: %v, %+v", n, err, r)
		}
	}
}

// PUTs while a partition is given up: not one that was acknowledged is lost.
func TestArrivalsInParallel(t *testing.T) {
	for range 20 {
		b := quickBench(t, nil)
		for i := range 200 {
			suffix := fmt.Sprintf("%03x", i%7)
			b.object(suffix, fmt.Sprintf("%029x%s", i, suffix), "1.data", "2.meta")
		}
		h := b.hold()
		var wg sync.WaitGroup
		begin := make(chan struct{})
		acked := make([][]string, 2)
		for w := range acked {
			wg.Add(1)
			go func() {
				defer wg.Done()
				<-begin
				for i := range 60 {
					suffix := fmt.Sprintf("%03x", i%7)
					path := fmt.Sprintf("%s/%029x%s/%d.data", suffix, i*(w+1), suffix, 10+w)
					if b.put(path, path) == nil {
						acked[w] = append(acked[w], path)
					}
				}
			}()
		}
		close(begin)
		r := b.remove(h, h.Manifest().Files)
		wg.Wait()
		for _, path := range slices.Concat(acked...) {
			if data, err := os.ReadFile(b.in(path)); err != nil || string(data) != path {
				t.Fatalf("%s: %v, %+v", path, err, r)
			}
		}
		if len(acked[0]) != 60 {
			t.Errorf("only %d acknowledged", len(acked[0]))
		}
		h.Release()
	}
}

// A POST that comes after the partition was looked at again, but before its object
// was, keeps the data that it belongs to.
func TestRemoveLooksAtEachObject(t *testing.T) {
	opened := 0
	var b *bench
	b = quickBench(t, withHook(func(op, at string) error {
		if op == "opendir" && at == b.in("abc", one) {
			if opened++; opened == 3 { // after Hold and the second listing
				return b.put("abc/"+one+"/9.meta", "it")
			}
		}
		return nil
	}))
	b.object("abc", one, "1.data")
	b.object("abc", two, "1.data")
	h := b.hold()
	r := b.remove(h, h.Manifest().Files)
	if want := (messages.Removal{Kept: `"abc/` + one + `/9.meta" has arrived`}); r != want {
		t.Errorf("%+v", r)
	}
	if got := tree(t, b.in("abc", one)); !slices.Equal(got, []string{"1.data", "9.meta"}) {
		t.Errorf("left %q", got)
	}
}

// The locks stay as long as anything else does.
func TestRemoveKeepsLocks(t *testing.T) {
	var b *bench
	b = quickBench(t, withHook(func(op, at string) error {
		if op == "remove" && at == b.in(invalidFile) {
			b.write(b.in("x"), "it")
		}
		return nil
	}))
	b.handoff()
	h := b.hold()
	if r := b.remove(h, h.Manifest().Files); r != (messages.Removal{Objects: 4, Kept: `"x" has arrived`}) {
		t.Errorf("%+v", r)
	}
	if got := tree(t, b.in()); !sameSet(got, []string{lockFile, handoffLock, "x"}) {
		t.Errorf("left %q", got)
	}
}

// Suffixes are durably invalid before their first file goes.
func TestRemoveMarksFirst(t *testing.T) {
	var ops []string
	b := quickBench(t, withHook(func(op, at string) error {
		if op == "write" || op == "fsync" || op == "remove" {
			ops = append(ops, op+" "+filepath.Base(at))
		}
		return nil
	}))
	b.object("abc", one, "1.data")
	b.object("def", four, "1.data")
	h := b.hold()
	b.remove(h, messages.Files{one: {"1.data"}})
	if want := []string{"write " + invalidFile, "fsync " + invalidFile, "remove 1.data"}; !slices.Equal(ops, want) {
		t.Errorf("%q", ops)
	}
	if got := b.invalidFile(); got != "abc\n" {
		t.Errorf("hashes.invalid %q", got)
	}
}

// Locks that go under a removal's hands.
func TestRemoveLosesLocks(t *testing.T) {
	t.Run("the partition's own", func(t *testing.T) {
		var b *bench
		locked := false
		b = quickBench(t, withHook(func(op, at string) error {
			if op == "stat" && locked {
				os.Remove(b.in(lockFile))
			}
			locked = locked || op == "create" && at == b.in(lockFile)
			return nil
		}))
		b.handoff()
		h := b.hold()
		if r := b.remove(h, h.Manifest().Files); r != (messages.Removal{Kept: "its lock was lost"}) {
			t.Errorf("%+v", r)
		}
	})
	t.Run("that of the directory", func(t *testing.T) {
		var b *bench
		b = quickBench(t, withHook(func(op, at string) error {
			if op == "remove" && at == b.in(invalidFile) {
				b.write(b.in(handoffLock), "")
			}
			if op == "create" && at == b.in(handoffLock) {
				return unix.ENOSPC
			}
			return nil
		}))
		b.handoff()
		h := b.hold()
		if r := b.remove(h, h.Manifest().Files); r != (messages.Removal{Objects: 4, Kept: `"` + handoffLock + `" has arrived`}) {
			t.Errorf("%+v", r)
		}
		if got := tree(t, b.in()); !sameSet(got, []string{lockFile, handoffLock}) {
			t.Errorf("left %q", got)
		}
	})
}

// A full disk, and something foreign in the place of hashes.pkl.
func TestRemoveTakesNoForeignCache(t *testing.T) {
	full := true
	b := quickBench(t, withHook(noRoom(&full, unix.ENOSPC)))
	b.object("abc", one, "1.data")
	if err := os.Symlink("/etc/passwd", b.in(hashFile)); err != nil {
		t.Fatal(err)
	}
	h := b.hold()
	if r := b.remove(h, h.Manifest().Files); r != (messages.Removal{Kept: `"` + hashFile + `" is not Swift's`}) {
		t.Errorf("%+v", r)
	}
	if _, err := os.Lstat(b.in(hashFile)); err != nil {
		t.Error(err)
	}
}
