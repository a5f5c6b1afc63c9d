package store

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"understudy/internal/swift/ssync"
	"understudy/messages"
)

// handoff makes a handoff partition with one of everything that is Swift's.
func (b *bench) handoff() {
	b.Helper()
	b.object("abc", one, "1.data")
	b.object("abc", two, "1.data", "2.meta", ".3.data.Ab0_9z")
	b.object("abc", three, "1.data", "2.ts")
	b.object("def", four, "5.ts")
	b.mkdir(b.in("000"))
	b.mkdir(b.in("eee", "00000000000000000000000000000eee"))
	b.write(b.in(hashFile), "")
	b.write(b.in(invalidFile), "abc\n")
	b.write(b.in("tmpabcdefgh.tmp"), "")
}

// remove gives up what it is told, and wants no error.
func (b *bench) remove(h *Handoff, files messages.Files) messages.Removal {
	b.Helper()
	r, err := h.Remove(context.Background(), files, nil)
	if err != nil {
		b.Fatal(err)
	}
	return r
}

// lost lists what is in before and not in after.
func lost(before, after []string) (names []string) {
	for _, name := range before {
		if !slices.Contains(after, name) {
			names = append(names, name)
		}
	}
	return names
}

func TestRemoveWhole(t *testing.T) {
	b := newBench(t, nil)
	b.handoff()
	h := b.hold()
	if r := b.remove(h, h.Manifest().Files); r != (messages.Removal{Objects: 4, Whole: true}) {
		t.Errorf("%+v", r)
	}
	if got := tree(t, b.path("sda")); !sameSet(got, []string{"objects/"}) {
		t.Errorf("left %q", got)
	}
	if _, err := h.Remove(context.Background(), nil, nil); err == nil {
		t.Error("removed twice")
	}
	h.Release()
	if n := openFiles(t, b.root); n != 0 {
		t.Errorf("%d files open", n)
	}
}

// Without any object: only empty folders and debris.
func TestRemoveEmpty(t *testing.T) {
	b := newBench(t, nil)
	b.mkdir(b.in("abc", one))
	b.write(b.in("abc", two, ".1.data.xxxxxx"), "half")
	h := b.hold()
	if r := b.remove(h, messages.Files{}); r != (messages.Removal{Whole: true}) {
		t.Errorf("%+v", r)
	}
	if got := tree(t, b.path("sda/objects")); len(got) != 0 {
		t.Errorf("left %q", got)
	}
}

func TestRemoveTombstones(t *testing.T) {
	b := newBench(t, nil)
	b.object("abc", one, "1.ts")
	b.object("def", four, "1.ts", "2.ts")
	h := b.hold()
	if r := b.remove(h, messages.Files{one: {"1.ts"}}); r != (messages.Removal{Objects: 1}) {
		t.Errorf("%+v", r)
	}
	h.Release()
	h = b.hold()
	if r := b.remove(h, h.Manifest().Files); r != (messages.Removal{Objects: 1, Whole: true}) {
		t.Errorf("%+v", r)
	}
}

