package store

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"understudy/messages"
)

// What happens between the listing and the removal, and that nothing goes then.
func TestRemoveKeepsAll(t *testing.T) {
	again := func(b *bench, path string) { // the same name, another file
		if err := os.Rename(path, path+"~"); err != nil {
			b.Fatal(err)
		}
		b.write(path, "")
		if err := os.Remove(path + "~"); err != nil {
			b.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		between func(b *bench)
		kept    string
	}{
		"invalidated": {func(b *bench) {
			ask(t, map[string]any{"op": "invalidate", "path": b.in("abc")}, &struct{}{})
		}, "a suffix has been invalidated"},
		"invalidated as much as before": {func(b *bench) {
			if _, err := b.Hashes(context.Background(), part, messages.HashOptions{}); err != nil {
				b.Fatal(err)
			}
			if err := b.Invalidate(context.Background(), part, []string{"abc"}); err != nil {
				b.Fatal(err)
			}
		}, "a suffix has been invalidated"},
		"invalidated and hashed": {func(b *bench) {
			if err := b.Invalidate(context.Background(), part, []string{"abc"}); err != nil {
				b.Fatal(err)
			}
			if _, err := b.Hashes(context.Background(), part, messages.HashOptions{}); err != nil {
				b.Fatal(err)
			}
		}, "a suffix has been invalidated"},
		"put":                  {func(b *bench) { b.object("abc", four[:29]+"abc", "9.data") }, `"abc/` + four[:29] + `abc" has arrived`},
		"put to a new suffix":  {func(b *bench) { b.object("123", four[:29]+"123", "9.data") }, `"123" has arrived`},
		"overwritten":          {func(b *bench) { b.object("abc", one, "9.data") }, `"abc/` + one + `/9.data" has arrived`},
		"posted":               {func(b *bench) { b.object("abc", one, "9.meta") }, `"abc/` + one + `/9.meta" has arrived`},
		"deleted":              {func(b *bench) { b.object("abc", one, "9.ts") }, `"abc/` + one + `/9.ts" has arrived`},
		"put begun":            {func(b *bench) { b.mkdir(b.in("abc", four[:29]+"abc")) }, `"abc/` + four[:29] + `abc" has arrived`},
		"rsync begun":          {func(b *bench) { b.object("abc", one, ".9.data.xxxxxx") }, `"abc/` + one + `/.9.data.xxxxxx" has arrived`},
		"rsync goes on":        {func(b *bench) { b.write(b.in("abc", two, ".3.data.Ab0_9z"), "more") }, `"abc/` + two + `/.3.data.Ab0_9z" has arrived`},
		"something foreign":    {func(b *bench) { b.write(b.in("abc", "a\nb"), "") }, `"abc/a\nb" has arrived`},
		"foreign in an object": {func(b *bench) { b.object("abc", one, "9.xyz") }, `"abc/` + one + `/9.xyz" has arrived`},
		"foreign at the top":   {func(b *bench) { b.write(b.in("x"), "") }, `"x" has arrived`},
		"hashes being written": {func(b *bench) { b.write(b.in("tmp12345678.tmp"), "") }, `"tmp12345678.tmp" has arrived`},
		"file replaced":        {func(b *bench) { again(b, b.in("abc", one, "1.data")) }, `"abc/` + one + `/1.data" has arrived`},
		"file grown":           {func(b *bench) { b.write(b.in("abc", one, "1.data"), "more") }, `"abc/` + one + `/1.data" has arrived`},
		"rsync renames": {func(b *bench) {
			if err := os.Rename(b.in("abc", two, ".3.data.Ab0_9z"), b.in("abc", two, "3.data")); err != nil {
				b.Fatal(err)
			}
		}, `"abc/` + two + `/3.data" has arrived`},
		"lock file gone": {func(b *bench) { os.Remove(b.in(handoffLock)) }, "its lock was lost"},
		"lock file made anew": {func(b *bench) {
			os.Remove(b.in(handoffLock))
			answer, release := swiftHolds(b)
			if answer != "locked" {
				b.Fatal(answer)
			}
			b.Cleanup(release)
		}, "its lock was lost"},
		"lock given up": {func(b *bench) {
			b.ReleaseLocks()
			answer, release := swiftHolds(b)
			if answer != "locked" {
				b.Fatal(answer)
			}
			b.Cleanup(release)
		}, "its lock was lost"},
		"partition swapped": {func(b *bench) {
			if err := os.Rename(b.in(), b.in()+"-old"); err != nil {
				b.Fatal(err)
			}
			b.handoff()
		}, "the partition has been moved away"},
		"partition gone": {func(b *bench) {
			if err := os.Rename(b.in(), b.in()+"-old"); err != nil {
				b.Fatal(err)
			}
		}, "the partition has been moved away"},
		"policy gone": {func(b *bench) {
			if err := os.Rename(b.path("sda/objects"), b.path("sda/old")); err != nil {
				b.Fatal(err)
			}
		}, "the partition has been moved away"},
		"policy linked": {func(b *bench) {
			if err := errors.Join(os.Rename(b.path("sda/objects"), b.path("sda/old")), os.Symlink("old", b.path("sda/objects"))); err != nil {
				b.Fatal(err)
			}
		}, "the partition has been moved away"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, nil)
			b.handoff()
			h := b.hold()
			c.between(b)
			before := tree(t, b.path("sda"))
			if r := b.remove(h, h.Manifest().Files); r != (messages.Removal{Kept: c.kept}) {
				t.Errorf("%+v, want %s", r, c.kept)
			}
			if gone := lost(before, tree(t, b.path("sda"))); len(gone) != 0 {
				t.Errorf("gone %q", gone)
			}
		})
	}
}

