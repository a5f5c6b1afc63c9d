package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"understudy/internal/swift/hashes"
	"understudy/messages"
)

const fake = "ffffffffffffffffffffffffffffffff" // a hash that no suffix has

func (b *bench) setCache(f hashes.File) {
	b.Helper()
	b.write(b.in(hashFile), string(f.Encode()))
}

func (b *bench) invalidFile() string {
	b.Helper()
	data, err := os.ReadFile(b.in(invalidFile))
	if err != nil && !os.IsNotExist(err) {
		b.Fatal(err)
	}
	return string(data)
}

func TestCacheIsTrusted(t *testing.T) {
	b := newBench(t, atNow)
	b.object("aaa", plain, "1700000001.00000.data")
	b.object("bbb", plain, "1700000001.00000.data")
	b.object("ccc", plain, "1700000001.00000.data")
	b.setCache(hashes.File{Valid: true, Updated: 5, Suffixes: map[string]string{"aaa": fake, "bbb": "", "ddd": fake}})
	fresh := md5Of(plainText)

	r := b.hashes(messages.HashOptions{})
	if want := (messages.Hashes{"aaa": fake, "bbb": fresh, "ddd": fake}); r.Hashed != 1 || !mapsEqual(r.Hashes, want) {
		t.Errorf("first %+v", r)
	}
	if c := b.cache(); c.Updated != float64(now.Unix()) || !c.Valid || !mapsEqual(c.Suffixes, r.Hashes) {
		t.Errorf("cache %+v", c)
	}
	before, _ := os.Stat(b.in(hashFile))
	if r = b.hashes(messages.HashOptions{}); r.Hashed != 0 {
		t.Errorf("second %+v", r)
	}
	if after, _ := os.Stat(b.in(hashFile)); !os.SameFile(before, after) {
		t.Error("written although nothing changed")
	}
	if r = b.hashes(messages.HashOptions{List: true}); r.Hashed != 1 || r.Hashes["ccc"] != fresh || r.Hashes["aaa"] != fake || r.Hashes["ddd"] != fake {
		t.Errorf("with listing %+v", r)
	}
	// The clock stands still, yet the write shows.
	if c := b.cache(); c.Updated <= float64(now.Unix()) {
		t.Errorf("updated %v", c.Updated)
	}
	r = b.hashes(messages.HashOptions{Recalculate: []string{"aaa", "ddd", "eee"}})
	if want := (messages.Hashes{"aaa": fresh, "bbb": fresh, "ccc": fresh}); r.Hashed != 1 || !mapsEqual(r.Hashes, want) {
		t.Errorf("recalculated %+v", r)
	}
	if info, _ := os.Stat(b.in(hashFile)); info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
}

func mapsEqual(a map[string]string, b messages.Hashes) bool {
	return hashes.File{Suffixes: a}.Equal(hashes.File{Suffixes: b})
}

// A pure question makes nothing.
func TestMissingPartition(t *testing.T) {
	b := newBench(t, nil)
	for range 2 {
		r, err := b.Hashes(context.Background(), part, messages.HashOptions{List: true, Recalculate: []string{"aaa"}})
		if err != nil || r.Hashes == nil || len(r.Hashes) != 0 {
			t.Errorf("%+v, %v", r, err)
		}
		if err := b.Invalidate(context.Background(), part, []string{"aaa"}); err != nil {
			t.Error(err)
		}
		if got, err := b.SuffixDirs(context.Background(), part, []string{"aaa"}); got != nil || err != nil {
			t.Errorf("%v, %v", got, err)
		}
		if got := tree(t, b.path("sda")); slices.Contains(got, "objects/7/") {
			t.Errorf("made %v", got)
		}
		b.mkdir("sda/objects") // and once more without the partition only
	}
}

