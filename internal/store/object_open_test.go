package store

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"understudy/internal/swift/metadata"
	"understudy/messages"
)

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

// A corrupt version is not taken away together with a good one that has come since.
func TestCondemnSparesNewcomers(t *testing.T) {
	name := "/a/c/o"
	hash := hashOf(name)
	var b *bench
	b = newBench(t, func(o *Options) {
		o.FS = attrFS{faultFS{OS(), func(op, path string) error {
			if strings.HasPrefix(op, "getxattr") && strings.HasSuffix(path, obj0+".data") {
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
		"data": func(b *bench, name, hash string) { b.file(hash, obj0+".data", "body", dataMeta(name, obj1)) },
		"data none": func(b *bench, name, hash string) {
			b.file(hash, obj0+".data", "body", dataMeta(name, obj0, "X-Timestamp", "-"))
		},
		"data etag": func(b *bench, name, hash string) {
			b.file(hash, obj0+".data", "body", dataMeta(name, obj0, "ETag", "-"))
		},
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

// Metadata that has no data is part of an object of a held partition. When it cannot be
// read, the tombstone beside it is opened by itself and stays where it is: it may be the
// only one.
func TestOpenWaiting(t *testing.T) {
	name := "/a/c/o"
	hash := hashOf(name)
	ts, meta := obj0+".ts", obj1+".meta"
	for what, c := range map[string]struct {
		make  func(b *bench)
		files []string // of what is opened
		note  string   // of its metadata
		gone  bool     // to the quarantine
	}{
		"alone": {func(b *bench) { b.file(hash, meta, "", postMeta(name, obj1, "X-Object-Meta-Note", "kept")) }, []string{meta}, "kept", false},
		"beside a tombstone": {func(b *bench) {
			b.file(hash, ts, "", postMeta(name, obj0))
			b.file(hash, meta, "", postMeta(name, obj1, "X-Object-Meta-Note", "kept"))
		}, []string{ts, meta}, "kept", false},
		"corrupt beside a tombstone": {func(b *bench) {
			b.file(hash, ts, "", postMeta(name, obj0))
			b.file(hash, meta, "", nil)
		}, []string{ts}, "", false},
		"of another object beside a tombstone": {func(b *bench) {
			b.file(hash, ts, "", postMeta(name, obj0))
			b.file(hash, meta, "", postMeta("/a/c/other", obj1))
		}, []string{ts}, "", false},
		"corrupt and alone": {func(b *bench) { b.file(hash, meta, "", nil) }, nil, "", true},
	} {
		b := newBench(t, func(o *Options) { o.ReclaimAge = 100 * 365 * 24 * time.Hour })
		c.make(b)
		before := tree(t, b.root)
		objects, err := b.OpenHeld(context.Background(), part, testPaths)
		if err != nil {
			t.Fatal(err)
		}
		object, err := objects.Open(context.Background(), hash)
		objects.Close()
		var put *QuarantinedError
		if errors.As(err, &put) != c.gone {
			t.Errorf("%s: %v", what, err)
		}
		if c.gone {
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		note, _ := object.PostMeta.Get("X-Object-Meta-Note")
		if !slices.Equal(object.Files, c.files) || note != c.note || !object.Deleted || object.Name != name || object.Meta.IsZero() != (c.note == "") {
			t.Errorf("%s: opened %+v", what, object)
		}
		if after := tree(t, b.root); !slices.Equal(before, after) {
			t.Errorf("%s: the disk has changed: %v", what, after)
		}
	}
}
