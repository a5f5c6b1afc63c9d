package store

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"understudy/internal/swift/ssync"
)

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
		{"opendir", suffix},
		{"opendir", hash},
		{"readdir", hash},
		{"openfile", obj0 + ".data"},
		{"openfile", ".meta"},
		{"stat", obj0 + ".data"},
		{"getxattr user.swift.metadata", obj0 + ".data"},
		{"getxattr user.swift.metadata", ".meta"},
		{"getxattr user.swift.metadata1", obj0 + ".data"},
		{"getxattr user.swift.metadata_checksum", obj0 + ".data"},
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
	if err := f.fs.ask("getxattr "+name, f.path); err != nil {
		return 0, err
	}
	return f.File.(ObjectFile).Attribute(name, into)
}