func TestPartitionThatIsAFile(t *testing.T) {
	for _, c := range []struct {
		content, action string
		left            []string
	}{
		{"", "removed", []string{"objects/"}},
		{"x", "quarantined", []string{"objects/", "quarantined/", "quarantined/objects/", "quarantined/objects/7"}},
	} {
		b := newBench(t, nil)
		b.write(b.in(), c.content)
		_, err := b.Hashes(context.Background(), part, messages.HashOptions{})
		var e *messages.NotDirectoryError
		if !errors.As(err, &e) || e.Action != c.action || e.Path != b.in() || e.Size != int64(len(c.content)) {
			t.Errorf("%q: %v", c.content, err)
		}
		if got := tree(t, b.path("sda")); !slices.Equal(got, c.left) {
			t.Errorf("%q: left %v", c.content, got)
		}
		if said := strings.Contains(b.log.String(), `"message":"Removing partition directory which was a file: `+b.in()+`"`); said != (c.action == "removed") {
			t.Errorf("%q: log %s", c.content, b.log)
		}
	}
	// A link, even to an empty file, is left; so is a file that cannot be removed.
	b := newBench(t, withHook(func(op, path string) error {
		if op == "remove" {
			return unix.EIO
		}
		return nil
	}))
	b.write(b.path("target"), "")
	b.mkdir("sda/objects")
	if err := os.Symlink(b.path("target"), b.in()); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		_, err := b.Hashes(context.Background(), part, messages.HashOptions{})
		var e *messages.NotDirectoryError
		if !errors.As(err, &e) || e.Action != "left" {
			t.Errorf("%v", err)
		}
		if _, err := os.Lstat(b.in()); err != nil {
			t.Error(err)
		}
		os.Remove(b.in())
		b.write(b.in(), "")
	}
}

// Something that is mounted on a partition is not this disk's.
func TestPartitionOnAnotherFileSystem(t *testing.T) {
	b := newBench(t, nil)
	b.object("aaa", plain, "1700000001.00000.data")
	b.fs = otherDevice{b.fs, b.in()}
	if r, err := b.Hashes(context.Background(), part, messages.HashOptions{}); err == nil || !strings.Contains(err.Error(), "another file system") {
		t.Errorf("%+v, %v", r, err)
	}
}

type otherDevice struct {
	FS
	path string
}

func (o otherDevice) Stat(at Dir, name string, follow bool) (Info, error) {
	i, err := o.FS.Stat(at, name, follow)
	if at.Child(name) == o.path {
		i.Dev++
	}
	return i, err
}

// A disk that fails is an error or means hashing afresh. It is never an empty
// partition, and never a cache that says more than is true.
func TestCacheFaults(t *testing.T) {
	fresh, cached := md5Of(plainText), fake
	for _, c := range []struct {
		op, path string
		errno    error
		hash     string // of suffix aaa, "" for an error
		pkl      string // the hash that hashes.pkl has afterwards
		invalid  string // what is in hashes.invalid afterwards
	}{
		{"openfile", hashFile, unix.EIO, fresh, fresh, ""},
		{"read", hashFile, unix.EIO, fresh, fresh, ""},
		{"openfile", invalidFile, unix.EIO, fresh, fresh, "bbb\n"},
		{"read", invalidFile, unix.EIO, fresh, fresh, "bbb\n"},
		{"truncate", invalidFile, unix.EIO, fresh, fresh, "bbb\n"},
		{"fsync", "tmp", unix.EIO, "", cached, "bbb\n"},
		{"write", "tmp", unix.EIO, "", cached, "bbb\n"},
		{"write", "tmp", errShortWrite, cached, cached, "bbb\n"},
		{"create", "tmp", unix.EACCES, "", cached, "bbb\n"},
		{"create", "tmp", unix.ENOSPC, cached, cached, "bbb\n"},
		{"rename", "tmp", unix.EIO, "", cached, "bbb\n"},
		{"rename", "tmp", unix.EDQUOT, cached, cached, "bbb\n"},
		// The new hashes.pkl is in place and right, but may not survive a power cut.
		{"syncdir", "", unix.EIO, "", fresh, "bbb\n"},
		{"create", lockFile, unix.EROFS, cached, cached, "bbb\n"},
		{"create", lockFile, unix.ENOSPC, cached, cached, "bbb\n"},
		{"create", lockFile, unix.EACCES, "", cached, "bbb\n"},
		{"opendir", "", unix.EIO, "", cached, "bbb\n"},
		{"opendir", "..", unix.EIO, "", cached, "bbb\n"},
		{"readdir", "", unix.EIO, cached, cached, ""},
	} {
		t.Run(fmt.Sprintf("%s %s %v", c.op, c.path, c.errno), func(t *testing.T) {
			var b *bench
			var armed atomic.Bool
			hit := false
			b = newBench(t, both(atNow, withHook(func(op, path string) error {
				if armed.Load() && op == c.op && (path == b.in(c.path) || c.path == "tmp" && strings.HasPrefix(path, b.in("tmp"))) {
					hit = true
					return c.errno
				}
				return nil
			})))
			b.object("aaa", plain, "1700000001.00000.data")
			b.object("bbb", plain, "1700000001.00000.data")
			b.setCache(hashes.File{Valid: true, Updated: 5, Suffixes: map[string]string{"aaa": cached, "bbb": cached}})
			b.write(b.in(invalidFile), "bbb\n")
			armed.Store(true)
			r, err := b.Hashes(context.Background(), part, messages.HashOptions{})
			armed.Store(false)
			if !hit && c.op != "readdir" {
				t.Fatal("the fault did not happen")
			}
			if c.hash == "" && err == nil || c.hash != "" && (err != nil || r.Hashes["aaa"] != c.hash || r.Hashes["bbb"] != fresh) {
				t.Errorf("%+v, %v", r, err)
			}
			if errors.Is(err, ErrNoPartition) {
				t.Errorf("taken for missing: %v", err)
			}
			// hashes.pkl may know that bbb is unknown, but never the old hash as good.
			got := b.cache()
			if got.Suffixes["aaa"] != c.pkl || got.Suffixes["bbb"] == cached && !strings.Contains(b.invalidFile(), "bbb") {
				t.Errorf("hashes.pkl %+v with hashes.invalid %q", got, b.invalidFile())
			}
			if got := b.invalidFile(); got != c.invalid {
				t.Errorf("hashes.invalid %q, want %q", got, c.invalid)
			}
			for _, name := range tree(t, b.in()) {
				if strings.HasPrefix(name, "tmp") {
					t.Errorf("left %s", name)
				}
			}
			if r := b.hashes(messages.HashOptions{}); r.Hashes["bbb"] != fresh {
				t.Errorf("after the fault: %+v", r)
			}
		})
	}
}

