package bootstrap_test

import (
	"crypto/md5"
	"encoding/hex"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"understudy/internal/store"
	"understudy/internal/swift/hashes"
	"understudy/messages"
)

// disk is a device with one partition, seen through a store whose clock stands
// still and whose reclaim age can change.
type disk struct {
	*testing.T
	root string
	age  time.Duration
}

var (
	diskNow  = time.Unix(1_800_000_000, 0)
	diskPart = messages.Partition{Device: "sda", Number: 7}
)

func newDisk(t *testing.T) *disk {
	d := &disk{T: t, root: t.TempDir(), age: 7 * 24 * time.Hour}
	if err := os.MkdirAll(d.at(), 0o755); err != nil {
		t.Fatal(err)
	}
	return d
}

// at is a path in the partition.
func (d *disk) at(names ...string) string {
	return filepath.Join(append([]string{d.root, diskPart.String()}, names...)...)
}

// put makes a hash directory with files; the suffix is its last three digits.
func (d *disk) put(hash string, files ...string) {
	d.Helper()
	dir := d.at(hash[29:], hash)
	err := os.MkdirAll(dir, 0o755)
	for _, f := range files {
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, f), nil, 0o644)
		}
	}
	if err != nil {
		d.Fatal(err)
	}
}

func (d *disk) store() *store.Store {
	return store.New(store.Options{Root: d.root, ReclaimAge: d.age, Now: func() time.Time { return diskNow }, Log: zerolog.Nop()})
}

func (d *disk) hashes(recalculate ...string) messages.Hashes {
	d.Helper()
	r, err := d.store().Hashes(d.Context(), diskPart, messages.HashOptions{Recalculate: recalculate})
	if err != nil {
		d.Fatal(err)
	}
	return r.Hashes
}

// mustHash checks that suffix aaa has the hash of a text, or none at all for "-".
func (d *disk) mustHash(text string, recalculate ...string) {
	d.Helper()
	got, there := d.hashes(recalculate...)["aaa"]
	sum := md5.Sum([]byte(text))
	if there != (text != "-") || there && got != hex.EncodeToString(sum[:]) {
		d.Errorf("hash %q, there %v, want that of %q", got, there, text)
	}
}

