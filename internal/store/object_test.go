package store

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"understudy/internal/swift/hashpath"
	"understudy/internal/swift/metadata"
	"understudy/internal/swift/ssync"
	"understudy/messages"
)

var testPaths = hashpath.Hasher{Suffix: []byte("changeme")}

const (
	obj0 = "1700000000.00000"
	obj1 = "1700000001.00000"
	obj2 = "1700000002.00000"
	obj3 = "1700000003.00000"
)

// askObjects sends one request to Swift's DiskFile.
func askObjects(t testing.TB, request map[string]any, answer any) {
	t.Helper()
	in, err := json.Marshal(request)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/usr/bin/python3", "testdata/object_oracle.py")
	cmd.Stdin, cmd.Stderr = bytes.NewReader(in), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("Swift is needed for this test: %v", err)
	}
	if err := json.Unmarshal(out, answer); err != nil {
		t.Fatal(err)
	}
}

func hashOf(name string) string {
	parts := strings.SplitN(name, "/", 4)
	return testPaths.Hex(parts[1], parts[2], parts[3])
}

// file writes one file of an object with metadata.
func (b *bench) file(hash, name, body string, m metadata.Metadata) string {
	b.Helper()
	path := b.in(hash[29:], hash, name)
	b.write(path, body)
	f, err := os.Open(path)
	if err == nil && m != nil {
		err = metadata.Write(f, m)
	}
	if err != nil {
		b.Fatal(err)
	}
	f.Close()
	return path
}

const md5OfBody = "841a2d689ad86bd1611447453c22c6fc" // of "body"

func dataMeta(name, at string, more ...string) metadata.Metadata {
	m := metadata.Metadata{
		{Name: "name", Value: name}, {Name: "X-Timestamp", Value: at}, {Name: "Content-Type", Value: "text/plain"},
		{Name: "Content-Length", Value: "4"}, {Name: "ETag", Value: md5OfBody},
	}
	for i := 0; i < len(more); i += 2 {
		at := slices.IndexFunc(m, func(p metadata.Pair) bool { return p.Name == more[i] })
		switch {
		case at < 0:
			m = append(m, metadata.Pair{Name: more[i], Value: more[i+1]})
		case more[i+1] == "-":
			m = slices.Delete(m, at, at+1)
		default:
			m[at].Value = more[i+1]
		}
	}
	return m
}

func postMeta(name, at string, more ...string) metadata.Metadata {
	m := metadata.Metadata{{Name: "X-Timestamp", Value: at}, {Name: "name", Value: name}}
	for i := 0; i < len(more); i += 2 {
		m = append(m, metadata.Pair{Name: more[i], Value: more[i+1]})
	}
	return m
}

func (b *bench) objects() *Objects {
	b.Helper()
	o, err := b.OpenObjects(context.Background(), part, testPaths)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(o.Close)
	return o
}

// entries are what a suffix yields, by hash.
func (b *bench) entries(suffix string) map[string]ssync.Entry {
	b.Helper()
	all := map[string]ssync.Entry{}
	err := b.objects().Each(context.Background(), suffix, func(e ssync.Entry) error { all[e.Hash] = e; return nil })
	if err != nil {
		b.Fatal(err)
	}
	return all
}