// A listing of the partition that fails is an error.
func TestListingFaultIsAnError(t *testing.T) {
	var b *bench
	b = newBench(t, withHook(func(op, path string) error {
		if op == "readdir" && path == b.in() {
			return unix.EIO
		}
		return nil
	}))
	b.object("aaa", plain, "1700000001.00000.data")
	if r, err := b.Hashes(context.Background(), part, messages.HashOptions{}); !errors.Is(err, unix.EIO) || r.Hashes != nil {
		t.Errorf("%+v, %v", r, err)
	}
}

// Waiting for the lock in vain, or being told to stop meanwhile, is an error even
// where nothing would have to be hashed.
func TestHashesWaitForLock(t *testing.T) {
	for _, cancelled := range []bool{false, true} {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		var b *bench
		b = newBench(t, both(withHook(func(op, path string) error {
			if cancelled && op == "create" && path == b.in(lockFile) {
				cancel()
			}
			return nil
		}), func(o *Options) { o.LockTimeout = 30 * time.Millisecond }))
		b.mkdir(b.in())
		swiftLock(t, b.in(), nil, 1, 1)
		r, err := b.Hashes(ctx, part, messages.HashOptions{})
		var timeout *LockTimeoutError
		if r.Hashes != nil || errors.As(err, &timeout) == cancelled || errors.Is(err, context.Canceled) != cancelled {
			t.Errorf("cancelled %v: %+v, %v", cancelled, r, err)
		}
		if b.log.String() != "" {
			t.Errorf("log: %s", b.log)
		}
		swiftUnlock(t)
	}
}

