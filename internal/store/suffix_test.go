package store

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"understudy/messages"
)

// now lies far after the timestamps in this file, but within the reclaim age.
var now = time.Unix(1_700_100_000, 0)

const (
	plain  = "00000000000000000000000000000aaa" // one data file
	stale  = "11111111111111111111111111111aaa" // data, and older data to be removed
	hollow = "22222222222222222222222222222aaa" // no file
)

func md5Of(text string) string {
	sum := md5.Sum([]byte(text))
	return hex.EncodeToString(sum[:])
}

var (
	plainText = "1700000001.00000.data"
	staleText = "1700000003.00000.data"
	bothHash  = md5Of(plainText + staleText)
)

// threeObjects makes suffix aaa with the three hash directories above.
func threeObjects(b *bench) {
	b.object("aaa", plain, "1700000001.00000.data")
	b.object("aaa", stale, "1700000003.00000.data", "1700000002.00000.data")
	b.object("aaa", hollow)
}

func atNow(o *Options) { o.Now = func() time.Time { return now } }

func both(tunes ...func(*Options)) func(*Options) {
	return func(o *Options) {
		for _, tune := range tunes {
			tune(o)
		}
	}
}

func TestSuffixWithoutFaults(t *testing.T) {
	b := newBench(t, atNow)
	threeObjects(b)
	r := b.hashes(messages.HashOptions{})
	if r.Hashed != 1 || len(r.Hashes) != 1 || r.Hashes["aaa"] != bothHash {
		t.Errorf("%+v, want %s", r, bothHash)
	}
	want := []string{
		plain + "/", plain + "/1700000001.00000.data",
		stale + "/", stale + "/1700000003.00000.data",
	}
	if got := tree(t, b.in("aaa")); !slices.Equal(got, want) {
		t.Errorf("left %v", got)
	}
}

// What each errno of each call does to a suffix: "gone" (dropped), "none" (kept
// without a hash), or the text that is hashed. Whatever happens, only the one old
// file and the empty directory may be removed, and only what is named as
// quarantined may be moved.
func TestErrnoByErrno(t *testing.T) {
	all := []unix.Errno{unix.EIO, unix.EACCES, unix.ENOENT, unix.ENOTDIR, unix.ENODATA, unix.EUCLEAN, unix.ENOTEMPTY, unix.EROFS, unix.EMFILE}
	type outcome struct {
		hash        string
		quarantined string
	}
	type table map[unix.Errno]outcome
	plainGone := outcome{hash: md5Of(staleText)}
	staleGone := outcome{hash: md5Of(plainText)}
	for _, c := range []struct {
		op, path string
		other    outcome // for an errno that is not in the table
		table
	}{
		{"opendir", "aaa", outcome{hash: "none"}, table{unix.ENOENT: {hash: "gone"}, unix.ENOTDIR: {hash: "gone"}}},
		{"readdir", "aaa", outcome{hash: "none"}, table{unix.ENOENT: {hash: "gone"}, unix.ENOTDIR: {hash: "gone"}}},
		{"readdir", "aaa/" + plain, outcome{hash: "none"}, table{
			unix.ENOENT:  plainGone,
			unix.ENODATA: {plainGone.hash, plain}, unix.EUCLEAN: {plainGone.hash, plain},
		}},
		{"opendir", "aaa/" + stale, outcome{hash: "none"}, table{
			unix.ENOENT:  staleGone,
			unix.ENODATA: {staleGone.hash, stale}, unix.EUCLEAN: {staleGone.hash, stale},
		}},
		// Not unlinked still counts as gone.
		{"remove", "aaa/" + stale + "/1700000002.00000.data", outcome{hash: bothHash}, nil},
		{"rmdir", "aaa/" + hollow, outcome{hash: bothHash}, nil},
	} {
		for _, errno := range all {
			want, ok := c.table[errno]
			if !ok {
				want = c.other
			}
			t.Run(fmt.Sprintf("%s %s %v", c.op, filepath.Base(c.path), errno), func(t *testing.T) {
				var b *bench
				hit := 0
				b = newBench(t, both(atNow, withHook(func(op, path string) error {
					if op == c.op && path == b.in(c.path) {
						hit++
						return errno
					}
					return nil
				})))
				threeObjects(b)
				r := b.hashes(messages.HashOptions{})
				if hit == 0 {
					t.Fatal("the fault did not happen")
				}
				hash, there := r.Hashes["aaa"]
				got := hash
				if !there {
					got = "gone"
				} else if hash == "" {
					got = "none"
				}
				if got != want.hash {
					t.Errorf("hash %s, want %s", got, want.hash)
				}
				checkNothingLost(t, b, want.quarantined)
				if logged := strings.Contains(b.log.String(), "Error hashing suffix"); logged != (want.hash == "none") {
					t.Errorf("log: %s", b.log)
				}
			})
		}
	}
}

