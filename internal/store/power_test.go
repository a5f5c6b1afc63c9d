package store

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// powerFS knows what a power cut would leave: of a file what it held when it was
// synced last, of a directory the entries that it had when it was synced last. It
// calls tick after each change.
type powerFS struct {
	FS
	t       testing.TB
	log     []string
	files   map[uint64]string            // content and attributes when synced last, by inode
	dirs    map[uint64]map[string]uint64 // entries when synced last
	tick    func()
	quietly bool // the log and the ticks rest
}

func newPowerFS(t testing.TB, durable ...string) *powerFS {
	p := &powerFS{FS: OS(), t: t, files: map[uint64]string{}, dirs: map[uint64]map[string]uint64{}}
	for _, path := range durable {
		p.syncedDir(path)
	}
	return p
}

func inode(t testing.TB, path string) uint64 {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		t.Fatal(err)
	}
	return st.Ino
}

func (p *powerFS) note(format string, args ...any) {
	if p.quietly {
		return
	}
	p.log = append(p.log, fmt.Sprintf(format, args...))
	if p.tick != nil {
		p.tick()
	}
}

// syncedDir notes the entries that a directory has now.
func (p *powerFS) syncedDir(path string) {
	p.t.Helper()
	names, err := os.ReadDir(path)
	if err != nil {
		p.t.Fatal(err)
	}
	entries := map[string]uint64{}
	for _, n := range names {
		entries[n.Name()] = inode(p.t, filepath.Join(path, n.Name()))
	}
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		p.t.Fatal(err)
	}
	p.dirs[st.Ino] = entries
}

func content(t testing.TB, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	attributes := ""
	buffer := make([]byte, 70000)
	for _, name := range []string{"user.swift.metadata", "user.swift.metadata_checksum"} {
		if n, err := unix.Getxattr(path, name, buffer); err == nil {
			attributes += fmt.Sprintf(" %s=%q", name, buffer[:n])
		}
	}
	return string(data) + attributes
}

// survives is the content of a file after a power cut now; false when nothing leads
// to it from a directory that is durable.
func (p *powerFS) survives(root string, path ...string) (string, bool) {
	p.t.Helper()
	at := inode(p.t, root)
	for _, name := range path {
		next, ok := p.dirs[at][name]
		if !ok {
			return "", false
		}
		at = next
	}
	text, ok := p.files[at]
	return text, ok
}

// short names a path by what it is.
func short(path string) string {
	base := filepath.Base(path)
	switch {
	case len(base) == 32 && !strings.Contains(base, "."):
		return "HASH"
	case base == "sda":
		return "device"
	case len(base) == 3:
		return "SUFFIX"
	case base == "7":
		return "partition"
	case base == ".":
		return short(filepath.Dir(path))
	}
	for _, ext := range []string{".data", ".meta", ".ts"} {
		if strings.HasSuffix(base, ext) {
			return "*" + ext
		}
	}
	return base
}

func (p *powerFS) SyncDir(d Dir) error {
	err := p.FS.SyncDir(d)
	if err == nil {
		p.syncedDir(fmt.Sprintf("/proc/self/fd/%d", d.FD))
		p.note("fsync %s", short(d.Path))
	}
	return err
}

func (p *powerFS) Mkdir(at Dir, name string) error {
	err := p.FS.Mkdir(at, name)
	if err == nil {
		p.note("mkdir %s", short(at.Child(name)))
	}
	return err
}

func (p *powerFS) Rmdir(at Dir, name string) error {
	err := p.FS.Rmdir(at, name)
	if err == nil {
		p.note("rmdir %s", short(at.Child(name)))
	}
	return err
}

func (p *powerFS) Remove(at Dir, name string) error {
	err := p.FS.Remove(at, name)
	if err == nil {
		p.note("unlink %s", short(at.Child(name)))
	}
	return err
}

func (p *powerFS) Rename(from Dir, old string, to Dir, name string) error {
	err := p.FS.Rename(from, old, to, name)
	if err == nil {
		p.note("rename to %s", short(to.Child(name)))
	}
	return err
}

func (p *powerFS) OpenFile(at Dir, name string, flags int, perm uint32) (File, error) {
	f, err := p.FS.OpenFile(at, name, flags, perm)
	if err != nil {
		return nil, err
	}
	kind := short(at.Child(name))
	if flags&unix.O_TMPFILE == unix.O_TMPFILE {
		kind = "file"
		p.note("tmpfile in %s", short(at.Path))
	}
	return &powerFile{f.(NewFile), p, kind}, nil
}

type powerFile struct {
	NewFile
	fs   *powerFS
	kind string
}

// Descriptor is the file's own.
func (f *powerFile) Descriptor() int { return f.NewFile.(*osFile).fd }

func (f *powerFile) Write(b []byte) (int, error) {
	n, err := f.NewFile.Write(b)
	f.fs.note("write %s", f.kind)
	return n, err
}

func (f *powerFile) Truncate(size int64) error {
	err := f.NewFile.Truncate(size)
	f.fs.note("truncate %s", f.kind)
	return err
}

func (f *powerFile) SetAttribute(name string, value []byte) error {
	err := f.NewFile.SetAttribute(name, value)
	f.fs.note("setxattr %s", f.kind)
	return err
}

func (f *powerFile) Sync() error {
	err := f.NewFile.Sync()
	if err != nil {
		return err
	}
	i, err := f.Stat()
	if err == nil {
		f.fs.files[i.Ino] = content(f.fs.t, fmt.Sprintf("/proc/self/fd/%d", f.Descriptor()))
		f.fs.note("fsync %s", f.kind)
	}
	return err
}

func (f *powerFile) LinkInto(at Dir, name string) error {
	err := f.NewFile.LinkInto(at, name)
	if err == nil {
		f.fs.note("link %s", short(at.Child(name)))
	}
	return err
}