// What hashes.pkl and hashes.invalid may look like, and that it ends well.
func TestStrangeCaches(t *testing.T) {
	fresh := md5Of(plainText)
	long := strings.Repeat("abc\n", maxInvalid/4+1)
	for name, c := range map[string]struct {
		pkl, invalid string
		hash         string
	}{
		"no file":           {"", "", fresh},
		"rubbish":           {"rubbish", "", fresh},
		"truncated":         {string(hashes.File{Valid: true, Suffixes: map[string]string{"aaa": fake}}.Encode()[:20]), "", fresh},
		"not valid":         {string(hashes.File{Suffixes: map[string]string{"aaa": fake}}.Encode()), "", fresh},
		"invalid":           {string(hashes.File{Valid: true, Suffixes: map[string]string{"aaa": fake}}.Encode()), "aaa\n", fresh},
		"half a line":       {string(hashes.File{Valid: true, Suffixes: map[string]string{"aaa": fake}}.Encode()), "aa", fake},
		"junk lines":        {string(hashes.File{Valid: true, Suffixes: map[string]string{"aaa": fake}}.Encode()), "\nzzz\nAAA\naaaa\n\x00\n", fake},
		"too long a file":   {string(hashes.File{Valid: true, Suffixes: map[string]string{"aaa": fake}}.Encode()), long, fresh},
		"too long a pickle": {strings.Repeat("x", hashes.MaxSize+1), "", fresh},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, atNow)
			b.object("aaa", plain, "1700000001.00000.data")
			if c.pkl != "" {
				b.write(b.in(hashFile), c.pkl)
			}
			if c.invalid != "" {
				b.write(b.in(invalidFile), c.invalid)
			}
			if got := b.hashes(messages.HashOptions{}).Hashes; len(got) != 1 || got["aaa"] != c.hash {
				t.Errorf("%v", got)
			}
			if got := b.cache(); !got.Valid || got.Suffixes["aaa"] != c.hash {
				t.Errorf("cache %+v", got)
			}
			if got := b.invalidFile(); got != "" {
				t.Errorf("hashes.invalid %.20q", got)
			}
		})
	}
	t.Run("no regular files", func(t *testing.T) {
		b := newBench(t, atNow)
		b.object("aaa", plain, "1700000001.00000.data")
		for _, name := range []string{hashFile, invalidFile} {
			if err := unix.Mkfifo(b.in(name), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if got := b.hashes(messages.HashOptions{}).Hashes; got["aaa"] != fresh {
			t.Errorf("%v", got)
		}
	})
}

func TestInvalidate(t *testing.T) {
	b := newBench(t, atNow)
	b.object("aaa", plain, "1700000001.00000.data")
	b.write(b.in(invalidFile), "ab") // a crash in the middle of a line
	for _, suffixes := range [][]string{{"aaa"}, {"bbb", "zz", "../", "ccc"}, nil, {"x"}} {
		if err := b.Invalidate(context.Background(), part, suffixes); err != nil {
			t.Fatal(err)
		}
	}
	if got := b.invalidFile(); got != "ab\naaa\nbbb\nccc\n" {
		t.Errorf("hashes.invalid %q", got)
	}
	b.setCache(hashes.File{Valid: true, Suffixes: map[string]string{"aaa": fake}})
	if got := b.hashes(messages.HashOptions{}).Hashes; len(got) != 1 || got["aaa"] != md5Of(plainText) {
		t.Errorf("%v", got)
	}
	if info, err := os.Stat(b.in(invalidFile)); err != nil || info.Size() != 0 {
		t.Errorf("hashes.invalid afterwards: %v, %v", info, err)
	}
}

// Invalidations of Swift's are heeded by us, and ours by Swift.
func TestInvalidateWithSwift(t *testing.T) {
	b := newBench(t, nil)
	b.object("aaa", plain, "1700000001.00000.data")
	b.object("bbb", plain, "1700000001.00000.data")
	first := b.hashes(messages.HashOptions{}).Hashes
	b.object("aaa", stale, "1700000003.00000.data")
	ask(t, map[string]any{"op": "invalidate", "path": b.in("aaa")}, &struct{}{})
	second := b.hashes(messages.HashOptions{}).Hashes
	if second["aaa"] == first["aaa"] || second["aaa"] != bothHash {
		t.Errorf("not heeded: %v", second)
	}
	b.object("bbb", stale, "1700000003.00000.data")
	if err := b.Invalidate(context.Background(), part, []string{"bbb"}); err != nil {
		t.Fatal(err)
	}
	var r oracleHashes
	ask(t, map[string]any{"op": "get_hashes", "root": b.root, "device": "sda", "part": "7", "recalculate": []string{}, "do_listdir": false, "reclaim_age": 1 << 40}, &r)
	if r.Hashes["bbb"] == nil || *r.Hashes["bbb"] != bothHash || r.Hashed != 1 {
		t.Errorf("Swift: %+v", r)
	}
}

// No room to note an invalidation: the partition is hashed afresh instead. A half
// written line is taken back.
func TestInvalidateWithoutRoom(t *testing.T) {
	for _, c := range []struct {
		op    string
		errno error
	}{{"create", unix.ENOSPC}, {"write", unix.EDQUOT}, {"write", errShortWrite}} {
		var b *bench
		var armed atomic.Bool
		b = newBench(t, both(atNow, withHook(func(op, path string) error {
			if armed.Load() && op == c.op && path == b.in(invalidFile) {
				return c.errno
			}
			return nil
		})))
		b.object("aaa", plain, "1700000001.00000.data")
		for _, cached := range []bool{true, false} {
			b.write(b.in(invalidFile), "bbb\n")
			if cached {
				b.setCache(hashes.File{Valid: true, Suffixes: map[string]string{"aaa": fake}})
			} else {
				os.Remove(b.in(hashFile))
			}
			armed.Store(true)
			err := b.Invalidate(context.Background(), part, []string{"aaa"})
			armed.Store(false)
			if err != nil || b.invalidFile() != "bbb\n" {
				t.Errorf("%v: %v, hashes.invalid %q", c, err, b.invalidFile())
			}
			if got := b.hashes(messages.HashOptions{}).Hashes; got["aaa"] != md5Of(plainText) {
				t.Errorf("%v: %v", c, got)
			}
		}
	}
	// Any other error is the caller's: the mark may be missing.
	b := newBench(t, withHook(func(op, path string) error {
		if op == "write" && strings.HasSuffix(path, invalidFile) {
			return unix.EIO
		}
		return nil
	}))
	b.object("aaa", plain, "1700000001.00000.data")
	if err := b.Invalidate(context.Background(), part, []string{"aaa"}); !errors.Is(err, unix.EIO) {
		t.Errorf("%v", err)
	}
}

// An object arrives in a suffix that is being hashed, after its directory was
// read. The invalidation must not be lost, whoever consolidates it.
func TestInvalidationWhileHashing(t *testing.T) {
	for _, consolidates := range []bool{false, true} {
		var b *bench
		var once sync.Once
		attempts := 0
		b = newBench(t, both(atNow, withHook(func(op, path string) error {
			if op != "closedir" || path != b.in("aaa") {
				return nil
			}
			attempts++
			once.Do(func() {
				// The suffix has been read, its hash is not written yet.
				done := make(chan error)
				go func() {
					other := New(Options{Root: b.root, ReclaimAge: week})
					b.object("aaa", stale, "1700000003.00000.data")
					err := other.Invalidate(context.Background(), part, []string{"aaa"})
					if consolidates && err == nil {
						_, err = other.Hashes(context.Background(), part, messages.HashOptions{})
					}
					done <- err
				}()
				if err := <-done; err != nil {
					t.Error(err)
				}
			})
			return nil
		})))
		b.object("aaa", plain, "1700000001.00000.data")
		first := b.hashes(messages.HashOptions{List: true})
		// Started over, it finds the other's hash in hashes.pkl and takes it.
		if consolidates && (attempts != 1 || first.Hashed != 0 || first.Hashes["aaa"] != bothHash) {
			t.Errorf("not started over: %d attempts, %+v", attempts, first)
		}
		if got := b.hashes(messages.HashOptions{}).Hashes["aaa"]; got != bothHash {
			t.Errorf("consolidated by another %v: the invalidation was lost", consolidates)
		}
	}
}

// Another process is always faster: after some time the hashes are told anyhow,
// and the other's hashes.pkl stays as it is.
func TestRestartsAreCapped(t *testing.T) {
	var b *bench
	attempts := 0
	b = newBench(t, both(atNow, withHook(func(op, path string) error {
		if op == "closedir" && path == b.in("aaa") {
			attempts++
			b.setCache(hashes.File{Valid: true, Updated: float64(attempts), Suffixes: map[string]string{"bbb": fake}})
		}
		return nil
	})))
	b.object("aaa", plain, "1700000001.00000.data")
	r := b.hashes(messages.HashOptions{List: true})
	if r.Hashes["aaa"] != md5Of(plainText) || r.Hashed != 1 || attempts != maxRestarts+1 {
		t.Errorf("%+v after %d attempts", r, attempts)
	}
	if c := b.cache(); c.Updated != float64(attempts) || len(c.Suffixes) != 1 {
		t.Errorf("cache %+v", c)
	}
}

// Writers and readers all at once, in one process and through the same files as
// Swift's: in the end the cached hashes are those of the disk.
func TestManyWritersAndReaders(t *testing.T) {
	b := newBench(t, nil)
	ctx := context.Background()
	suffixes := []string{"aaa", "bbb", "ccc"}
	b.mkdir(b.in())
	var wg sync.WaitGroup
	for w := range 3 {
		wg.Go(func() {
			s := New(Options{Root: b.root, ReclaimAge: week})
			for i := range 30 {
				suffix := suffixes[(w+i)%3]
				dir := b.in(suffix, fmt.Sprintf("%032x", w))
				for { // as Swift's writers, for an empty directory may be cleaned up under them
					err := errors.Join(os.MkdirAll(dir, 0o755), os.WriteFile(fmt.Sprintf("%s/17000%05d.00000.data", dir, i), nil, 0o644))
					if err == nil {
						break
					}
					if !errors.Is(err, os.ErrNotExist) {
						t.Error(err)
						return
					}
				}
				if err := s.Invalidate(ctx, part, []string{suffix}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 2 {
		wg.Go(func() {
			s := New(Options{Root: b.root, ReclaimAge: week})
			for i := range 30 {
				if _, err := s.Hashes(ctx, part, messages.HashOptions{List: i%3 == 0}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	cached := b.hashes(messages.HashOptions{}).Hashes
	fresh := b.hashes(messages.HashOptions{Recalculate: suffixes}).Hashes
	if len(fresh) != 3 || !mapsEqual(cached, fresh) {
		t.Errorf("cached %v, on disk %v", cached, fresh)
	}
	if n := b.ReleaseLocks(); n != 0 {
		t.Errorf("%d locks left over", n)
	}
}

func TestSuffixDirs(t *testing.T) {
	var broken atomic.Bool
	b := newBench(t, withHook(func(op, path string) error {
		if broken.Load() && op == "stat" && strings.HasSuffix(path, "/aaa") {
			return unix.EIO
		}
		return nil
	}))
	b.object("aaa", plain, "1700000001.00000.data")
	b.mkdir(b.in("bbb"))
	b.mkdir(b.in("zzz"))
	b.write(b.in("ccc"), "")
	if err := os.Symlink(b.in("aaa"), b.in("ddd")); err != nil {
		t.Fatal(err)
	}
	got, err := b.SuffixDirs(context.Background(), part, []string{"bbb", "aaa", "ccc", "ddd", "eee", "zzz", "..", ""})
	if want := []string{b.in("bbb"), b.in("aaa")}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v, want %v", got, err, want)
	}
	broken.Store(true)
	if got, err := b.SuffixDirs(context.Background(), part, []string{"aaa"}); !errors.Is(err, unix.EIO) || got != nil {
		t.Errorf("%v, %v", got, err)
	}
}

// No directory or file stays open: a disk that is not worked on can be unmounted.
func TestNothingStaysOpen(t *testing.T) {
	b := newBench(t, atNow)
	count := func() int {
		names, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, name := range names {
			if to, err := os.Readlink("/proc/self/fd/" + name.Name()); err == nil && strings.HasPrefix(to, b.root) {
				n++
				t.Logf("open: %s", to)
			}
		}
		return n
	}
	threeObjects(b)
	b.write(b.in("aaa", "3333"), "to be quarantined")
	for _, err := range everyCall(b.Store) {
		if err != nil {
			t.Error(err)
		}
	}
	b.ReleaseLocks()
	b.write(b.path("sda/objects/8"), "")
	b.Hashes(context.Background(), messages.Partition{Device: "sda", Number: 8}, messages.HashOptions{})
	b.Hashes(context.Background(), messages.Partition{Device: "sda", Number: 9}, messages.HashOptions{})
	if n := count(); n != 2 { // the two locks of everyCall, released but not closed
		t.Errorf("%d open files, want the 2 lock files", n)
	}
}