// A device that is not the one that was listed.
func TestRemoveFromAnotherDevice(t *testing.T) {
	for name, between := range map[string]func(b *bench){
		"swapped": func(b *bench) {
			if err := os.Rename(b.path("sda"), b.path("old")); err != nil {
				b.Fatal(err)
			}
			b.handoff()
		},
		"gone": func(b *bench) {
			if err := os.Rename(b.path("sda"), b.path("old")); err != nil {
				b.Fatal(err)
			}
		},
		"unmounted": func(b *bench) {
			if err := os.Remove(b.path("sda/.ismount")); err != nil {
				b.Fatal(err)
			}
		},
	} {
		b := newBench(t, func(o *Options) { o.MountCheck = name == "unmounted" })
		b.write(b.path("sda/.ismount"), "")
		b.handoff()
		h := b.hold()
		between(b)
		before := tree(t, b.root)
		r, err := h.Remove(context.Background(), h.Manifest().Files, nil)
		if !errors.As(err, new(*messages.DeviceError)) || r != (messages.Removal{}) {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
		if gone := lost(before, tree(t, b.root)); len(gone) != 0 {
			t.Errorf("%s: gone %q", name, gone)
		}
	}
}

// What hashing does meanwhile is no arrival, unless it clears hashes.invalid.
func TestRemoveAfterHashing(t *testing.T) {
	b := newBench(t, nil)
	b.handoff()
	b.hashes(messages.HashOptions{List: true})
	h := b.hold()
	b.hashes(messages.HashOptions{List: true})
	if r := b.remove(h, h.Manifest().Files); !r.Whole {
		t.Errorf("%+v", r)
	}
}

func TestRemoveWaitsForLock(t *testing.T) {
	b := newBench(t, func(o *Options) { o.LockTimeout = 50 * time.Millisecond })
	b.handoff()
	h := b.hold()
	if !swiftLock(t, b.in(), nil, 1, 1) {
		t.Fatal("Swift cannot lock")
	}
	defer swiftUnlock(t)
	before := tree(t, b.in())
	r, err := h.Remove(context.Background(), h.Manifest().Files, nil)
	if !errors.As(err, new(*LockTimeoutError)) || r != (messages.Removal{}) {
		t.Errorf("%+v, %v", r, err)
	}
	if gone := lost(before, tree(t, b.in())); len(gone) != 0 {
		t.Errorf("gone %q", gone)
	}
}