// Random hash directories: what Swift yields we yield, and both leave the same
// files and mark the same suffixes.
func TestEachAgainstSwift(t *testing.T) {
	const suffixes, objects = 12, 150
	rnd := rand.New(rand.NewPCG(1, 2))
	now := time.Now()
	stamp := func(age time.Duration) string {
		return fmt.Sprintf("%016.5f", float64(now.Add(-age).UnixMicro()/10)/1e5)
	}
	var names []string
	for range 6 {
		names = append(names, stamp(time.Duration(rnd.IntN(20*24))*time.Hour))
	}
	ours, theirs := newBench(t, nil), newBench(t, nil)
	var all []string
	for i := range suffixes + 2 {
		all = append(all, fmt.Sprintf("%03x", 0xa00+i)) // two stay missing
	}
	for range objects {
		suffix := all[rnd.IntN(suffixes)]
		hash := fmt.Sprintf("%016x%013x%s", rnd.Uint64(), rnd.Uint64()>>12, suffix)
		var files []string
		for range rnd.IntN(5) {
			at := names[rnd.IntN(len(names))]
			switch rnd.IntN(8) {
			case 0, 1:
				files = append(files, at+".ts")
			case 2, 3, 4:
				files = append(files, at+".data")
			case 5:
				files = append(files, at+".meta")
			case 6:
				files = append(files, at+[]string{"+0.meta", "-186a0.meta", "+ffffff.meta"}[rnd.IntN(3)])
			case 7:
				files = append(files, []string{"." + at + ".data.Ab3_9z", "junk", at + ".odd"}[rnd.IntN(3)])
			}
		}
		ours.object(suffix, hash, files...)
		theirs.object(suffix, hash, files...)
	}
	got := map[string]map[string]string{}
	o := ours.objects()
	for _, suffix := range all {
		err := o.Each(context.Background(), suffix, func(e ssync.Entry) error {
			got[e.Hash] = map[string]string{"ts_data": e.Data.Internal()}
			if !e.Meta.IsZero() {
				got[e.Hash]["ts_meta"] = e.Meta.Internal()
			}
			if !e.CType.IsZero() {
				got[e.Hash]["ts_ctype"] = e.CType.Internal()
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	var want map[string]map[string]string
	askObjects(t, map[string]any{"do": "yield_hashes", "root": theirs.root, "reclaim_age": week.Seconds(), "suffixes": all}, &want)
	for hash := range want {
		if !maps.Equal(want[hash], got[hash]) {
			t.Errorf("%s: %v, Swift yields %v", hash, got[hash], want[hash])
		}
	}
	if len(got) != len(want) || len(got) < objects/4 {
		t.Errorf("%d objects, Swift yields %d", len(got), len(want))
	}
	sameTree(t, ours, theirs)
	if a, b := ours.read(ours.in("hashes.invalid")), theirs.read(theirs.in("hashes.invalid")); a != b || a == "" {
		t.Errorf("marked %q, Swift marks %q", a, b)
	}
}

// sameTree compares what is on two devices.
func sameTree(t *testing.T, ours, theirs *bench) {
	t.Helper()
	a, b := tree(t, ours.root), tree(t, theirs.root)
	for _, path := range a {
		if !slices.Contains(b, path) {
			t.Errorf("we leave %s, Swift does not", path)
		}
	}
	for _, path := range b {
		if !slices.Contains(a, path) {
			t.Errorf("Swift leaves %s, we do not", path)
		}
	}
}

// outcome is what became of opening an object.
type outcome struct {
	What, At, Why string
	Size          int64
	Data, Posts   map[string]string
}

// corruptions are objects and what may be wrong with them.
func corruptions(b *bench) map[string]string {
	hashes := map[string]string{} // case to hash
	add := func(what string, make func(name, hash string)) {
		name := "/a/c/" + what
		hashes[what] = hashOf(name)
		make(name, hashes[what])
	}
	data := func(more ...string) func(name, hash string) {
		return func(name, hash string) { b.file(hash, obj0+".data", "body", dataMeta(name, obj0, more...)) }
	}
	add("good", data("X-Object-Meta-A", "caf\xc3\xa9 \xff", "X-Object-Meta-Empty", ""))
	add("expired", data("X-Delete-At", "1600000000"))
	add("delete-at odd", data("X-Delete-At", " 1_600 "))
	add("delete-at huge", data("X-Delete-At", "-99999999999999999999999"))
	add("delete-at text", data("X-Delete-At", "soon"))
	add("length other", data("Content-Length", "5"))
	add("length less", data("Content-Length", "3"))
	add("length text", data("Content-Length", "four"))
	add("length spaced", data("Content-Length", " 4 "))
	add("length huge", data("Content-Length", "99999999999999999999999"))
	add("length none", data("Content-Length", "-"))
	add("name other", data("name", "/a/c/another"))
	add("no metadata", func(name, hash string) { b.file(hash, obj0+".data", "body", nil) })
	add("no pickle", func(name, hash string) {
		b.attribute(b.file(hash, obj0+".data", "body", nil), metadata.Attribute, "no pickle")
	})
	add("bad checksum", func(name, hash string) {
		b.attribute(b.file(hash, obj0+".data", "body", dataMeta(name, obj0)), metadata.ChecksumAttribute, strings.Repeat("0", 32))
	})
	add("no checksum", func(name, hash string) {
		path := b.file(hash, obj0+".data", "body", dataMeta(name, obj0))
		if err := unix.Removexattr(path, metadata.ChecksumAttribute); err != nil {
			b.Fatal(err)
		}
	})
	add("meta", func(name, hash string) {
		data()(name, hash)
		b.file(hash, obj1+".meta", "", postMeta(name, obj1, "X-Object-Meta-B", "\xe2\x98\x83"))
	})
	add("two metas", func(name, hash string) {
		data()(name, hash)
		b.file(hash, obj1+"+0.meta", "", postMeta(name, obj1, "X-Object-Meta-B", "old", "Content-Type", "image/png", "Content-Type-Timestamp", obj1))
		b.file(hash, obj2+".meta", "", postMeta(name, obj2, "X-Object-Meta-B", "new"))
	})
	add("meta with older type", func(name, hash string) {
		data()(name, hash)
		b.file(hash, obj2+"-186a0.meta", "", postMeta(name, obj2, "Content-Type", "image/png", "Content-Type-Timestamp", obj1))
		b.file(hash, obj1+"+0.meta", "", postMeta(name, obj1, "Content-Type", "image/gif", "Content-Type-Timestamp", obj1))
	})
	add("meta corrupt", func(name, hash string) {
		data()(name, hash)
		b.attribute(b.file(hash, obj1+".meta", "", nil), metadata.Attribute, "no pickle")
	})
	add("second meta corrupt", func(name, hash string) {
		data()(name, hash)
		b.attribute(b.file(hash, obj1+"+0.meta", "", nil), metadata.Attribute, "no pickle")
		b.file(hash, obj2+".meta", "", postMeta(name, obj2))
	})
	add("tombstone", func(name, hash string) { b.file(hash, obj0+".ts", "", postMeta(name, obj0)) })
	add("tombstone corrupt", func(name, hash string) {
		b.attribute(b.file(hash, obj0+".ts", "", nil), metadata.Attribute, "no pickle")
	})
	add("meta alone", func(name, hash string) { b.file(hash, obj1+".meta", "", postMeta(name, obj1)) })
	add("a file", func(name, hash string) { b.write(b.in(hash[29:], hash), "") })
	add("temporary file", func(name, hash string) {
		data()(name, hash)
		b.file(hash, "."+obj0+".data.Ab3_9z", "half", nil)
	})
	return hashes
}

func (b *bench) attribute(path, name, value string) {
	b.Helper()
	if err := unix.Setxattr(path, name, []byte(value), 0); err != nil {
		b.Fatal(err)
	}
}

// Every check of Swift's open: the same objects open with the same metadata, the
// same are quarantined, and the same is left on disk.
func TestOpenAgainstSwift(t *testing.T) {
	recent := func(o *Options) { o.ReclaimAge = 100 * 365 * 24 * time.Hour }
	ours, theirs := newBench(t, recent), newBench(t, recent)
	hashes := corruptions(ours)
	corruptions(theirs)
	var want map[string]outcome
	askObjects(t, map[string]any{
		"do": "open_all", "root": theirs.root, "reclaim_age": 100 * 365 * 24 * 3600,
		"hashes": slices.Sorted(maps.Values(hashes)),
	}, &want)
	o := ours.objects()
	for what, hash := range hashes {
		object, err := o.Open(context.Background(), hash)
		got := outcome{What: "unreadable"}
		var put *QuarantinedError
		switch {
		case err == nil && object.Deleted:
			got = outcome{What: "deleted", At: object.Data.Internal()}
		case err == nil:
			got = outcome{What: "data", Size: object.Size, Data: hexed(object.DataMeta), Posts: hexed(object.PostMeta)}
		case errors.As(err, &put):
			got = outcome{What: "quarantined", Why: put.Why}
			if !errors.Is(err, ErrNoObject) || !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s: a quarantined object is still there: %v", what, err)
			}
		case errors.Is(err, ErrNoObject):
			got = outcome{What: "gone"}
		}
		w := want[hash]
		if what == "tombstone corrupt" {
			// Swift quarantines it and then says that there is none.
			w.What, w.Why = "quarantined", got.Why
		}
		if exceptional := strings.HasPrefix(got.Why, "Exception reading"); exceptional || what == "a file" || what == "bad checksum" {
			w.Why = got.Why // words of Python
		}
		if got.What != w.What || got.Why != w.Why || got.At != w.At || got.Size != w.Size ||
			!maps.Equal(got.Data, w.Data) || !maps.Equal(got.Posts, w.Posts) {
			t.Errorf("%s: %+v (%v)\nSwift: %+v", what, got, err, w)
		}
		if object != nil {
			object.Close()
		}
	}
	// Swift makes .lock when it quarantines; so do we. What is left must be the same.
	sameTree(t, ours, theirs)
	invalid := func(b *bench) []string {
		lines := strings.Fields(b.read(b.in("hashes.invalid")))
		slices.Sort(lines)
		return lines
	}
	if a, b := invalid(ours), invalid(theirs); !slices.Equal(a, b) {
		t.Errorf("marked %v, Swift marks %v", a, b)
	}
}

// hexed is metadata as the oracle writes it: Swift holds raw bytes widened.
func hexed(m metadata.Metadata) map[string]string {
	if m == nil {
		return nil
	}
	out := map[string]string{}
	for _, p := range m {
		if p.Name == "name" && len(m) > 0 && !isData(m) {
			continue // Swift takes it out of what POSTs wrote
		}
		value := hex.EncodeToString([]byte(p.Value))
		if p.Name != "name" {
			var wide []rune
			for _, c := range []byte(p.Value) {
				wide = append(wide, rune(c))
			}
			value = hex.EncodeToString([]byte(string(wide)))
		}
		out[hex.EncodeToString([]byte(p.Name))] = value
	}
	return out
}

func isData(m metadata.Metadata) bool { _, ok := m.Get("Content-Length"); return ok }

// The names of files that an entry stands for, the ones that say nothing included.
func TestEntryFiles(t *testing.T) {
	for what, c := range map[string]struct{ on, want []string }{
		"data":            {[]string{obj0 + ".data"}, []string{obj0 + ".data"}},
		"tombstone":       {[]string{obj0 + ".ts"}, []string{obj0 + ".ts"}},
		"junk":            {[]string{obj0 + ".data", "." + obj0 + ".data.Ab3_9z", "x"}, []string{obj0 + ".data"}},
		"meta":            {[]string{obj0 + ".data", obj2 + "+0.meta"}, []string{obj0 + ".data", obj2 + "+0.meta"}},
		"two metas":       {[]string{obj0 + ".data", obj1 + "+0.meta", obj2 + ".meta"}, []string{obj0 + ".data", obj2 + ".meta", obj1 + "+0.meta"}},
		"type before put": {[]string{obj1 + ".data", obj2 + "-30d40.meta", obj3 + ".meta"}, []string{obj1 + ".data", obj3 + ".meta", obj2 + "-30d40.meta"}},
		"newer tombstone": {[]string{obj0 + ".data", obj1 + ".ts"}, []string{obj1 + ".ts"}},
	} {
		b := newBench(t, func(o *Options) { o.ReclaimAge = 100 * 365 * 24 * time.Hour })
		hash := hashOf("/a/c/" + what)
		b.object(hash[29:], hash, c.on...)
		if e := b.entries(hash[29:])[hash]; !slices.Equal(e.Files, c.want) {
			t.Errorf("%s: files %v, want %v", what, e.Files, c.want)
		}
	}
}

// What is in the way of the objects of a suffix.
func TestEachOddEntries(t *testing.T) {
	b := newBench(t, nil)
	hash := hashOf("/a/c/o")
	suffix := hash[29:]
	recent := strconv.FormatInt(time.Now().Unix(), 10) + ".00000.data"
	b.object(suffix, hash, recent)
	b.object(suffix, "odd", recent)
	b.object(suffix, strings.ToUpper(hash[:29])+suffix, recent)
	b.object(suffix, "0"+hash[1:29]+"fff"[:3], recent) // of another suffix, unless that is fff
	b.write(b.in(suffix, "a-file"), "x")
	got := b.entries(suffix)
	if len(got) != 1 || got[hash].Hash != hash {
		t.Errorf("yielded %v", got)
	}
	if names := tree(t, b.path("sda", "quarantined", "objects")); !slices.Equal(names, []string{"a-file"}) {
		t.Errorf("quarantined %v", names)
	}
	if err := b.objects().Each(context.Background(), "xyz", nil); err == nil {
		t.Error("xyz counts as a suffix")
	}
	stop := errors.New("stop")
	if err := b.objects().Each(context.Background(), suffix, func(ssync.Entry) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("the walk ended with %v", err)
	}
	found, err := b.objects().Suffixes(context.Background(), []string{"fff", suffix, "..", "zzz"})
	if err != nil || !slices.Equal(found, []string{suffix}) {
		t.Errorf("suffixes %v, %v", found, err)
	}
}

// A disk that fails is never taken for an empty or a corrupt one.
func TestObjectsOnIllDisk(t *testing.T) {
	name := "/a/c/o"
	hash := hashOf(name)
	suffix := hash[29:]
	var fail struct {
		op, path string
		err      error
	}
	b := newBench(t, func(o *Options) {
		o.FS = attrFS{faultFS{OS(), func(op, path string) error {
			if fail.err != nil && op == fail.op && strings.HasSuffix(path, fail.path) {
				return fail.err
			}
			return nil
		}}}
	})
	other := hash[:28] + "0" + suffix
	b.file(hash, obj0+".data", "body", dataMeta(name, obj0))
	b.file(hash, obj1+".meta", "", postMeta(name, obj1))
	b.file(other, obj0+".data", "body", dataMeta(name, obj0))
	before := tree(t, b.path("sda"))
	intact := func(op string) {
		t.Helper()
		if after := tree(t, b.path("sda")); !slices.Equal(before, after) {
			t.Errorf("%s has changed the disk: %v", op, after)
		}
	}
	for _, c := range []struct{ op, path string }{
		{"opendir", suffix}, {"opendir", hash}, {"readdir", hash}, {"openfile", obj0 + ".data"}, {"openfile", ".meta"},
		{"stat", obj0 + ".data"}, {"getxattr", obj0 + ".data"}, {"getxattr", ".meta"},
	} {
		for _, errno := range []error{unix.EIO, unix.EACCES, unix.ESTALE} {
			fail.op, fail.path, fail.err = c.op, c.path, errno
			object, err := b.objects().Open(context.Background(), hash)
			if !errors.Is(err, errno) || errors.Is(err, fs.ErrNotExist) || object != nil {
				t.Errorf("%s %s: open answers %v, %v", c.op, errno, object, err)
			}
			intact(c.op)
		}
	}
	fail.op, fail.path, fail.err = "read", obj0+".data", unix.EIO
	if err := b.objects().Verify(context.Background(), hash); !errors.Is(err, unix.EIO) {
		t.Errorf("verify answers %v", err)
	}
	intact("verify")
	// One directory that cannot be listed does not hide the others.
	fail.op, fail.path, fail.err = "readdir", hash, unix.EIO
	var seen []string
	err := b.objects().Each(context.Background(), suffix, func(e ssync.Entry) error { seen = append(seen, e.Hash); return nil })
	if !errors.Is(err, unix.EIO) || !slices.Equal(seen, []string{other}) {
		t.Errorf("listed %v, %v", seen, err)
	}
	fail.op, fail.path = "opendir", suffix
	if err := b.objects().Each(context.Background(), suffix, nil); !errors.Is(err, unix.EIO) {
		t.Errorf("listing an ill suffix answers %v", err)
	}
	intact("each")
	fail.err = nil
	if object, err := b.objects().Open(context.Background(), hash); err != nil {
		t.Error(err)
	} else {
		object.Close()
	}
}

// attrFS is a faultFS whose files have attributes and no descriptor.
type attrFS struct{ faultFS }

type attrFile struct {
	faultFile
}

func (f attrFS) OpenFile(at Dir, name string, flags int, perm uint32) (File, error) {
	file, err := f.faultFS.OpenFile(at, name, flags, perm)
	if err != nil {
		return nil, err
	}
	return attrFile{file.(faultFile)}, nil
}

func (f attrFile) Stat() (Info, error) {
	if err := f.fs.ask("stat", f.path); err != nil {
		return Info{}, err
	}
	return f.File.Stat()
}

func (f attrFile) ReadAt(p []byte, at int64) (int, error) {
	if err := f.fs.ask("read", f.path); err != nil {
		return 0, err
	}
	return f.File.ReadAt(p, at)
}

func (f attrFile) Attribute(name string, into []byte) (int, error) {
	if err := f.fs.ask("getxattr", f.path); err != nil {
		return 0, err
	}
	return f.File.(ObjectFile).Attribute(name, into)
}

// A corrupt version is not taken away together with a good one that has come since.
func TestCondemnSparesNewcomers(t *testing.T) {
	name := "/a/c/o"
	hash := hashOf(name)
	var b *bench
	b = newBench(t, func(o *Options) {
		o.FS = attrFS{faultFS{OS(), func(op, path string) error {
			if op == "getxattr" && strings.HasSuffix(path, obj0+".data") {
				b.file(hash, obj1+".data", "body", dataMeta(name, obj1))
			}
			return nil
		}}}
	})
	b.file(hash, obj0+".data", "body", nil)
	if _, err := b.objects().Open(context.Background(), hash); err == nil || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("open answers %v", err)
	}
	object, err := b.objects().Open(context.Background(), hash)
	if err != nil || object.Files[0] != obj1+".data" {
		t.Fatalf("the good version: %+v, %v", object, err)
	}
	object.Close()
}

// Versions that say another time in their metadata than in their names.
func TestOpenRefusesOtherTimes(t *testing.T) {
	for what, make := range map[string]func(b *bench, name, hash string){
		"data":      func(b *bench, name, hash string) { b.file(hash, obj0+".data", "body", dataMeta(name, obj1)) },
		"data none": func(b *bench, name, hash string) { b.file(hash, obj0+".data", "body", dataMeta(name, obj0, "X-Timestamp", "-")) },
		"data etag": func(b *bench, name, hash string) { b.file(hash, obj0+".data", "body", dataMeta(name, obj0, "ETag", "-")) },
		"tombstone": func(b *bench, name, hash string) { b.file(hash, obj0+".ts", "", postMeta(name, obj1)) },
		"meta": func(b *bench, name, hash string) {
			b.file(hash, obj0+".data", "body", dataMeta(name, obj0))
			b.file(hash, obj1+".meta", "", postMeta(name, obj2))
		},
		"ctype": func(b *bench, name, hash string) {
			b.file(hash, obj0+".data", "body", dataMeta(name, obj0))
			b.file(hash, obj1+"+0.meta", "", postMeta(name, obj1, "Content-Type", "a", "Content-Type-Timestamp", obj2))
		},
		"meta's name": func(b *bench, name, hash string) {
			b.file(hash, obj0+".data", "body", dataMeta(name, obj0))
			b.file(hash, obj1+".meta", "", postMeta("/a/c/another", obj1))
		},
	} {
		b := newBench(t, func(o *Options) { o.ReclaimAge = 100 * 365 * 24 * time.Hour })
		name := "/a/c/" + what
		make(b, name, hashOf(name))
		before := tree(t, b.root)
		if _, err := b.objects().Open(context.Background(), hashOf(name)); err == nil || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: opened with %v", what, err)
		}
		if after := tree(t, b.root); !slices.Equal(before, after) {
			t.Errorf("%s: the disk has changed: %v", what, after)
		}
	}
}

func TestVerify(t *testing.T) {
	b := newBench(t, nil)
	good, bad, none := hashOf("/a/c/good"), hashOf("/a/c/bad"), hashOf("/a/c/none")
	b.file(good, obj0+".data", "body", dataMeta("/a/c/good", obj0))
	b.file(bad, obj0+".data", "bodY", dataMeta("/a/c/bad", obj0))
	o := b.objects()
	if err := o.Verify(context.Background(), good); err != nil {
		t.Error(err)
	}
	if err := o.Verify(context.Background(), none); !errors.Is(err, ErrNoObject) {
		t.Error(err)
	}
	var put *QuarantinedError
	sum := md5.Sum([]byte("bodY"))
	if err := o.Verify(context.Background(), bad); !errors.As(err, &put) ||
		put.Why != "ETag "+md5OfBody+" and file's md5 "+hex.EncodeToString(sum[:])+" do not match" {
		t.Errorf("verify answers %v", err)
	}
	if got := tree(t, b.path("sda", "quarantined", "objects")); !slices.Equal(got, []string{bad + "/", bad + "/" + obj0 + ".data"}) {
		t.Errorf("quarantined %v", got)
	}
	if got := b.read(b.in("hashes.invalid")); got != bad[29:]+"\n" {
		t.Errorf("marked %q", got)
	}
	if !strings.Contains(b.log.String(), "Quarantined object "+filepath.Join(b.in(bad[29:], bad), obj0+".data")+": ETag ") {
		t.Errorf("log: %s", b.log)
	}
}

func TestOpenObjectsErrors(t *testing.T) {
	b := newBench(t, nil)
	if _, err := b.OpenObjects(context.Background(), part, testPaths); !errors.Is(err, ErrNoPartition) || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing partition: %v", err)
	}
	var device *messages.DeviceError
	b.mkdir(b.in())
	if _, err := b.OpenObjects(context.Background(), messages.Partition{Device: "sdz", Number: 7}, testPaths); !errors.As(err, &device) {
		t.Errorf("a missing device: %v", err)
	}
}