// A suffix without files that cannot be removed keeps the hash of nothing.
func TestErrnosOfSuffixRmdir(t *testing.T) {
	for _, errno := range []unix.Errno{unix.ENOENT, unix.ENOTEMPTY, unix.EIO, unix.EROFS, unix.EBUSY} {
		var b *bench
		b = newBench(t, withHook(func(op, path string) error {
			if op == "rmdir" && path == b.in("aaa") {
				return errno
			}
			return nil
		}))
		b.object("aaa", hollow)
		hash, there := b.hashes(messages.HashOptions{}).Hashes["aaa"]
		if want := errno != unix.ENOENT; there != want || there && hash != md5Of("") {
			t.Errorf("%v: %q %v", errno, hash, there)
		}
	}
}

// checkNothingLost looks for the two living files, in place or quarantined.
func checkNothingLost(t *testing.T, b *bench, quarantined string) {
	t.Helper()
	for dir, file := range map[string]string{plain: "1700000001.00000.data", stale: "1700000003.00000.data"} {
		at := b.in("aaa", dir, file)
		if dir == quarantined {
			at = b.path("sda/quarantined/objects", dir, file)
		}
		if _, err := os.Stat(at); err != nil {
			t.Errorf("%v", err)
		}
	}
	_, err := os.Stat(b.path("sda/quarantined"))
	if quarantined == "" && !os.IsNotExist(err) {
		t.Errorf("something was quarantined: %v", tree(t, b.path("sda/quarantined")))
	}
	if quarantined != "" {
		if got := b.read(b.in(invalidFile)); got != "aaa\n" {
			t.Errorf("hashes.invalid is %q", got)
		}
		if !strings.Contains(b.log.String(), "Quarantined "+b.in("aaa", quarantined)+" to "+b.path("sda/quarantined/objects", quarantined)+" because it could not be listed") {
			t.Errorf("log: %s", b.log)
		}
	}
}

