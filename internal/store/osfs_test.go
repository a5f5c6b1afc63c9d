package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func openRoot(t testing.TB, path string) Dir {
	t.Helper()
	d, err := OS().OpenDir(Root, path, true)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { OS().CloseDir(d) })
	return d
}

// A directory of many long names takes several system calls; each name comes
// once, and again when the open directory is read again.
func TestReadDirInBatches(t *testing.T) {
	dir := t.TempDir()
	var want []string
	for i := range 1500 {
		name := fmt.Sprintf("%04d%s", i, strings.Repeat("x", i%250))
		want = append(want, name)
		if err := os.WriteFile(dir+"/"+name, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	d := openRoot(t, dir)
	for _, name := range []string{"", "", "."} {
		got, err := OS().ReadDir(d, name, []string{"before"})
		if err != nil || got[0] != "before" {
			t.Fatal(err)
		}
		got = got[1:]
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%q: %d names, want %d", name, len(got), len(want))
		}
	}
}

func TestErrnosComeThrough(t *testing.T) {
	dir := t.TempDir()
	for path, content := range map[string]string{"/file": "x", "/full/file": ""} {
		os.MkdirAll(dir+"/full", 0o755)
		if err := os.WriteFile(dir+path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for link, to := range map[string]string{"/link": "full", "/dangling": "nowhere"} {
		if err := os.Symlink(to, dir+link); err != nil {
			t.Fatal(err)
		}
	}
	d, o := openRoot(t, dir), OS()
	try := func(what string, err error, want unix.Errno) {
		t.Helper()
		if want == 0 && err != nil || want != 0 && !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", what, err, want)
		}
		if err != nil && !strings.Contains(err.Error(), dir) {
			t.Errorf("%s: %v names no path", what, err)
		}
	}
	openDir := func(name string) error { _, err := o.OpenDir(d, name, false); return err }
	readDir := func(name string) error { _, err := o.ReadDir(d, name, nil); return err }
	openFile := func(name string, flags int) error { _, err := o.OpenFile(d, name, flags, 0); return err }
	try("open missing", openDir("missing"), unix.ENOENT)
	try("open file", openDir("file"), unix.ENOTDIR)
	try("open link", openDir("link"), unix.ENOTDIR)
	try("open dangling", openDir("dangling"), unix.ENOTDIR)
	try("read missing", readDir("missing"), unix.ENOENT)
	try("read a name with NUL", readDir("full\x00"), unix.EINVAL)
	try("read 255 bytes", readDir(strings.Repeat("x", 255)), unix.ENOENT)
	try("read 256 bytes", readDir(strings.Repeat("x", 256)), unix.ENAMETOOLONG)
	try("read file", readDir("file"), unix.ENOTDIR)
	try("read link", readDir("link"), unix.ENOTDIR)
	try("rmdir full", o.Rmdir(d, "full"), unix.ENOTEMPTY)
	try("rmdir file", o.Rmdir(d, "file"), unix.ENOTDIR)
	try("remove dir", o.Remove(d, "full"), unix.EISDIR)
	try("mkdir twice", o.Mkdir(d, "full"), unix.EEXIST)
	try("open link as file", openFile("link", unix.O_RDONLY), unix.ELOOP)
	try("write dir", openFile("full", unix.O_WRONLY), unix.EISDIR)
	try("move onto file", o.Move(d, "full", d, "file"), unix.EEXIST)
	try("move file onto file", o.Move(d, "file", d, "dangling"), unix.EEXIST)
	try("move", o.Move(d, "file", d, "moved"), 0)
	try("rename replaces", o.Rename(d, "moved", d, "dangling"), 0)
	try("sync", o.SyncDir(d), 0)
	if _, err := os.Stat(dir + "/dangling"); err != nil {
		t.Error(err)
	}
}

func dirent(name string) string {
	length := (19 + len(name) + 1 + 7) &^ 7
	b := make([]byte, length)
	binary.NativeEndian.PutUint16(b[16:], uint16(length))
	copy(b[19:], name)
	return string(b)
}

// FuzzAppendNames: whatever the kernel, or a FUSE daemon behind it, returns.
func FuzzAppendNames(f *testing.F) {
	r := new(room)
	f.Add(dirent(".") + dirent("..") + dirent("1700000000.00000.data"))
	f.Add(dirent("a") + dirent("b")[:20])
	f.Add("")
	f.Fuzz(func(t *testing.T, batch string) {
		names, _ := r.appendNames(nil, []byte(batch))
		for _, name := range names {
			if name == "." || name == ".." || strings.Contains(name, "\x00") || len(name) > len(batch) {
				t.Fatalf("name %q", name)
			}
		}
	})
}

func TestAppendNames(t *testing.T) {
	r := new(room)
	got, ok := r.appendNames(nil, []byte(dirent(".")+dirent("x")+dirent("..")+dirent("...")+dirent(strings.Repeat("y", 255))))
	if !ok || !slices.Equal(got, []string{"x", "...", strings.Repeat("y", 255)}) {
		t.Errorf("%v %q", ok, got)
	}
	for _, bad := range []string{"x", dirent("abc")[:22], strings.Repeat("\x01", 64), dirent("x") + strings.Repeat("\x00", 32)} {
		if _, ok := r.appendNames(nil, []byte(bad)); ok {
			t.Errorf("%q makes sense", bad)
		}
	}
}