// What stays, and why, when not everything goes.
func TestRemovePart(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(b *bench)
		files   messages.Files
		waiting messages.Files
		want    messages.Removal
		gone    []string
		invalid string
	}{
		"nothing": {},
		"an object": {
			files: messages.Files{one: {"1.data"}},
			want:  messages.Removal{Objects: 1},
			gone:  []string{"abc/" + one + "/", "abc/" + one + "/1.data"}, invalid: "abc\nabc\n",
		},
		"two objects": {
			files: messages.Files{one: {"1.data", "1.data"}, four: {"5.ts"}},
			want:  messages.Removal{Objects: 2},
			gone:  []string{"abc/" + one + "/", "abc/" + one + "/1.data", "def/", "def/" + four + "/", "def/" + four + "/5.ts"}, invalid: "abc\nabc\ndef\n",
		},
		"beside a temporary file": {
			files: messages.Files{two: {"1.data", "2.meta"}},
			want:  messages.Removal{Objects: 1},
			gone:  []string{"abc/" + two + "/1.data", "abc/" + two + "/2.meta"}, invalid: "abc\nabc\n",
		},
		"a tombstone without what it covers": {
			files: messages.Files{three: {"2.ts"}},
			want:  messages.Removal{Kept: "abc/" + three + "/1.data is to stay"},
		},
		"data without its metadata": {
			files: messages.Files{two: {"1.data"}, one: {}},
			want:  messages.Removal{Kept: "abc/" + two + "/2.meta is to stay"},
		},
		"data without metadata that waits": {
			files: messages.Files{two: {"1.data"}}, waiting: messages.Files{two: {"2.meta"}},
			want: messages.Removal{Objects: 1, Kept: "abc/" + two + "/2.meta waits for its data"},
			gone: []string{"abc/" + two + "/1.data"}, invalid: "abc\nabc\n",
		},
		"nothing but metadata waits": {
			files: messages.Files{}, waiting: messages.Files{two: {"2.meta"}, three: {"1.data"}},
		},
		"all but metadata that waits": {
			files: messages.Files{one: {"1.data"}, two: {"1.data"}, three: {"2.ts", "1.data"}, four: {"5.ts"}}, waiting: messages.Files{two: {"2.meta"}},
			want: messages.Removal{Objects: 4, Kept: "abc/" + two + "/2.meta waits for its data", Waits: true},
			gone: []string{
				"abc/" + one + "/", "abc/" + one + "/1.data", "abc/" + two + "/1.data", "abc/" + three + "/", "abc/" + three + "/1.data",
				"abc/" + three + "/2.ts", "def/", "def/" + four + "/", "def/" + four + "/5.ts",
			}, invalid: "abc\nabc\ndef\n",
		},
		"data waits for nothing": {
			files: messages.Files{three: {"2.ts"}}, waiting: messages.Files{three: {"1.data"}},
			want: messages.Removal{Kept: "abc/" + three + "/1.data is to stay"},
		},
		"metadata without its data": {
			files: messages.Files{two: {"2.meta"}},
			want:  messages.Removal{Kept: "abc/" + two + "/1.data is to stay"},
		},
		"all, with something foreign in a hash directory": {
			prepare: func(b *bench) { b.write(b.in("abc", one, "junk\n"), "") },
			files:   messages.Files{one: {"1.data"}, two: {"2.meta", "1.data"}, three: {"2.ts", "1.data"}, four: {"5.ts"}},
			want:    messages.Removal{Objects: 4, Kept: `"abc/` + one + `/junk\n" is not Swift's`},
			gone: []string{
				"abc/" + one + "/1.data", "abc/" + two + "/1.data", "abc/" + two + "/2.meta", "abc/" + three + "/", "abc/" + three + "/1.data",
				"abc/" + three + "/2.ts", "def/", "def/" + four + "/", "def/" + four + "/5.ts",
			}, invalid: "abc\nabc\ndef\n",
		},
		"with something foreign in a suffix": {
			prepare: func(b *bench) { b.write(b.in("000", "x"), "") },
			files:   messages.Files{four: {"5.ts"}},
			want:    messages.Removal{Objects: 1, Kept: `"000/x" is not Swift's`},
			gone:    []string{"def/", "def/" + four + "/", "def/" + four + "/5.ts"}, invalid: "abc\ndef\n",
		},
		"with something foreign in the partition": {
			prepare: func(b *bench) { b.mkdir(b.in("lost+found")) },
			files:   messages.Files{four: {"5.ts"}},
			want:    messages.Removal{Objects: 1},
			gone:    []string{"def/", "def/" + four + "/", "def/" + four + "/5.ts"}, invalid: "abc\ndef\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, nil)
			b.handoff()
			if c.prepare != nil {
				c.prepare(b)
			}
			h := b.hold()
			before := tree(t, b.in())
			if r, err := h.Remove(context.Background(), c.files, c.waiting); err != nil || r != c.want {
				t.Errorf("%+v, %v, want %+v", r, err, c.want)
			}
			after := tree(t, b.in())
			if gone := lost(before, after); !sameSet(gone, c.gone) {
				t.Errorf("gone %q, want %q", gone, c.gone)
			}
			if made := without(lost(after, before), lockFile); len(made) != 0 {
				t.Errorf("made %q", made)
			}
			if c.invalid == "" {
				c.invalid = "abc\n"
			}
			if got := b.invalidFile(); got != c.invalid {
				t.Errorf("hashes.invalid %q, want %q", got, c.invalid)
			}
		})
	}
}

// An obsolete file that was listed, and that hashing has cleaned away meanwhile,
// needs no proof.
func TestRemoveAfterCleaning(t *testing.T) {
	b := newBench(t, nil)
	b.object("abc", three, "1000000000.00000.data", "1700000000.00000.data")
	h := b.hold()
	b.hashes(messages.HashOptions{})
	if got := tree(t, b.in("abc", three)); len(got) != 1 {
		t.Fatalf("not cleaned: %q", got)
	}
	if r := b.remove(h, messages.Files{three: {"1700000000.00000.data"}}); r != (messages.Removal{Objects: 1, Whole: true}) {
		t.Errorf("%+v", r)
	}
}

// A push has reclaimed the only tombstone of a suffix: with what else was proven the
// partition goes, and also alone.
func TestRemoveAfterReclaim(t *testing.T) {
	for _, files := range []messages.Files{{}, {one: {"1700000000.00000.data"}}} {
		b := newBench(t, nil)
		b.object("def", four, "1000000000.00000.ts")
		for hash, names := range files {
			b.object("abc", hash, names...)
		}
		h := b.hold()
		o, err := b.OpenHeld(context.Background(), part, testPaths)
		if err != nil {
			t.Fatal(err)
		}
		if err := o.Each(context.Background(), "def", func(ssync.Entry) error { t.Error("an object"); return nil }); err != nil {
			t.Fatal(err)
		}
		o.Close()
		if r := b.remove(h, files); r != (messages.Removal{Objects: len(files), Whole: true}) {
			t.Errorf("%+v", r)
		}
		h.Release()
	}
}

