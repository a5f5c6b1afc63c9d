package store

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"understudy/messages"
)

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
		proven, waiting := messages.Files{}, messages.Files{}
		for _, hash := range slices.Sorted(maps.Keys(listed)) {
			for _, name := range listed[hash] {
				if rapid.IntRange(0, 5).Draw(rt, "proven") > 0 {
					proven[hash] = append(proven[hash], name)
				} else if rapid.Bool().Draw(rt, "waits") {
					waiting[hash] = append(waiting[hash], name)
				}
			}
		}
		armed = true
		r, err := h.Remove(context.Background(), proven, waiting)
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
			case all && (strings.HasPrefix(name, ".") || name == hashFile || name == invalidFile || name == "tmpabcdefgh.tmp"):
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
			bare := !slices.ContainsFunc(names, func(name string) bool {
				return !slices.Contains(proven[hash], name) && !(strings.HasSuffix(name, ".meta") && slices.Contains(waiting[hash], name))
			})
			if len(proven[hash]) < len(names) && !bare {
				for _, name := range names {
					if _, err := os.Stat(b.in(hash[29:], hash, name)); err != nil {
						rt.Errorf("%s/%s is gone, though not all of its object was proven", hash, name)
					}
				}
			}
		}
	})
}