// files are the names in a directory of the partition, sorted; nil when it is gone.
func (d *disk) files(names ...string) (out []string) {
	d.Helper()
	entries, err := os.ReadDir(d.at(names...))
	if err != nil && !os.IsNotExist(err) {
		d.Fatal(err)
	}
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

func (d *disk) write(name, text string) {
	d.Helper()
	if err := os.WriteFile(d.at(name), []byte(text), 0o644); err != nil {
		d.Fatal(err)
	}
}

const (
	hashOne = "00000000000000000000000000000aaa"
	hashTwo = "11111111111111111111111111111aaa"
)

// stamped puts times into short file names: "3.data" is of the fourth second, "o1.ts"
// of long ago; a number behind - or + is hexadecimal and stays.
func stamped(names string) string {
	var out []string
	for _, name := range strings.Fields(names) {
		if old, ok := strings.CutPrefix(name, "o"); ok {
			name = "160000000" + old[:1] + ".00000" + old[1:]
		} else {
			name = "179999900" + name[:1] + ".00000" + name[1:]
		}
		out = append(out, name)
	}
	return strings.Join(out, " ")
}

// What stays of an object's files, and which text is hashed of them. The names of
// the cases are those of Swift's tests.
func TestBehaviourObjectFiles(t *testing.T) {
	const second, two = "186a0", "30d40" // in units of 10 µs
	for _, c := range []struct{ name, files, left, hashed string }{
		{"purge_data_newer_ts", "1.data 2.ts", "2.ts", "2.ts"},
		{"purge_expired_ts", "1.ts 2.ts 3.data", "3.data", "3.data"},
		{"purge_ts_newer_data", "1.ts 2.data", "2.data", "2.data"},
		{"purge_older_ts", "1.ts 2.ts 3.data 4.meta", "3.data 4.meta", "4.meta 3.data"},
		{"keep_one_ts", "1.ts 2.ts 3.ts", "3.ts", "3.ts"},
		{"multi_data_file", "1.data 2.data 3.data", "3.data", "3.data"},
		{"keep_one_meta", "1.data 2.meta 3.meta", "1.data 3.meta", "3.meta 1.data"},
		{"only_meta", "1.meta 2.meta", "2.meta", ""},
		{"ignore_orphaned_ts", "1.ts 2.ts 3.meta", "2.ts 3.meta", "2.ts"},
		{"purge_old_data_only", "1.data 2.ts 3.meta", "2.ts 3.meta", "2.ts"},
		{"purge_old_ts", "o1.ts", "", "-"},
		{"keep_isolated_meta_purge_old_ts", "o1.ts 2.meta", "2.meta", ""},
		{"keep_single_old_data", "o1.data", "o1.data", "o1.data"},
		{"purges_single_old_meta", "o1.meta", "", "-"},
		{"one_tombstone", "1.ts", "1.ts", "1.ts"},
		{"one_tombstone_and_one_meta", "1.ts 2.meta", "1.ts 2.meta", "1.ts"},
		{"one_datafile", "1.data", "1.data", "1.data"},
		{"multi_file_ends_in_tombstone", "1.meta 1.data 1.ts 2.meta 2.data 2.ts 3.meta 3.data 3.ts", "3.ts", "3.ts"},
		{"multi_file_ends_in_datafile", "1.meta 1.data 1.ts 2.meta 2.data 3.meta 3.data 4.meta", "3.data 4.meta", "4.meta 3.data"},
		{"older_content_type_in_meta", "1.data 3-" + second + ".meta", "1.data 3-" + second + ".meta", "3.meta 1.data 2_ctype"},
		{"same_age_content_type_in_meta", "1.data 3+0.meta", "1.data 3+0.meta", "3.meta 1.data 3_ctype"},
		{"obsolete_content_type_in_meta", "2.data 3-" + two + ".meta", "2.data 3-" + two + ".meta", "3.meta 2.data"},
		{"older_content_type_in_newer_meta", "1.data 2.meta 4-" + second + ".meta", "1.data 4-" + second + ".meta", "4.meta 1.data 3_ctype"},
		{"same_age_content_type_in_newer_meta", "1.data 2.meta 3+0.meta", "1.data 3+0.meta", "3.meta 1.data 3_ctype"},
		{"older_content_type_in_older_meta", "1.data 4.meta 3-" + second + ".meta", "1.data 3-" + second + ".meta 4.meta", "4.meta 1.data 2_ctype"},
		{"same_age_content_type_in_older_meta", "1.data 3.meta 2+0.meta", "1.data 2+0.meta 3.meta", "3.meta 1.data 2_ctype"},
		{"obsolete_content_type_in_older_meta", "2.data 4.meta 3-" + two + ".meta", "2.data 3-" + two + ".meta 4.meta", "4.meta 2.data"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDisk(t)
			d.put(hashOne, strings.Fields(stamped(c.files))...)
			text := c.hashed
			if text != "-" {
				text = strings.ReplaceAll(stamped(text), " ", "")
			}
			d.mustHash(text)
			if got := strings.Join(d.files("aaa", hashOne), " "); got != stamped(c.left) {
				t.Errorf("left %q, want %q", got, stamped(c.left))
			}
			if gone := d.files() == nil || !slices.Contains(d.files(), "aaa"); gone != (c.left == "") {
				t.Errorf("the suffix is gone: %v", gone)
			}
		})
	}
}