// What was never listed is a mistake of the caller's: nothing goes.
func TestRemoveUnlisted(t *testing.T) {
	for name, files := range map[string]messages.Files{
		"name":      {one: {"1.data", "9.data"}},
		"object":    {one: {"1.data"}, four[:29] + "abc": {"1.data"}},
		"empty":     {one: {"1.data"}, four[:29] + "abc": nil},
		"temporary": {two: {"1.data", "2.meta", ".3.data.Ab0_9z"}},
		"climb":     {one: {"1.data", "../" + two + "/1.data"}},
		"traverse":  {one: {"1.data"}, "../../8/abc/" + one: {"1.data"}},
		"slash":     {one: {"1.data", "/etc/passwd"}},
		"dots":      {one: {"1.data", ".."}},
		"nul":       {one: {"1.data", "1.data\x00"}},
		"nothing":   {one: {"1.data", ""}},
	} {
		b := newBench(t, nil)
		b.handoff()
		h := b.hold()
		before := tree(t, b.in())
		if r, err := h.Remove(context.Background(), files, nil); err == nil || r.Objects != 0 || r.Whole {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
		if gone := lost(before, tree(t, b.in())); len(gone) != 0 {
			t.Errorf("%s: gone %q", name, gone)
		}
	}
}

// A long removal lets others have the .lock in between, and ends when they have
// invalidated something.
func TestRemoveInSlices(t *testing.T) {
	for _, disturbed := range []bool{false, true} {
		clock, locked := now, 0
		var b *bench
		b = newBench(t, both(withHook(func(op, path string) error {
			if op == "create" && filepath.Base(path) == lockFile {
				locked++
				if disturbed && locked == 3 {
					b.write(b.in(invalidFile), "abc\nabc\ndef\nfff\n")
				}
			}
			return nil
		}), func(o *Options) {
			o.Now = func() time.Time { clock = clock.Add(lockSlice); return clock }
		}))
		suffixes := []string{"abc", "bcd", "cde", "def"}
		for _, s := range suffixes {
			b.object(s, one[:29]+s, "1.data")
		}
		h := b.hold()
		r := b.remove(h, h.Manifest().Files)
		if want := (messages.Removal{Objects: 4, Whole: true}); !disturbed && (r != want || locked != len(suffixes)+1) {
			t.Errorf("%+v, locked %d times", r, locked)
		}
		if want := (messages.Removal{Objects: 2, Kept: "a suffix has been invalidated"}); disturbed && r != want {
			t.Errorf("%+v", r)
		}
	}
}

// A removal that is told to stop does so between two objects.
func TestRemoveIsCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	b := newBench(t, withHook(func(op, path string) error {
		if op == "remove" {
			cancel()
		}
		return nil
	}))
	b.handoff()
	h := b.hold()
	r, err := h.Remove(ctx, h.Manifest().Files, nil)
	if !errors.Is(err, context.Canceled) || r != (messages.Removal{Objects: 1}) {
		t.Errorf("%+v, %v", r, err)
	}
}

// Any call may fail. Then nothing more is removed, and all is given back.
func TestRemoveFaults(t *testing.T) {
	proven := messages.Files{one: {"1.data"}, two: {"1.data", "2.meta"}, three: {"1.data", "2.ts"}}
	for _, errno := range []unix.Errno{unix.EIO, unix.EACCES, unix.EROFS, unix.EMFILE, unix.EUCLEAN, unix.EBUSY} {
		for _, whole := range []bool{false, true} {
			for n := 1; ; n++ {
				calls, failed, more := 0, "", ""
				armed := false
				b := quickBench(t, withHook(func(op, path string) error {
					if !armed {
						return nil
					}
					if calls++; calls == n {
						failed = op + " " + path
						return errno
					}
					if failed != "" && !strings.HasPrefix(failed, "close") && (op == "remove" || op == "rmdir") {
						more = op + " " + path
					}
					return nil
				}))
				b.handoff()
				h := b.hold()
				files := proven
				if whole {
					files = h.Manifest().Files
				}
				before := tree(t, b.in())
				armed = true
				r, err := h.Remove(context.Background(), files, nil)
				armed = false
				h.Release()
				if calls < n {
					if n < 40 || err != nil || r.Whole != whole {
						t.Errorf("%d calls, %+v, %v", calls, r, err)
					}
					break
				}
				if !errors.Is(err, errno) && !strings.HasPrefix(failed, "close") {
					t.Errorf("%v at %s: %v", errno, failed, err)
				}
				if more != "" || r.Whole && err != nil {
					t.Errorf("%v at %s, then %s: %+v", errno, failed, more, r)
				}
				if !whole && slices.Contains(lost(before, tree(t, b.in())), "def/"+four+"/5.ts") {
					t.Errorf("%v at %s: unproven file gone", errno, failed)
				}
				if open := openFiles(t, b.root); open != 0 || b.ReleaseLocks() != 0 {
					t.Errorf("%v at %s: %d files open", errno, failed, open)
				}
			}
		}
	}
}
