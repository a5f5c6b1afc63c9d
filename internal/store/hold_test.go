package store

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"reflect"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"understudy/actors"
	"understudy/messages"
)

var _ actors.Hold = (*Handoff)(nil)

const (
	one   = "11111111111111111111111111111abc"
	two   = "22222222222222222222222222222abc"
	three = "33333333333333333333333333333abc"
	four  = "44444444444444444444444444444def"
)

func (b *bench) hold() *Handoff {
	b.Helper()
	h, err := b.Hold(context.Background(), part)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(h.Release)
	return h
}

// openFiles counts this process's descriptors below a directory.
func openFiles(t testing.TB, dir string) (n int) {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if to, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil && strings.HasPrefix(to, dir) {
			n++
		}
	}
	return n
}

// hostile makes names that are no object's, with what they must not be taken for.
func hostile(b *bench) {
	b.object("abc", one, "1.data", ".1.data.Ab0_9z", "1.durable", "1#2.data", "junk", "1.xyz", "1", ".data", "..ts", " \n.data", "\xff\xfe.ts", "nan.data")
	b.mkdir(b.in("abc", one, "5.data"))
	if err := errors.Join(os.Symlink("1.data", b.in("abc", one, "6.data")), unix.Mkfifo(b.in("abc", one, "7.ts"), 0o600),
		os.Symlink(one, b.in("abc", two)), os.Symlink("abc", b.in("def"))); err != nil {
		b.Fatal(err)
	}
	b.object("abc", "00000000000000000000000000000def", "1.data") // not this suffix's
	b.object("abc", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAabc", "1.data")
	b.object("abc", "1abc", "1.data")
	b.object("ABC", "11111111111111111111111111111ABC", "1.data")
	b.object("xyz", one, "1.data")
	b.object("ab", one, "1.data")
	b.object(" -rf\n*", one, "1.data")
	b.write(b.in("fff"), "a file named like a suffix")
	b.write(b.in("abc", three), "a file named like an object")
	b.write(b.in("tmp.tmp"), "")
	b.mkdir(b.in("tmpabcdefgh.tmp"))
	b.mkdir(b.in("000")) // an empty suffix
}

func TestHoldLists(t *testing.T) {
	b := newBench(t, nil)
	hostile(b)
	b.object("abc", four[:29]+"abc", "2.meta", "1.data", "3.ts", "0.data", "1+5.meta", ".2.meta.XXXXXX")
	b.object("111", "00000000000000000000000000000111", "1700000000.00000.ts")
	b.write(b.in("tmpabcd_123.tmp"), "")
	before := tree(t, b.in())

	h := b.hold()
	want := messages.Manifest{
		Suffixes: []string{"000", "111", "abc"},
		Files: messages.Files{
			one:                                {"1.data"},
			four[:29] + "abc":                  {"0.data", "1+5.meta", "1.data", "2.meta", "3.ts"},
			"00000000000000000000000000000111": {"1700000000.00000.ts"},
		},
	}
	if got := h.Manifest(); !reflect.DeepEqual(got, want) {
		t.Errorf("manifest %+v, want %+v", got, want)
	}
	after := tree(t, b.in())
	if want := append([]string{handoffLock}, without(before, handoffLock)...); !sameSet(after, want) {
		t.Errorf("left %q, want %q", after, want)
	}
	if got := b.Path(part); got != b.in() {
		t.Errorf("path %s", got)
	}
	h.Release()
	h.Release()
	if _, err := h.Remove(context.Background(), nil, nil); err == nil {
		t.Error("removed after release")
	}
	if n := openFiles(t, b.root); n != 0 {
		t.Errorf("%d files open", n)
	}
}

func without(names []string, name string) (rest []string) {
	for _, n := range names {
		if n != name {
			rest = append(rest, n)
		}
	}
	return rest
}

func sameSet(a, b []string) bool {
	in := map[string]bool{}
	for _, s := range a {
		in[s] = true
	}
	for _, s := range b {
		if !in[s] {
			return false
		}
	}
	return len(a) == len(b)
}

// No call of the listing may fail unnoticed, and none leaves anything open.
func TestHoldFaults(t *testing.T) {
	for _, errno := range []unix.Errno{unix.EIO, unix.EACCES, unix.EUCLEAN, unix.ENODATA, unix.EMFILE, unix.EROFS} {
		for n := 1; ; n++ {
			calls, failed := 0, ""
			b := quickBench(t, withHook(func(op, path string) error {
				if calls++; calls == n {
					failed = op + " " + path
					return errno
				}
				return nil
			}))
			b.object("abc", one, "1.data", ".1.data.xxxxxx")
			b.object("def", four, "1.ts")
			b.write(b.in(hashFile), "")
			b.write(b.in(invalidFile), "abc\n")
			before := tree(t, b.in())
			h, err := b.Hold(context.Background(), part)
			if calls < n {
				if err != nil {
					t.Fatal(err)
				}
				h.Release()
				if n < 20 {
					t.Errorf("only %d calls", n)
				}
				break
			}
			// Without a lock file the directory is locked; a file that is there after all
			// says that somebody else's lock holds.
			fallsBack := errno == unix.EROFS && strings.HasSuffix(failed, handoffLock)
			if !errors.Is(err, errno) && !strings.HasPrefix(failed, "close") && !fallsBack {
				t.Errorf("%v at %s: %v", errno, failed, err)
			}
			if after := without(tree(t, b.in()), handoffLock); !sameSet(after, before) {
				t.Errorf("%v at call %d: left %q", errno, n, after)
			}
			if err == nil {
				h.Release()
			}
			if open := openFiles(t, b.root); open != 0 {
				t.Errorf("%v at call %d: %d files open", errno, n, open)
			}
		}
	}
}

func TestHoldRefuses(t *testing.T) {
	ctx := context.Background()
	b := newBench(t, nil)
	if _, err := b.Hold(ctx, messages.Partition{Device: "sdb", Number: 7}); !errors.As(err, new(*messages.DeviceError)) {
		t.Errorf("no device: %v", err)
	}
	if _, err := b.Hold(ctx, part); !errors.Is(err, ErrNoPartition) {
		t.Errorf("no partition: %v", err)
	}
	b.write(b.in(), "content")
	var file *messages.NotDirectoryError
	if _, err := b.Hold(ctx, part); !errors.As(err, &file) || file.Action != "quarantined" {
		t.Errorf("a file: %v", err)
	}
	b.mkdir(b.in())
	done, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := b.Hold(done, part); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if got := tree(t, b.in()); len(got) != 0 {
		t.Errorf("made %q", got)
	}
}

// foreignFS answers that something else is mounted at a path.
type foreignFS struct {
	FS
	at string
}

func (f foreignFS) Stat(at Dir, name string, follow bool) (Info, error) {
	i, err := f.FS.Stat(at, name, follow)
	if at.Child(name) == f.at {
		i.Dev++
	}
	return i, err
}

func TestHoldCrossesNoMount(t *testing.T) {
	for _, where := range []string{"abc", "abc/" + one} {
		root := t.TempDir()
		b := newBench(t, func(o *Options) { o.Root, o.FS = root, foreignFS{OS(), root + "/sda/objects/7/" + where} })
		b.root = root
		b.mkdir("sda")
		b.object("abc", one, "1.data")
		if _, err := b.Hold(context.Background(), part); err == nil || !strings.Contains(err.Error(), "another file system") {
			t.Errorf("%s: %v", where, err)
		}
	}
}

// swiftHolds starts Swift's own partition_lock. Its answer is "locked" or
// "timeout"; release ends it.
func swiftHolds(b *bench) (answer string, release func()) {
	b.Helper()
	cmd := exec.Command("/usr/bin/python3", "testdata/hold_partition.py", b.root, part.Device, fmt.Sprint(part.Number))
	cmd.Stderr = os.Stderr
	in, err1 := cmd.StdinPipe()
	out, err2 := cmd.StdoutPipe()
	if err := errors.Join(err1, err2, cmd.Start()); err != nil {
		b.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		b.Fatalf("Swift is gone (is python3-swift installed?): %v", err)
	}
	return strings.TrimSpace(line), func() {
		io.WriteString(in, "\n")
		cmd.Wait()
	}
}

func TestHoldAndSwiftExcludeEachOther(t *testing.T) {
	b := newBench(t, nil)
	b.object("abc", one, "1.data")
	answer, release := swiftHolds(b)
	if answer != "locked" {
		t.Fatal(answer)
	}
	_, err := b.Hold(context.Background(), part)
	var timeout *LockTimeoutError
	if !errors.Is(err, actors.ErrPartitionLocked) || !errors.As(err, &timeout) || timeout.Timeout != handoffWait {
		t.Errorf("Swift holds it: %v", err)
	}
	release()
	h := b.hold()
	if _, err := b.Hold(context.Background(), part); !errors.Is(err, actors.ErrPartitionLocked) {
		t.Errorf("we hold it: %v", err)
	}
	answer, release = swiftHolds(b)
	release()
	if answer != "timeout" {
		t.Errorf("Swift got it, too: %s", answer)
	}
	h.Release()
	answer, release = swiftHolds(b)
	release()
	if answer != "locked" {
		t.Errorf("Swift does not get it after release: %s", answer)
	}
}

// A lock on a file that has lost its name keeps nobody off.
func TestHoldNeedsANamedLock(t *testing.T) {
	b := newBench(t, withHook(func(op, path string) error {
		if op == "stat" && strings.HasSuffix(path, handoffLock) { // the first look after locking
			os.Remove(path)
		}
		return nil
	}))
	b.object("abc", one, "1.data")
	if _, err := b.Hold(context.Background(), part); !errors.Is(err, messages.ErrPartitionLocked) {
		t.Errorf("%v", err)
	}
	if n := openFiles(t, b.root); n != 0 {
		t.Errorf("%d files open", n)
	}
}

// noRoom is a full disk: nothing new fits, existing files cannot grow.
func noRoom(full *bool, errno unix.Errno) func(op, path string) error {
	return func(op, path string) error {
		if !*full {
			return nil
		}
		switch op {
		case "create":
			if _, err := os.Lstat(path); os.IsNotExist(err) {
				return errno
			}
		case "write", "mkdir":
			return errno
		}
		return nil
	}
}

// A full disk can be drained: without room for a lock file the directory is locked.
func TestHoldOnAFullDisk(t *testing.T) {
	for _, errno := range []unix.Errno{unix.ENOSPC, unix.EDQUOT} {
		full := true
		b := newBench(t, withHook(noRoom(&full, errno)))
		b.object("abc", one, "1.data")
		b.object("def", four, "1.data")
		b.write(b.in(hashFile), "old")
		h := b.hold()
		if got := tree(t, b.in()); !sameSet(got, []string{"abc/", "abc/" + one + "/", "abc/" + one + "/1.data", "def/", "def/" + four + "/", "def/" + four + "/1.data", hashFile}) {
			t.Errorf("made %q", got)
		}
		if _, err := b.Hold(context.Background(), part); !errors.Is(err, messages.ErrPartitionLocked) {
			t.Errorf("held twice: %v", err)
		}
		r, err := h.Remove(context.Background(), messages.Files{one: {"1.data"}}, nil)
		if err != nil || r != (messages.Removal{Objects: 1}) {
			t.Errorf("%+v, %v", r, err)
		}
		if got := tree(t, b.in()); !sameSet(got, []string{"def/", "def/" + four + "/", "def/" + four + "/1.data"}) {
			t.Errorf("left %q", got)
		}
		if !strings.Contains(b.log.String(), "hashes dropped") {
			t.Errorf("log %s", b.log)
		}
		h.Release()

		h = b.hold()
		if r, err := h.Remove(context.Background(), h.Manifest().Files, nil); err != nil || r != (messages.Removal{Objects: 1, Whole: true}) {
			t.Errorf("%+v, %v", r, err)
		}
		h.Release()

		// Somebody finds room for the lock file: then we hold nothing.
		b.object("abc", one, "1.data")
		h = b.hold()
		full = false
		answer, release := swiftHolds(b)
		if answer != "locked" {
			t.Fatal(answer)
		}
		if r, err := h.Remove(context.Background(), h.Manifest().Files, nil); err != nil || r.Objects != 0 || r.Whole || r.Kept != "its lock was lost" {
			t.Errorf("%+v, %v", r, err)
		}
		release()
	}
}

// A read-only disk is a source: its handoffs can be held and listed, under a lock
// that makes no file, but nothing of them can be given up.
func TestHoldOnAReadOnlyDisk(t *testing.T) {
	b := newBench(t, withHook(func(op, path string) error {
		switch op {
		case "create", "append", "write", "remove", "move", "rename", "rmdir", "mkdir":
			return unix.EROFS
		}
		return nil
	}))
	b.object("abc", one, "1.data")
	before := tree(t, b.in())
	h := b.hold()
	if len(h.Manifest().Files) != 1 {
		t.Errorf("listed %v", h.Manifest())
	}
	if _, err := b.Hold(context.Background(), part); !errors.Is(err, messages.ErrPartitionLocked) {
		t.Errorf("held twice: %v", err)
	}
	if r, err := h.Remove(context.Background(), h.Manifest().Files, nil); !errors.Is(err, unix.EROFS) || r.Objects != 0 || r.Whole {
		t.Errorf("%+v, %v", r, err)
	}
	if after := tree(t, b.in()); !sameSet(after, before) {
		t.Errorf("left %q", after)
	}
}