// A suffix is the sum of its objects; directories without files are tidied away.
func TestBehaviourSuffixes(t *testing.T) {
	d := newDisk(t)
	d.put(hashOne, strings.Fields(stamped("1.data"))...)
	d.put(hashTwo, strings.Fields(stamped("2.ts"))...)
	d.put("22222222222222222222222222222bbb", strings.Fields(stamped("3.ts"))...)
	d.put("33333333333333333333333333333ccc")
	d.put("33333333333333333333333333333aaa")
	d.write("bad", "a file")
	d.write("ddd", "a file")
	d.mustHash(strings.ReplaceAll(stamped("1.data 2.ts"), " ", ""), "ddd")
	if all := d.hashes(); len(all) != 2 || all["bbb"] == "" {
		t.Errorf("got %v", all)
	}
	if got := d.files("aaa"); !slices.Equal(got, []string{hashOne, hashTwo}) {
		t.Errorf("left %v", got)
	}
	if got := d.files(); !slices.Equal(got, []string{".lock", "aaa", "bad", "bbb", "ddd", "hashes.pkl"}) {
		t.Errorf("left %v", got)
	}
	// A tombstone that is reclaimed beside one that is not.
	d = newDisk(t)
	d.put(hashOne, strings.Fields(stamped("o1.ts"))...)
	d.put(hashTwo, strings.Fields(stamped("2.ts"))...)
	d.mustHash(stamped("2.ts"))
}

// Whatever is in hashes.pkl is believed until it is invalidated or asked for afresh,
// also about what could be reclaimed; without it everything is found.
func TestBehaviourHashesAreBelieved(t *testing.T) {
	t.Run("an empty partition gets its file", func(t *testing.T) {
		d := newDisk(t)
		d.mustHash("-")
		data, err := os.ReadFile(d.at("hashes.pkl"))
		if f := hashes.Decode(data); err != nil || !f.Valid || len(f.Suffixes) != 0 {
			t.Errorf("%+v, %v", f, err)
		}
		// What comes without an invalidation is not seen, and then asked for.
		d.put(hashOne, strings.Fields(stamped("1.data"))...)
		d.mustHash("-")
		d.mustHash(stamped("1.data"), "aaa")
	})
	for name, invalid := range map[string]string{"no hashes.invalid": "", "a true one": "aaa\n", "a lying one": "aab\n"} {
		t.Run("no hashes.pkl and "+name, func(t *testing.T) {
			d := newDisk(t)
			d.put(hashOne, strings.Fields(stamped("1.data"))...)
			if invalid != "" {
				d.write("hashes.invalid", invalid)
			}
			d.mustHash(stamped("1.data"))
			if !slices.Contains(d.files(), "hashes.pkl") {
				t.Error("no hashes.pkl")
			}
		})
	}
	t.Run("a known suffix", func(t *testing.T) {
		d := newDisk(t)
		d.put(hashOne, strings.Fields(stamped("1.data"))...)
		d.mustHash(stamped("1.data"))
		if err := os.RemoveAll(d.at("aaa", hashOne)); err != nil {
			t.Fatal(err)
		}
		d.mustHash(stamped("1.data"))
		d.mustHash("-", "aaa")
		if slices.Contains(d.files(), "aaa") {
			t.Error("the empty suffix is there")
		}
	})
	for _, invalidated := range []bool{false, true} {
		d := newDisk(t)
		d.put(hashOne, strings.Fields(stamped("1.ts"))...)
		d.mustHash(stamped("1.ts"))
		d.age = time.Second
		d.mustHash(stamped("1.ts"))
		if invalidated {
			if err := d.store().Invalidate(t.Context(), diskPart, []string{"aaa"}); err != nil {
				t.Fatal(err)
			}
			d.mustHash("-")
		} else {
			d.mustHash("-", "aaa")
		}
		if slices.Contains(d.files(), "aaa") {
			t.Errorf("invalidated %v: the tombstone is there", invalidated)
		}
	}
	t.Run("metadata of a reclaimed tombstone", func(t *testing.T) {
		d := newDisk(t)
		d.put(hashOne, strings.Fields(stamped("o1.ts 2.meta"))...)
		d.mustHash("")
		d.age = time.Second
		d.mustHash("")
		d.mustHash("-", "aaa")
		if slices.Contains(d.files(), "aaa") {
			t.Error("the metadata is there")
		}
	})
}
