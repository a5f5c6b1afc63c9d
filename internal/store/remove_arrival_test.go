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
	"sync"
	"testing"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

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
				r := b.remove(h, files, whole)
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
			r := b.remove(h, h.Manifest().Files, true)
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
		r := b.remove(h, h.Manifest().Files, true)
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
		r := b.remove(h, h.Manifest().Files, true)
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

// drawn is a random partition: paths of files, relative to it.
func drawn(t *rapid.T) map[string]bool {
	files := map[string]bool{}
	names := rapid.SampledFrom([]string{
		"1.data", "2.data", "3.data", "1.ts", "2.ts", "4.ts", "2.meta", "3.meta", "2+1.meta", "1_0000000000000001.data",
		".1.data.Ab0_9z", ".x.abcdef", "junk", "1.xyz", "1#0.data", "5.",
	})
	hash := rapid.SampledFrom([]string{one, two, three, four, four[:29] + "abc", one[:29] + "def"})
	top := rapid.SampledFrom([]string{hashFile, invalidFile, lockFile, "tmpabcdefgh.tmp", "tmp_.tmp", "x", "abc/x", "def/y", "012"})
	for range rapid.IntRange(0, 12).Draw(t, "files") {
		h := hash.Draw(t, "hash")
		files[h[29:]+"/"+h+"/"+names.Draw(t, "name")] = true
	}
	for range rapid.IntRange(0, 2).Draw(t, "others") {
		files[top.Draw(t, "other")] = true
	}
	return files
}

// Random partitions, random proofs, random arrivals at random steps, random faults:
// no object file is removed that was not both listed and proven, nothing foreign
// ever, and debris only with the whole partition in mind.
func TestRemoveProperty(t *testing.T) {
	base := fastDir(t)
	rapid.Check(t, func(rt *rapid.T) {
		root, err := os.MkdirTemp(base, "")
		if err != nil {
			rt.Fatal(err)
		}
		defer os.RemoveAll(root)
		arrivals := map[int]string{}
		for path := range drawn(rt) {
			if rapid.Bool().Draw(rt, "arrives") {
				arrivals[rapid.IntRange(1, 120).Draw(rt, "step")] = path
			}
		}
		fault := rapid.IntRange(1, 400).Draw(rt, "fault")
		var b *bench
		var removed []string
		came := map[string]bool{}
		calls, armed := 0, false
		b = &bench{TB: t, log: &logBuffer{}, root: root, Store: New(Options{Root: root, ReclaimAge: week, FS: faultFS{OS(), func(op, path string) error {
			if !armed {
				return nil
			}
			rel, _ := filepath.Rel(b.in(), path)
			calls++
			if arrival, ok := arrivals[calls]; ok && !slices.Contains([]string{hashFile, invalidFile, lockFile}, arrival) && b.put(arrival, "new") == nil {
				came[arrival] = true
			}
			if calls == fault {
				return unix.EIO
			}
			if op == "remove" && !came[rel] {
				removed = append(removed, rel)
			}
			return nil
		}}})}
		for path := range drawn(rt) {
			b.write(b.in(path), path)
		}
		b.mkdir(b.in())
		b.mkdir("sda/tmp")
		h, err := b.Hold(context.Background(), part)
		if err != nil {
			rt.Fatal(err)
		}
		defer h.Release()
		listed := h.Manifest().Files
		proven := messages.Files{}
		for _, hash := range slices.Sorted(maps.Keys(listed)) {
			for _, name := range listed[hash] {
				if rapid.IntRange(0, 5).Draw(rt, "proven") > 0 {
					proven[hash] = append(proven[hash], name)
				}
			}
		}
		whole := rapid.Bool().Draw(rt, "whole")
		armed = true
		r, err := h.Remove(context.Background(), proven, whole)
		armed = false

		if err != nil && !errors.Is(err, unix.EIO) {
			rt.Errorf("%v", err)
		}
		all := len(removed) > 0
		for _, hash := range slices.Sorted(maps.Keys(listed)) {
			all = all && slices.Equal(proven[hash], listed[hash])
		}
		for _, path := range removed {
			name, hash := filepath.Base(path), filepath.Base(filepath.Dir(path))
			switch {
			case slices.Contains(proven[hash], name) && slices.Contains(listed[hash], name):
			case whole && all && (strings.HasPrefix(name, ".") || name == hashFile || name == invalidFile || name == "tmpabcdefgh.tmp"):
			default:
				rt.Errorf("removed %s: %+v, %v", path, r, err)
			}
		}
		for path := range came {
			if data, err := os.ReadFile(b.in(path)); err != nil || string(data) != "new" {
				rt.Errorf("lost %s: %+v, %v", path, r, err)
			}
		}
		if _, err := os.Stat(b.in()); r.Whole != os.IsNotExist(err) && len(came) == 0 {
			rt.Errorf("%+v, %v", r, err)
		}
		// What an object has left is all or its newer part.
		for hash, names := range listed {
			for _, name := range names {
				_, err := os.Stat(b.in(hash[29:], hash, name))
				if err != nil && !slices.Contains(proven[hash], name) {
					rt.Errorf("%s/%s is gone: %+v", hash, name, r)
				}
			}
			if len(proven[hash]) < len(names) {
				for _, name := range names {
					if _, err := os.Stat(b.in(hash[29:], hash, name)); err != nil {
						rt.Errorf("%s/%s is gone, though not all of its object was proven", hash, name)
					}
				}
			}
		}
	})
}
