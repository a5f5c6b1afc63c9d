package store

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"understudy/internal/swift/hashpath"
	"understudy/internal/swift/metadata"
	"understudy/internal/swift/ssync"
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
		{Name: "name", Value: name},
		{Name: "X-Timestamp", Value: at},
		{Name: "Content-Type", Value: "text/plain"},
		{Name: "Content-Length", Value: "4"},
		{Name: "ETag", Value: md5OfBody},
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

// A suffix whose last file was an old tombstone is empty once it has been cleaned up.
// A revert job, which did that itself, must not find a mark afterwards and take it for
// an arrival.
func TestHeldLeavesNoMarks(t *testing.T) {
	for _, held := range []bool{false, true} {
		b := newBench(t, nil)
		b.object("abc", "0123456789abcdef0123456789abcabc", "1000000000.00000.ts")
		open := b.OpenObjects
		if held {
			open = b.OpenHeld
		}
		o, err := open(context.Background(), part, testPaths)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(o.Close)
		if err := o.Each(context.Background(), "abc", func(ssync.Entry) error { t.Error("an object"); return nil }); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Lstat(b.in("hashes.invalid")); (err == nil) == held {
			t.Errorf("held=%v: hashes.invalid: %v", held, err)
		}
	}
}
