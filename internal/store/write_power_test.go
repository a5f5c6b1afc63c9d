package store

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"understudy/internal/swift/hashpath"
	"understudy/internal/swift/metadata"
	"understudy/internal/swift/timestamp"
)

var incoming = IncomingOptions{Paths: hashpath.Hasher{Suffix: []byte("changeme")}, Rules: WriteRules{Reserve: &Reserve{}}, PerDevice: 1}

func (b *bench) incoming() *Incoming {
	b.Helper()
	in, err := b.OpenIncoming(context.Background(), part, incoming)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if in.device != (Dir{}) {
			in.Close()
		}
	})
	return in
}

func stamp(seconds int) timestamp.Timestamp {
	t, err := timestamp.Parse(fmt.Sprintf("%d.00000", 1700000000+seconds))
	if err != nil {
		panic(err)
	}
	return t
}

func object(name string) ObjectName { return ObjectName{"a", "c", name} }

// putBody stores an object whole.
func putBody(in *Incoming, name string, at timestamp.Timestamp, body string, more ...string) error {
	d, err := in.BeginPut(context.Background(), object(name), at, int64(len(body)))
	if err != nil {
		return err
	}
	defer d.Discard()
	if _, err := d.Write([]byte(body)); err != nil {
		return err
	}
	m := metadata.Metadata{
		{Name: "X-Timestamp", Value: at.Internal()},
		{Name: "Content-Type", Value: "text/plain"},
		{Name: "Content-Length", Value: fmt.Sprint(d.Size())},
		{Name: "ETag", Value: d.ETag()},
	}
	for i := 0; i < len(more); i += 2 {
		m = append(m, metadata.Pair{Name: more[i], Value: more[i+1]})
	}
	return d.FinishPut(context.Background(), object(name), m)
}

func post(in *Incoming, name string, at timestamp.Timestamp) error {
	return in.Post(context.Background(), object(name), Post{At: at, Metadata: metadata.Metadata{
		{Name: "X-Timestamp", Value: at.Internal()}, {Name: "X-Object-Meta-Color", Value: "blue"},
	}})
}

func remove(in *Incoming, name string, at timestamp.Timestamp) error {
	_, err := in.Delete(context.Background(), object(name), at)
	return err
}

// powerBench is a device of which nothing but the directory is durable.
func powerBench(t *testing.T) (*bench, *powerFS) {
	t.Helper()
	root := fastDir(t)
	if err := os.Mkdir(filepath.Join(root, "sda"), 0o755); err != nil {
		t.Fatal(err)
	}
	power := newPowerFS(t, filepath.Join(root, "sda"))
	b := newBench(t, func(o *Options) { o.Root, o.FS, o.ReclaimAge = root, power, long })
	b.root = root
	return b, power
}

// The order in which the disk is told: the file is durable before its suffix is
// marked, marked before it has a name, and its name durable, up to the device, before
// it counts as stored. What it overtakes goes last.
func TestWriteOrder(t *testing.T) {
	b, power := powerBench(t)
	in := b.incoming()
	for _, c := range []struct {
		what string
		do   func() error
		want string
	}{
		{"open", func() error { return nil }, "mkdir objects; mkdir partition"},
		{"first put", func() error { return putBody(in, "o", stamp(0), "body") }, `
			mkdir SUFFIX; mkdir HASH; tmpfile in HASH; write file; setxattr file; setxattr file; fsync file; write hashes.invalid; link *.data;
			fsync HASH; fsync SUFFIX; fsync partition; fsync objects; fsync device; write hashes.invalid`},
		{"post", func() error { return post(in, "o", stamp(1)) }, `
			tmpfile in HASH; setxattr file; setxattr file; fsync file; write hashes.invalid; link *.meta; fsync HASH; fsync SUFFIX; write hashes.invalid`},
		{"overwrite", func() error { return putBody(in, "o", stamp(2), "body") }, `
			tmpfile in HASH; write file; setxattr file; setxattr file; fsync file; write hashes.invalid; link *.data;
			fsync HASH; fsync SUFFIX; write hashes.invalid; unlink *.data; unlink *.meta`},
		{"delete", func() error { return remove(in, "o", stamp(3)) }, `
			tmpfile in HASH; setxattr file; setxattr file; fsync file; write hashes.invalid; link *.ts; fsync HASH; fsync SUFFIX; write hashes.invalid; unlink *.data`},
		{"commit", func() error { return in.Commit(context.Background()) }, "fsync hashes.invalid; fsync partition"},
		{"commit again", func() error { return in.Commit(context.Background()) }, ""},
	} {
		if c.what != "open" {
			power.log = nil
		}
		if err := c.do(); err != nil {
			t.Errorf("%s: %v", c.what, err)
		}
		want := strings.Join(strings.Fields(c.want), " ")
		if got := strings.Join(power.log, "; "); got != want {
			t.Errorf("%s:\ngot  %s\nwant %s", c.what, got, want)
		}
	}
}