// Entries that are no directories go to the quarantine, a symbolic link like a
// file; what it points to is neither read nor cleaned.
func TestEntriesThatAreNoDirectories(t *testing.T) {
	b := newBench(t, atNow)
	threeObjects(b)
	b.write(b.in("aaa", "33333333333333333333333333333aaa"), "precious")
	b.mkdir("outside")
	b.write(b.path("outside/1700000001.00000.data"), "")
	b.write(b.path("outside/1700000002.00000.data"), "")
	for link, to := range map[string]string{"4444": b.path("outside"), "5555": b.path("nowhere")} {
		if err := os.Symlink(to, b.in("aaa", link)); err != nil {
			t.Fatal(err)
		}
	}
	if err := unix.Mkfifo(b.in("aaa", "6666"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := b.hashes(messages.HashOptions{}).Hashes["aaa"]; got != bothHash {
		t.Errorf("hash %s, want %s", got, bothHash)
	}
	want := []string{"33333333333333333333333333333aaa", "4444", "5555", "6666"}
	if got := tree(t, b.path("sda/quarantined/objects")); !slices.Equal(got, want) {
		t.Errorf("quarantined %v", got)
	}
	if got := b.read(b.path("sda/quarantined/objects", want[0])); got != "precious" {
		t.Errorf("content %q", got)
	}
	if got := tree(t, b.path("outside")); len(got) != 2 {
		t.Errorf("cleaned through a link: %v", got)
	}
	if !strings.Contains(b.log.String(), "because it is not a directory") {
		t.Errorf("log: %s", b.log)
	}
}

// The quarantine never replaces what it has.
func TestQuarantineCollides(t *testing.T) {
	b := newBench(t, atNow)
	name := "33333333333333333333333333333aaa"
	b.write(b.path("sda/quarantined/objects", name), "first")
	for _, content := range []string{"second", "third"} {
		b.write(b.in("aaa", name), content)
		b.hashes(messages.HashOptions{Recalculate: []string{"aaa"}})
	}
	var contents []string
	for _, path := range tree(t, b.path("sda/quarantined/objects")) {
		if path != name && (len(path) != len(name)+33 || path[:len(name)+1] != name+"-" || path[len(name)+13] != '4') {
			t.Errorf("name %s", path)
		}
		contents = append(contents, b.read(b.path("sda/quarantined/objects", path)))
	}
	slices.Sort(contents)
	if !slices.Equal(contents, []string{"first", "second", "third"}) {
		t.Errorf("contents %v", contents)
	}
}

// Bad sectors under the suffix directory itself: when the hash directory cannot be
// moved the whole suffix is, and the rest of it is not worked on any more.
func TestWholeSuffixQuarantined(t *testing.T) {
	var b *bench
	b = newBench(t, both(atNow, withHook(func(op, path string) error {
		switch {
		case op == "readdir" && path == b.in("aaa", plain):
			return unix.ENODATA
		case op == "move" && path == b.in("aaa", plain):
			return unix.EIO
		}
		return nil
	})))
	threeObjects(b)
	before := tree(t, b.in("aaa"))
	if r := b.hashes(messages.HashOptions{}); len(r.Hashes) != 0 {
		t.Errorf("%+v", r)
	}
	if got := tree(t, b.path("sda/quarantined/objects/aaa")); !slices.Equal(got, before) {
		t.Errorf("quarantined %v, want %v as it was", got, before)
	}
	if got := b.read(b.in(invalidFile)); got != "aaa\n" {
		t.Errorf("hashes.invalid is %q", got)
	}
}

// Nothing can be moved: nothing is lost, and the suffix has no hash.
func TestQuarantineFails(t *testing.T) {
	for _, cause := range []unix.Errno{unix.ENODATA, unix.ENOTDIR} {
		var b *bench
		b = newBench(t, both(atNow, withHook(func(op, path string) error {
			if op == "move" || op == "mkdir" && strings.HasSuffix(path, "quarantined") {
				return unix.EIO
			}
			if op == "readdir" && path == b.in("aaa", plain) && cause == unix.ENODATA {
				return cause
			}
			return nil
		})))
		threeObjects(b)
		if cause == unix.ENOTDIR {
			b.write(b.in("aaa", "3333"), "file")
		}
		if r := b.hashes(messages.HashOptions{}); len(r.Hashes) != 1 || r.Hashes["aaa"] != "" {
			t.Errorf("%v: %+v", cause, r)
		}
		if _, err := os.Stat(b.in("aaa", plain, "1700000001.00000.data")); err != nil {
			t.Error(err)
		}
	}
}

// Between the failed listing and the move a writer has put a directory in place
// of the file: it must not be quarantined.
func TestQuarantineLooksAgain(t *testing.T) {
	var b *bench
	name := "33333333333333333333333333333aaa"
	b = newBench(t, both(atNow, withHook(func(op, path string) error {
		if op == "stat" && path == b.in("aaa", name) {
			if err := os.Remove(path); err == nil {
				b.object("aaa", name, "1700000009.00000.data")
			}
		}
		return nil
	})))
	b.write(b.in("aaa", name), "file")
	if r := b.hashes(messages.HashOptions{}); r.Hashes["aaa"] != "" || len(r.Hashes) != 1 {
		t.Errorf("first: %+v", r)
	}
	if _, err := os.Stat(b.path("sda/quarantined")); !os.IsNotExist(err) {
		t.Error("the writer's directory was quarantined")
	}
	if r := b.hashes(messages.HashOptions{}); r.Hashes["aaa"] != md5Of("1700000009.00000.data") {
		t.Errorf("second: %+v", r)
	}
}

// Between the decision and the unlink, the auditor quarantines the hash directory
// and a peer puts the older file back as the only copy: it must stay.
func TestCleanupOfReplacedDirectory(t *testing.T) {
	var b *bench
	done := false
	old := "1700000002.00000.data"
	b = newBench(t, both(atNow, withHook(func(op, path string) error {
		if op == "remove" && path == b.in("aaa", stale, old) && !done {
			done = true
			if err := os.Rename(b.in("aaa", stale), b.path("sda", "moved")); err != nil {
				return err
			}
			b.object("aaa", stale, old)
		}
		return nil
	})))
	threeObjects(b)
	b.hashes(messages.HashOptions{})
	if !done {
		t.Fatal("nothing was removed")
	}
	if _, err := os.Stat(b.in("aaa", stale, old)); err != nil {
		t.Error(err)
	}
}

// A file that appears after the listing keeps its directories.
func TestFileAppearsBeforeRmdir(t *testing.T) {
	var b *bench
	appeared := ""
	b = newBench(t, both(atNow, withHook(func(op, path string) error {
		if op == "rmdir" && path == b.in("aaa", hollow) {
			appeared = filepath.Join(path, "1700000008.00000.data")
			b.write(appeared, "")
		}
		return nil
	})))
	b.object("aaa", hollow)
	r := b.hashes(messages.HashOptions{})
	if _, err := os.Stat(appeared); appeared == "" || err != nil {
		t.Errorf("%q: %v", appeared, err)
	}
	if _, kept := r.Hashes["aaa"]; !kept {
		t.Errorf("suffix dropped: %+v", r)
	}
}

// A buried file that cannot be unlinked keeps its tombstone: it must not come back
// to life.
func TestTombstoneStaysWithItsDead(t *testing.T) {
	const data, tombstone = "1600000001.00000.data", "1600000002.00000.ts"
	for _, fails := range []bool{false, true} {
		b := newBench(t, both(atNow, withHook(func(op, path string) error {
			if fails && op == "remove" && strings.HasSuffix(path, data) {
				return unix.EIO
			}
			return nil
		})))
		b.object("aaa", plain, data, tombstone)
		b.hashes(messages.HashOptions{})
		_, err := os.Stat(b.in("aaa", plain, tombstone))
		if kept := err == nil; kept != fails {
			t.Errorf("unlink fails %v: tombstone kept %v", fails, kept)
		}
	}
}

// Names that nobody understands survive everything, and keep their directories.
func TestUnexpectedFilesStay(t *testing.T) {
	strange := []string{
		"junk", ".1700000001.00000.data.Ab0_9z", "1700000000.00000#1#d.data", "inf.data", "nan.ts", "-1.ts", "1700000000.00000_g.data",
		"1700000000.00000+g.meta", "\xff\xfe", ".1500000000.00000.ts.abcdef", "x.ts",
	}
	b := newBench(t, both(atNow, func(o *Options) { o.ReclaimAge = 0 }))
	b.object("aaa", plain, append([]string{"1600000000.00000.ts"}, strange...)...)
	if got := b.hashes(messages.HashOptions{}).Hashes["aaa"]; got != md5Of("") {
		t.Errorf("hash %s", got)
	}
	got := tree(t, b.in("aaa", plain))
	slices.Sort(strange)
	if !slices.Equal(got, strange) {
		t.Errorf("left %q, want %q", got, strange)
	}
	log := b.log.String()
	if !strings.Contains(log, `"level":"debug","device":"sda","policy":0,"partition":7,"swift":true,"message":"Rsync tempfile: `+b.in("aaa", plain, ".1700000001.00000.data.Ab0_9z")) ||
		!strings.Contains(log, `"level":"warn","device":"sda","policy":0,"partition":7,"swift":true,"message":"Unexpected file `+b.in("aaa", plain, "junk")+`: Invalid Timestamp value in filename 'junk'`) {
		t.Errorf("log: %s", log)
	}
}

// Only suffixes are looked at: three lower-case hex digits, and no links.
func TestOnlyHexSuffixes(t *testing.T) {
	b := newBench(t, atNow)
	for _, suffix := range []string{"aaa", "zzz", "AAA", "aaaa", "aa", "..."} {
		b.object(suffix, plain, "1700000001.00000.data")
	}
	b.write(b.in("bbb"), "a file")
	b.object("elsewhere", plain, "1700000001.00000.data")
	if err := os.Symlink(b.in("elsewhere"), b.in("ccc")); err != nil {
		t.Fatal(err)
	}
	before := tree(t, b.in())
	r := b.hashes(messages.HashOptions{List: true, Recalculate: []string{"zzz", "../x", "", "ddd", "bbb", "ccc"}})
	if len(r.Hashes) != 1 || r.Hashes["aaa"] == "" || r.Hashed != 1 {
		t.Errorf("%+v", r)
	}
	after := slices.DeleteFunc(tree(t, b.in()), func(p string) bool { return p == hashFile || p == lockFile })
	if !slices.Equal(before, after) {
		t.Errorf("left %v, want %v", after, before)
	}
	if !b.cache().Valid {
		t.Error("hashes.pkl is not valid")
	}
}

func TestCancelledHashingStops(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	var b *bench
	b = newBench(t, withHook(func(op, path string) error {
		if op == "readdir" && path == b.in("aaa", plain) {
			cancel()
		}
		return nil
	}))
	threeObjects(b)
	if r, err := b.Hashes(ctx, part, messages.HashOptions{}); err != context.Canceled || r.Hashes != nil {
		t.Errorf("%+v, %v", r, err)
	}
	if _, err := os.Stat(b.in(hashFile)); !os.IsNotExist(err) {
		t.Error("hashes.pkl was written")
	}
}
