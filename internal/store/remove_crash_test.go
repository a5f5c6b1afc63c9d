package store

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"understudy/internal/swift/diskfile"
	"understudy/internal/swift/hashes"
	"understudy/messages"
)

// manyVersions makes objects of every kind that a hash directory can hold.
func (b *bench) manyVersions() {
	b.Helper()
	for i, files := range [][]string{
		{"1.data"},
		{"1.data", "2.data", "3.data"},
		{"1.data", "2.meta"},
		{"1.data", "2+3.meta", "4.meta", "3.meta"},
		{"1.data", "2.data", "3.meta"},
		{"1.data", "2.ts"},
		{"1.data", "2.meta", "3.ts"},
		{"1.ts", "2.data"},
		{"1.data", "2.ts", "3.data", "4.meta"},
		{"1.data", "2.ts", "3.meta"},
		{"2.data", "2.ts", "2.meta"},
		{"1.meta"},
		{"1.data", "1_0000000000000001.data", "1_0000000000000001.ts"},
		{"1.ts", "2.ts", "10.ts", "9.data"},
	} {
		suffix := fmt.Sprintf("%03x", i%3)
		b.object(suffix, fmt.Sprintf("%029x%s", i, suffix), files...)
	}
	b.object("fff", one[:29]+"fff", "1.data", "2.meta") // not to be proven
	b.object("000", one[:29]+"000", ".1.data.xxxxxx")
	b.mkdir(b.in("eee"))
	b.write(b.in("tmpabcdefgh.tmp"), "")
}

// state is what every object of a partition is worth: the files that count.
func state(t testing.TB, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	dirs, err := filepath.Glob(dir + "/???/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range dirs {
		entries, err := os.ReadDir(d)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, e := range entries {
			names = append(names, e.Name())
		}
		var set diskfile.Set
		set.Read(names, time.Unix(0, 0), week)
		text := ""
		for _, i := range []*diskfile.Info{set.Data, set.Meta, set.CType, set.TS} {
			if i != nil {
				text += i.Name + " "
			}
		}
		all[filepath.Base(d)] = text
	}
	return all
}

type crash struct{ at int }

// The process dies before its nth change of the disk, for every n. No object then
// is something that it was not before: it is what it was, or none. What was not
// proven is whole, hashes.pkl does not tell of what is gone, and the next removal
// ends it.
func TestRemoveCrashes(t *testing.T) {
	unproven := one[:29] + "fff"
	for _, whole := range []bool{false, true} {
		for n := 1; ; n++ {
			changes, armed := 0, false
			b := quickBench(t, withHook(func(op, path string) error {
				if armed && slices.Contains([]string{"remove", "rmdir", "create", "write", "truncate", "rename", "move", "mkdir", "fsync"}, op) {
					if changes++; changes == n {
						panic(crash{n})
					}
				}
				return nil
			}))
			b.manyVersions()
			b.cacheTruly()
			before := state(t, b.in())

			h := b.hold()
			armed = true
			died := b.dies(h, h.Manifest().Files, unproven, whole)
			armed = false
			h.Release() // as the kernel does

			for hash, is := range state(t, b.in()) {
				if was := before[hash]; is != was && is != "" {
					t.Errorf("whole %v, crash %d: %s was %q, is %q", whole, n, hash, was, is)
				}
			}
			for _, name := range []string{"1.data", "2.meta"} {
				if _, err := os.Stat(b.in("fff", unproven, name)); err != nil && !whole {
					t.Errorf("crash %d: %v", n, err)
				}
			}
			if !died {
				if n < 30 {
					t.Errorf("only %d changes", n)
				}
				break
			}
			b.cacheIsTrue(fmt.Sprintf("whole %v, crash %d", whole, n))

			if _, err := os.Stat(b.in()); os.IsNotExist(err) {
				continue
			}
			h = b.hold()
			files := maps.Clone(h.Manifest().Files)
			if !whole {
				delete(files, unproven)
			}
			r := b.remove(h, files)
			h.Release()
			if r.Kept != "" || r.Whole != whole {
				t.Errorf("whole %v, crash %d: second removal %+v", whole, n, r)
			}
			for hash, is := range state(t, b.in()) {
				if is != "" && hash != unproven {
					t.Errorf("whole %v, crash %d: left %s %q", whole, n, hash, is)
				}
			}
		}
	}
}

// dies removes, and tells whether it did not live to see the end.
func (b *bench) dies(h *Handoff, files messages.Files, unproven string, whole bool) (died bool) {
	b.Helper()
	defer func() {
		if r := recover(); r != nil {
			if _, ok := r.(crash); !ok {
				panic(r)
			}
			died = true
		}
	}()
	files = maps.Clone(files)
	if !whole {
		delete(files, unproven)
	}
	if r := b.remove(h, files); r.Whole != whole {
		b.Errorf("%+v", r)
	}
	return false
}

// copied hashes a copy of the partition.
func (b *bench) copied(cached bool) messages.Hashes {
	b.Helper()
	root, err := os.MkdirTemp(b.root, "copy")
	if err != nil {
		b.Fatal(err)
	}
	defer os.RemoveAll(root)
	s := New(Options{Root: root, ReclaimAge: 100 * 365 * 24 * time.Hour, Log: zerolog.Nop()})
	if err := os.CopyFS(s.Path(part), os.DirFS(b.in())); err != nil {
		b.Fatal(err)
	}
	if !cached {
		os.Remove(filepath.Join(s.Path(part), hashFile))
	}
	r, err := s.Hashes(context.Background(), part, messages.HashOptions{})
	if err != nil {
		b.Fatal(err)
	}
	return r.Hashes
}

// cacheTruly gives the partition the hashes.pkl that it should have.
func (b *bench) cacheTruly() {
	b.Helper()
	b.setCache(hashes.File{Valid: true, Updated: 1, Suffixes: b.copied(false)})
}

// cacheIsTrue compares what hashes.pkl and hashes.invalid make of the partition
// with what it is.
func (b *bench) cacheIsTrue(when string) {
	b.Helper()
	if _, err := os.Stat(b.in()); os.IsNotExist(err) {
		return
	}
	if cached, fresh := b.copied(true), b.copied(false); !maps.Equal(cached, fresh) {
		b.Errorf("%s: cached %v, true %v", when, cached, fresh)
	}
}

// BenchmarkRevert holds and gives up a partition of 20 000 files (-store.dirs)
// in memory: what it costs beside the disk. Reported as ns/file.
func BenchmarkRevert(b *testing.B) {
	q := quickBench(b, nil)
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		for i := range *benchDirs {
			suffix := fmt.Sprintf("%03x", i/5)
			q.object(suffix, fmt.Sprintf("%029x%s", i, suffix), "1700000001.00000.data")
		}
		b.StartTimer()
		h := q.hold()
		if r := q.remove(h, h.Manifest().Files); r.Objects != *benchDirs || !r.Whole {
			b.Fatalf("%+v", r)
		}
		h.Release()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(*benchDirs), "ns/file")
}