// A power cut after any change of the disk, that leaves only what was synced, and one
// that leaves every name: no version that was acknowledged is missing, and no file
// that has a name is less than whole.
func TestPowerCuts(t *testing.T) {
	b, power := powerBench(t)
	acked := map[string]string{} // the newest file of each object, by hash
	cuts, marked := 0, []string(nil)
	power.tick = func() {
		cuts++
		for hash, file := range acked {
			if _, ok := power.survives(b.path("sda"), "objects", "7", hash[29:], hash, file); !ok {
				t.Fatalf("a cut after %q loses %s/%s", power.log[len(power.log)-1], hash, file)
			}
			if names, _ := os.ReadDir(b.in(hash[29:], hash)); len(names) == 0 || names[len(names)-1].Name() < file {
				t.Fatalf("a kill after %q loses %s/%s", power.log[len(power.log)-1], hash, file)
			}
		}
		for _, suffix := range marked {
			if text, ok := power.survives(b.path("sda"), "objects", "7", "hashes.invalid"); !ok || !strings.Contains(text, suffix+"\n") {
				t.Fatalf("a cut after %q loses the mark of %s", power.log[len(power.log)-1], suffix)
			}
		}
		b.allWhole(power)
	}
	in := b.incoming()
	ack := func(name, file string, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		acked[in.hash(object(name))] = file
	}
	for round := range 3 {
		for i := range 6 {
			name, at := fmt.Sprintf("o%d", i), stamp(10*round)
			ack(name, at.Internal()+".data", putBody(in, name, at, strings.Repeat(name, i*1000)))
			if i%3 == 1 {
				at = stamp(10*round + 1)
				if err := post(in, name, at); err != nil {
					t.Fatal(err)
				}
			}
			if i%3 == 2 {
				at = stamp(10*round + 2)
				ack(name, at.Internal()+".ts", remove(in, name, at))
			}
		}
		// Somebody has brought the same version meanwhile.
		name, at := "same", stamp(10*round)
		d, err := in.BeginPut(context.Background(), object(name), at, 4)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.Write([]byte("body")); err != nil {
			t.Fatal(err)
		}
		ack(name, at.Internal()+".data", putBody(in, name, at, "body"))
		ack(name, at.Internal()+".data", d.FinishPut(context.Background(), object(name), metadata.Metadata{
			{Name: "X-Timestamp", Value: at.Internal()}, {Name: "Content-Length", Value: "4"}, {Name: "ETag", Value: d.ETag()},
		}))
		d.Discard()
		if err := in.Commit(context.Background()); err != nil {
			t.Fatal(err)
		}
		marked = nil
		for hash := range acked {
			marked = append(marked, hash[29:])
		}
	}
	t.Logf("%d power cuts, %d objects", cuts, len(acked))
	if cuts < 300 {
		t.Errorf("only %d power cuts", cuts)
	}
	if log := strings.Join(power.log, "\n"); !strings.Contains(log, "rename to *.data") || strings.Contains(log, "unlink .") {
		t.Error("no version was replaced by the same one")
	}
}

// allWhole checks that every file that has a name now holds what was synced.
func (b *bench) allWhole(power *powerFS) {
	b.Helper()
	err := filepath.WalkDir(b.in(), func(path string, d fs.DirEntry, err error) error {
		if os.IsNotExist(err) {
			return nil
		}
		if err != nil || d.IsDir() || !strings.Contains(short(path), "*") {
			return err
		}
		if durable, ok := power.files[inode(b, path)]; !ok || durable != content(b, path) {
			b.Fatalf("a cut after %q tears %s", power.log[len(power.log)-1], path)
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
}
