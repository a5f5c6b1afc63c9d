package store

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"understudy/internal/native"
	"understudy/messages"
)

// later makes a store whose clock is ahead: what has just been written is not fresh.
func later(o *Options) { o.Now = func() time.Time { return time.Now().Add(time.Minute) } }

// digestOf asks for one digest.
func (b *bench) digestOf(ask messages.DigestAsk) messages.DigestReport {
	b.Helper()
	var out []messages.DigestReport
	err := b.Digests(context.Background(), "sda", []messages.DigestAsk{ask}, func(_ int, r messages.DigestReport) bool {
		out = append(out, r)
		return true
	})
	if err != nil || len(out) != 1 {
		b.Fatalf("digest: %d reports, %v", len(out), err)
	}
	return out[0]
}

// truth is the digest that the partition's hashes have.
func (b *bench) truth(p messages.Partition) messages.Digest {
	b.Helper()
	r, err := b.Hashes(context.Background(), p, messages.HashOptions{})
	if err != nil {
		b.Fatal(err)
	}
	d, err := native.DigestOf(r.Hashes)
	if err != nil {
		b.Fatal(err)
	}
	return d
}

// arrive writes an object into a suffix of the partition, as Swift's server does.
func (b *bench) arrive(n int) (suffix string) {
	b.Helper()
	suffix = fmt.Sprintf("%03x", n%7)
	dir := b.in(suffix, fmt.Sprintf("%029x%s", n, suffix))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		b.Fatal(err)
	}
	if err := b.Invalidate(context.Background(), part, []string{suffix}); err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%010d.00000.data", time.Now().Unix()-1000+int64(n))), nil, 0o644); err != nil {
		b.Fatal(err)
	}
	return suffix
}

var sevenAsk = messages.DigestAsk{Number: part.Number}

// entry is what the cache remembers of the partition.
func (b *bench) entry() (e digestEntry, ok bool) {
	c := &b.digests
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.tables[digestPlace{"sda", 0}]
	if t == nil {
		return e, false
	}
	e, ok = t.latest[part.Number]
	if i, found := t.find(part.Number); found {
		return t.sorted[i], t.sorted[i].print != 0
	}
	return e, ok
}

// calls counts what a store asks of the disk.
func calls(o *Options, n map[string]int) {
	o.FS = faultFS{OS(), func(op, path string) error {
		if strings.Contains(path, "/objects/") {
			n[op]++
		}
		return nil
	}}
}

