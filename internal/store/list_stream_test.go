package store

import (
	"context"
	"errors"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"understudy/messages"
)

// crowded makes a device with partitions 0 to n-1.
func crowded(t testing.TB, n int, tune func(*Options)) *bench {
	t.Helper()
	root := fastDir(t)
	b := newBench(t, func(o *Options) {
		if tune != nil {
			tune(o)
		}
		o.Root = root
	})
	b.root = root
	b.mkdir("sda/objects")
	for i := range n {
		if err := os.Mkdir(b.path("sda/objects", strconv.Itoa(i)), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

// allOnce fails unless the partitions are 0 to n-1, in any order.
func allOnce(t testing.TB, got []uint32, n int) {
	t.Helper()
	slices.Sort(got)
	for i, number := range got {
		if uint32(i) != number {
			t.Fatalf("partition %d in the place of %d", number, i)
		}
	}
	if len(got) != n {
		t.Fatalf("%d partitions, want %d", len(got), n)
	}
}

// A directory that takes many reads comes in many pieces, and names that are none
// among them are told once, too.
func TestListComesInPieces(t *testing.T) {
	const n = 20_000
	b := crowded(t, n, nil)
	b.write(b.path("sda/objects/auditor_status_ALL.json"), "")
	b.mkdir("sda/objects/strange")
	pieces := 0
	var got messages.Listing
	err := b.List(context.Background(), "sda", 0, func(l messages.Listing) {
		pieces++
		if len(l.Partitions) > 4096 || l.Created {
			t.Errorf("a piece of %d, created %v", len(l.Partitions), l.Created)
		}
		got.Partitions = append(got.Partitions, l.Partitions...)
		got.Strange = append(got.Strange, l.Strange...)
	})
	if err != nil || pieces < 5 || !slices.Equal(got.Strange, []string{"strange"}) {
		t.Errorf("%d pieces, strange %q, %v", pieces, got.Strange, err)
	}
	allOnce(t, got.Partitions, n)
}

// An empty directory is listed without a piece, and is not taken for a missing one.
func TestListOfNothing(t *testing.T) {
	b := newBench(t, nil)
	b.mkdir("sda/objects")
	err := b.List(context.Background(), "sda", 0, func(l messages.Listing) { t.Errorf("%+v", l) })
	if err != nil {
		t.Error(err)
	}
}

// What is handed on is kept; everything else is less than the names themselves.
func TestListTakesLittleMemory(t *testing.T) {
	const n = 20_000
	b := crowded(t, n, nil)
	kept := make([][]uint32, 0, n)
	list := func() {
		kept = kept[:0]
		err := b.List(context.Background(), "sda", 0, func(l messages.Listing) { kept = append(kept, l.Partitions) })
		if err != nil {
			t.Fatal(err)
		}
	}
	list() // fills the pools
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	list()
	runtime.ReadMemStats(&after)
	slices := 0
	for _, piece := range kept {
		slices += 4 * cap(piece)
	}
	if spent := int(after.TotalAlloc-before.TotalAlloc) - slices; spent >= 16*n {
		t.Errorf("%d bytes beside the numbers: %d a partition", spent, spent/n)
	}
	if slices > 8*n {
		t.Errorf("%d bytes for %d numbers", slices, n)
	}
	if allocs := testing.AllocsPerRun(3, list); allocs > n/20 {
		t.Errorf("%v allocations", allocs)
	}
}

// A disk that fails in the middle is an error, whatever came before, and nothing is
// taken for missing and made.
func TestListFailsInTheMiddle(t *testing.T) {
	for _, errno := range []unix.Errno{unix.EIO, unix.ENOENT} {
		reads := 0
		b := crowded(t, 5000, withHook(func(op, path string) error {
			if op == "mkdir" {
				t.Errorf("%v: makes %s", errno, path)
			}
			if op == "readdir on" && strings.HasSuffix(path, "/objects") {
				if reads++; reads == 2 {
					return errno
				}
			}
			return nil
		}))
		got, err := wholeList(context.Background(), b.Store, "sda", 0)
		if !errors.Is(err, errno) || !strings.HasPrefix(err.Error(), "list partitions: ") || got.Created {
			t.Errorf("%v, created %v", err, got.Created)
		}
		if len(got.Partitions) == 0 || len(got.Partitions) >= 5000 {
			t.Errorf("%d partitions before the error", len(got.Partitions))
		}
		if open := openFiles(t, b.root); open != 0 {
			t.Errorf("%d files open", open)
		}
	}
}

func TestListIsCancelledInTheMiddle(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	b := crowded(t, 5000, nil)
	pieces := 0
	err := b.List(ctx, "sda", 0, func(messages.Listing) {
		pieces++
		cancel()
	})
	if !errors.Is(err, context.Canceled) || pieces != 1 {
		t.Errorf("%d pieces, %v", pieces, err)
	}
}

// EachName reads what ReadDir reads, also of a directory that is open already, also
// when a directory is read while another is.
func TestEachName(t *testing.T) {
	b := crowded(t, 3000, nil)
	d := openRoot(t, b.path("sda/objects"))
	want, err := OS().ReadDir(d, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"", "", "."} {
		var got []string
		err := OS().EachName(d, name, func(names []string) error {
			if len(names) == 0 {
				t.Error("an empty batch")
			}
			inner, err := OS().ReadDir(d, "7", nil)
			if err != nil || len(inner) != 0 {
				t.Errorf("%v %v", inner, err)
			}
			for _, n := range names {
				got = append(got, strings.Clone(n))
			}
			return nil
		})
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %d names, want %d, %v", name, len(got), len(want), err)
		}
	}
	mine := errors.New("enough")
	if err := OS().EachName(d, "", func([]string) error { return mine }); !errors.Is(err, mine) {
		t.Errorf("%v", err)
	}
	if err := OS().EachName(d, "missing", nil); !errors.Is(err, unix.ENOENT) {
		t.Errorf("%v", err)
	}
}

// BenchmarkList lists 20 000 partitions; B/op is what is spent, the numbers included.
func BenchmarkList(b *testing.B) {
	const n = 20_000
	s := crowded(b, n, func(o *Options) { o.Now = func() time.Time { return time.Unix(0, 0) } })
	b.ReportAllocs()
	for b.Loop() {
		if err := s.List(context.Background(), "sda", 0, func(messages.Listing) {}); err != nil {
			b.Fatal(err)
		}
	}
}
