package store

import (
	"context"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"understudy/messages"
)

// A session dies after it has given an object its name: before the directories are
// synced, or before the mark of the suffix is. The next one finds the object there and
// says so, and the sender gives its own up. So the object and its mark must be durable
// before that session ends, and its suffix hashed again.
func TestHeldIsDurable(t *testing.T) {
	for _, dies := range []string{"syncdir", "commit"} {
		t.Run(dies, func(t *testing.T) {
			b, power := powerBench(t)
			in := b.incoming()
			if err := putBody(in, "first", stamp(0), "body"); err != nil {
				t.Fatal(err)
			}
			if err := in.Commit(context.Background()); err != nil {
				t.Fatal(err)
			}
			before := b.hashes(messages.HashOptions{}).Hashes // hashes.pkl knows the first
			disk := in.fs
			if dies == "syncdir" {
				in.fs = faultFS{power, func(op, _ string) error {
					if op == "syncdir" {
						return unix.EIO
					}
					return nil
				}}
			}
			if err := putBody(in, "second", stamp(1), "body"); (err != nil) != (dies == "syncdir") {
				t.Fatalf("the put: %v", err)
			}
			in.fs = disk
			hash := in.hash(object("second"))
			in.Close() // without a commit
			in.device = Dir{}
			b.write(b.in(invalidFile), "") // as a power cut leaves it

			again := b.incoming()
			power.log = nil
			s, err := again.Held(context.Background(), hash)
			if err != nil || !s.Exists {
				t.Fatalf("the second session finds %+v, %v", s, err)
			}
			if err := again.Commit(context.Background()); err != nil {
				t.Fatal(err)
			}
			if _, ok := power.survives(b.path("sda"), "objects", "7", hash[29:], hash, stamp(1).Internal()+".data"); !ok {
				t.Errorf("a power cut takes what was told to be held: %q", power.log)
			}
			if marks, _ := power.survives(b.path("sda"), "objects", "7", invalidFile); !strings.Contains(marks, hash[29:]+"\n") {
				t.Errorf("the mark would be lost: %q", marks)
			}
			if after := b.hashes(messages.HashOptions{}).Hashes; len(after) != len(before)+1 || after[hash[29:]] == "" {
				t.Errorf("hashes %v, before %v", after, before)
			}
		})
	}
}

// What is older than hashes.pkl needs no care.
func TestHeldOfOldIsQuiet(t *testing.T) {
	b, power := powerBench(t)
	in := b.incoming()
	if err := putBody(in, "o", stamp(0), "body"); err != nil {
		t.Fatal(err)
	}
	b.hashes(messages.HashOptions{})
	later := time.Now().Add(2 * hashedIn)
	if err := os.Chtimes(b.in(hashFile), later, later); err != nil {
		t.Fatal(err)
	}
	in.written = nil
	power.log = nil
	if s, err := in.Held(context.Background(), in.hash(object("o"))); err != nil || !s.Exists {
		t.Fatalf("%+v, %v", s, err)
	}
	if slices.ContainsFunc(power.log, func(line string) bool { return strings.HasPrefix(line, "fsync") || strings.HasPrefix(line, "write") }) {
		t.Errorf("it did %q", power.log)
	}
}
