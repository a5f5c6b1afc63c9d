package store

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"

	"understudy/internal/swift/diskfile"
	"understudy/messages"
)

var (
	benchDirs = flag.Int("store.dirs", 20000, "hash directories of the benchmarked tree")
	benchTree = flag.String("store.tree", "", "where to leave the benchmarked tree, for another program to hash")
)

// perSuffix is how many objects share a suffix: with 16 partitions of 4096 suffixes
// it is 1 or 2 up to 100 000 objects.
const perSuffix = 4

// benchDevice makes a device of partitions with up to 4096 suffixes each, and
// returns its root and the partitions.
func benchDevice(b *testing.B) (root string, parts []messages.Partition) {
	b.Helper()
	root = *benchTree
	if root == "" {
		root = fastDir(b)
	}
	const perPartition = 4096 * perSuffix
	for i := range *benchDirs {
		n := i / perPartition
		suffix := i % perPartition / perSuffix
		dir := filepath.Join(root, "sda/objects", strconv.Itoa(n), fmt.Sprintf("%03x", suffix), fmt.Sprintf("%029x%03x", i, suffix))
		if err := os.MkdirAll(dir, 0o755); err != nil {
			b.Fatal(err)
		}
		if err := os.WriteFile(fmt.Sprintf("%s/17%08d.%05d.data", dir, i, i%100000), nil, 0o644); err != nil {
			b.Fatal(err)
		}
		if len(parts) <= n {
			parts = append(parts, messages.Partition{Device: "sda", Number: uint32(n)})
		}
	}
	return root, parts
}

// BenchmarkHashTree hashes every suffix of a tree afresh: what a pass over a disk
// without hashes.pkl costs beside the disk itself. The time per hash directory is
// reported as ns/dir, the processor time as cpu-ns/dir.
func BenchmarkHashTree(b *testing.B) {
	root, parts := benchDevice(b)
	s := New(Options{Root: root, ReclaimAge: 1000 * week, Log: zerolog.Nop()})
	b.ReportAllocs()
	start := cpuTime(b)
	for b.Loop() {
		hashed := 0
		for _, p := range parts {
			if err := os.Remove(filepath.Join(s.PartitionPath(p), hashFile)); err != nil && !os.IsNotExist(err) {
				b.Fatal(err)
			}
			r, err := s.Hashes(context.Background(), p, messages.HashOptions{List: true})
			if err != nil {
				b.Fatal(err)
			}
			hashed += r.Hashed
		}
		if want := (*benchDirs + perSuffix - 1) / perSuffix; hashed != want {
			b.Fatalf("hashed %d suffixes, want %d", hashed, want)
		}
	}
	each := float64(b.N) * float64(*benchDirs)
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/each, "ns/dir")
	b.ReportMetric(float64((cpuTime(b)-start).Nanoseconds())/each, "cpu-ns/dir")
}

// cpuTime is what the whole process has used, garbage collection included. On a
// busy machine it says more than the clock.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkCached asks for hashes that are all cached.
func BenchmarkCached(b *testing.B) {
	root, parts := benchDevice(b)
	s := New(Options{Root: root, ReclaimAge: 1000 * week, Log: zerolog.Nop()})
	ask := func() {
		if _, err := s.Hashes(context.Background(), parts[0], messages.HashOptions{}); err != nil {
			b.Fatal(err)
		}
	}
	ask()
	b.ReportAllocs()
	for b.Loop() {
		ask()
	}
}

// The pair tells what the FS seam costs: the calls that hash a tree, made through
// the interface and made directly. The bodies are the same but for the type of fs.
// On a busy machine their times say less than BenchmarkSeamShare, which takes turns
// and compares the best of each.

func BenchmarkSeamInterface(b *testing.B) {
	benchmarkSeam(b, func(w *walk) { w.throughInterface(OS()) })
}
func BenchmarkSeamDirect(b *testing.B) { benchmarkSeam(b, func(w *walk) { w.direct(osFS{}) }) }

func benchmarkSeam(b *testing.B, hash func(*walk)) {
	root, parts := benchDevice(b)
	for b.Loop() {
		for _, p := range parts {
			w := newWalk(b, root, p)
			hash(w)
			w.close()
		}
	}
}

func BenchmarkSeamShare(b *testing.B) {
	root, parts := benchDevice(b)
	var best [2]time.Duration
	for b.Loop() {
		for i, hash := range []func(*walk){func(w *walk) { w.throughInterface(OS()) }, func(w *walk) { w.direct(osFS{}) }} {
			w := newWalk(b, root, parts[0])
			start := time.Now()
			hash(w)
			if took := time.Since(start); best[i] == 0 || took < best[i] {
				best[i] = took
			}
			w.close()
		}
	}
	b.ReportMetric(100*(float64(best[0])/float64(best[1])-1), "%seam")
}

//go:noinline
func (w *walk) throughInterface(fs FS) {
	for _, suffix := range w.suffixes {
		d, err := fs.OpenDir(w.dir, suffix, false)
		w.check(err)
		w.entries, err = fs.ReadDir(d, "", w.entries[:0])
		w.check(err)
		slices.Sort(w.entries)
		for _, entry := range w.entries {
			w.names, err = fs.ReadDir(d, entry, w.names[:0])
			w.check(err)
			w.add()
		}
		w.check(fs.CloseDir(d))
		w.sum()
	}
}

//go:noinline
func (w *walk) direct(fs osFS) {
	for _, suffix := range w.suffixes {
		d, err := fs.OpenDir(w.dir, suffix, false)
		w.check(err)
		w.entries, err = fs.ReadDir(d, "", w.entries[:0])
		w.check(err)
		slices.Sort(w.entries)
		for _, entry := range w.entries {
			w.names, err = fs.ReadDir(d, entry, w.names[:0])
			w.check(err)
			w.add()
		}
		w.check(fs.CloseDir(d))
		w.sum()
	}
}

// walk is what both of the pair have in common.
type walk struct {
	b                        *testing.B
	dir                      Dir
	suffixes, entries, names []string
	set                      diskfile.Set
	text                     []byte
	now                      time.Time
}

func newWalk(b *testing.B, root string, p messages.Partition) *walk {
	w := &walk{b: b, now: time.Now()}
	var err error
	w.dir, err = OS().OpenDir(Root, filepath.Join(root, p.String()), true)
	w.check(err)
	w.suffixes, err = OS().ReadDir(w.dir, "", nil)
	w.check(err)
	w.suffixes = slices.DeleteFunc(w.suffixes, func(s string) bool { return len(s) != 3 })
	return w
}

func (w *walk) check(err error) {
	if err != nil {
		w.b.Fatal(err)
	}
}

func (w *walk) add() {
	w.set.Read(w.names, w.now, 1000*week)
	w.text = w.set.AppendHashText(w.text)
}

func (w *walk) sum() {
	sum := md5.Sum(w.text)
	if hex.EncodeToString(sum[:]) == "" {
		w.b.Fatal("no hash")
	}
	w.text = w.text[:0]
}

func (w *walk) close() { w.check(OS().CloseDir(w.dir)) }