// In sync, a partition costs two stats. Whatever changes it makes a new digest, which
// always is that of the hashes.
func TestDigests(t *testing.T) {
	n := map[string]int{}
	b := newBench(t, func(o *Options) { later(o); calls(o, n) })
	none, err := native.DigestOf(nil)
	if err != nil {
		t.Fatal(err)
	}
	if r := b.digestOf(sevenAsk); r.Digest != none || r.Err != nil {
		t.Errorf("a missing partition: %+v", r)
	}
	last := none
	for i := range 10 {
		b.arrive(i)
		r := b.digestOf(sevenAsk)
		if r.Err != nil || r.Digest == last || r.Hashed != 1 || r.Suffixes != min(i+1, 7) || r.Digest != b.truth(part) {
			t.Fatalf("after object %d: %+v", i, r)
		}
		last = r.Digest
		if again := b.digestOf(sevenAsk); again.Digest != last || again.Hashed != 0 { // now it is remembered
			t.Fatalf("again: %+v", again)
		}
		clear(n)
		if again := b.digestOf(sevenAsk); again.Digest != last || again.Suffixes != min(i+1, 7) {
			t.Fatalf("remembered: %+v", again)
		}
		if len(n) != 1 || n["stat"] != 2 {
			t.Fatalf("a partition in sync costs %v", n)
		}
	}
	// An object that was moved in without a mark is found by a listing only, as in
	// Swift; a changed hashes.pkl at once.
	if err := os.MkdirAll(b.in("fff", strings.Repeat("0", 29)+"fff"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(b.in("fff", strings.Repeat("0", 29)+"fff", "1700000000.00000.data"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if r := b.digestOf(sevenAsk); r.Digest != last {
		t.Error("found without a listing")
	}
	listed := sevenAsk
	listed.List = true
	if r := b.digestOf(listed); r.Digest == last || r.Digest != b.truth(part) {
		t.Error("not found by a listing")
	}
	if err := os.Remove(b.in(hashFile)); err != nil {
		t.Fatal(err)
	}
	if r := b.digestOf(sevenAsk); r.Hashed != 8 || r.Digest != b.truth(part) {
		t.Errorf("without hashes.pkl: %+v", r)
	}
}

// What has changed a moment ago, has an open mark, or holds a suffix that could not be
// hashed is not remembered.
func TestDigestsNotRemembered(t *testing.T) {
	t.Run("fresh", func(t *testing.T) {
		b := newBench(t, nil)
		b.arrive(1)
		for range 3 {
			b.digestOf(sevenAsk)
		}
		if e, ok := b.entry(); ok {
			t.Errorf("remembered %+v", e)
		}
	})
	t.Run("future", func(t *testing.T) {
		b := newBench(t, func(o *Options) { o.Now = func() time.Time { return time.Now().Add(-time.Hour) } })
		b.arrive(1)
		for range 3 {
			b.digestOf(sevenAsk)
		}
		if e, ok := b.entry(); ok {
			t.Errorf("remembered %+v", e)
		}
	})
	t.Run("no hash", func(t *testing.T) {
		b := newBench(t, func(o *Options) {
			later(o)
			o.FS = faultFS{OS(), func(op, path string) error {
				if op == "readdir" && strings.HasSuffix(path, "/001") {
					return unix.EIO
				}
				return nil
			}}
		})
		b.arrive(1)
		b.arrive(2)
		for range 3 {
			if r := b.digestOf(sevenAsk); r.Err != nil || r.Suffixes != 2 {
				t.Fatalf("%+v", r)
			}
		}
		if e, ok := b.entry(); ok {
			t.Errorf("remembered %+v", e)
		}
	})
	t.Run("changed while read", func(t *testing.T) {
		var b *bench
		looks := -100
		b = newBench(t, func(o *Options) {
			later(o)
			o.FS = faultFS{OS(), func(op, path string) error {
				if op == "stat" && strings.HasSuffix(path, hashFile) {
					if looks++; looks == 2 { // the hashes have been read
						b.arrive(3)
						b.truth(part)
					}
				}
				return nil
			}}
		})
		b.arrive(1)
		b.digestOf(sevenAsk)
		looks = 0
		b.digestOf(sevenAsk)
		if e, ok := b.entry(); looks != 2 || ok {
			t.Errorf("remembered %+v after %d looks", e, looks)
		}
		if r := b.digestOf(sevenAsk); r.Digest != b.truth(part) {
			t.Error("the change was missed")
		}
	})
	t.Run("a link", func(t *testing.T) {
		b := newBench(t, later)
		b.arrive(1)
		b.digestOf(sevenAsk)
		if err := os.Rename(b.in(hashFile), b.path("elsewhere")); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(b.path("elsewhere"), b.in(hashFile)); err != nil {
			t.Fatal(err)
		}
		b.digestOf(sevenAsk)
		if e, ok := b.entry(); ok {
			t.Errorf("remembered %+v", e)
		}
	})
}

// A device that cannot be used is the error of the whole; a stop ends it.
func TestDigestsEnd(t *testing.T) {
	b := newBench(t, nil)
	asks := []messages.DigestAsk{{Number: 1}, {Number: 2}, {Number: 3, Policy: 1}}
	seen := 0
	count := func(int, messages.DigestReport) bool { seen++; return seen < 2 }
	if err := b.Digests(t.Context(), "sda", asks, count); err != nil || seen != 2 {
		t.Errorf("%d seen, %v", seen, err)
	}
	if err := b.Digests(t.Context(), "sdz", asks, count); err == nil || seen != 2 {
		t.Errorf("a missing device: %d seen, %v", seen, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := b.Digests(ctx, "sda", asks, count); err == nil {
		t.Error("a context that is done")
	}
}

// The cache is made to lie in every way. At worst work is repeated; a lie that says
// "unchanged" is found out by the next listing of the partition, which comes within
// ten passes, also when the disk takes no writes. Hashes and what handoffs hold are
// never told from it.
func TestCorruptDigestsHeal(t *testing.T) {
	lies := map[string]func(*digestEntry){
		"digest":                 func(e *digestEntry) { e.digest[3] ^= 1 },
		"fingerprint":            func(e *digestEntry) { e.print ^= 1 },
		"void":                   func(e *digestEntry) { e.print = 0 },
		"count":                  func(e *digestEntry) { e.suffixes = 4000 },
		"digest and fingerprint": func(e *digestEntry) { e.digest[3] ^= 1; e.print ^= 1 },
	}
	for name, lie := range lies {
		for _, frozen := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, frozen %v", name, frozen), func(t *testing.T) {
				b := newBench(t, later)
				b.arrive(1)
				b.arrive(2)
				b.digestOf(sevenAsk)
				b.digestOf(sevenAsk)
				e, ok := b.entry()
				if !ok {
					t.Fatal("not remembered")
				}
				truth := b.truth(part)
				if frozen {
					b.fs = faultFS{OS(), func(op, _ string) error {
						if op == "write" || op == "create" {
							return unix.EROFS
						}
						return nil
					}}
				}
				lie(&e)
				b.digests.put(digestPlace{"sda", 0}, e)
				before := b.files()
				hold, err := b.Hold(t.Context(), part)
				if err != nil {
					t.Fatal(err)
				}
				if len(hold.Manifest().Files) != 2 || b.truth(part) != truth {
					t.Error("a lie was believed")
				}
				hold.Release()
				for pass := range 10 {
					b.digestOf(messages.DigestAsk{Number: part.Number, List: (int(part.Number)+pass)%10 == 0})
				}
				for range 3 {
					if r := b.digestOf(sevenAsk); r.Digest != truth || r.Suffixes != 2 {
						t.Errorf("after ten passes: %+v", r)
					}
				}
				if got := b.files(); got != before {
					t.Errorf("files were %s, are %s", before, got)
				}
			})
		}
	}
}

// files are the object files of the partition.
func (b *bench) files() string {
	b.Helper()
	names, err := filepath.Glob(b.in("*", "*", "*.data"))
	if err != nil {
		b.Fatal(err)
	}
	return strings.Join(names, " ")
}

// Nothing but Digests looks at what is remembered: no removal, no hashes.
func TestOnlyDigestsUseTheCache(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) < 20 {
		t.Fatal(files, err)
	}
	for _, name := range files {
		if name == "digest.go" || name == "digest_cache.go" || strings.HasSuffix(name, "_test.go") {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, word := range []string{".digests", "Digests(", "digester"} {
			if strings.Contains(string(text), word) {
				t.Errorf("%s uses %s", name, word)
			}
		}
	}
}

// BenchmarkDigests is the pass over partitions in sync, this node's half of it.
func BenchmarkDigests(b *testing.B) {
	root := fastDir(b)
	s := New(Options{Root: root, ReclaimAge: 1000 * week, Now: func() time.Time { return time.Now().Add(time.Minute) }})
	var asks []messages.DigestAsk
	for n := range uint32(1024) {
		dir := filepath.Join(root, "sda/objects", fmt.Sprint(n), "abc", strings.Repeat("0", 29)+"abc")
		if err := os.MkdirAll(dir, 0o755); err != nil {
			b.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "1700000000.00000.data"), nil, 0o644); err != nil {
			b.Fatal(err)
		}
		asks = append(asks, messages.DigestAsk{Number: n})
	}
	run := func() {
		if err := s.Digests(context.Background(), "sda", asks, func(int, messages.DigestReport) bool { return true }); err != nil {
			b.Fatal(err)
		}
	}
	run()
	run()
	b.ReportAllocs()
	for b.Loop() {
		run()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(asks)), "ns/partition")
}
