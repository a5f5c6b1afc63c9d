package simfs

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"understudy/internal/store"
)

// twin is the same directory on two file systems.
type twin struct {
	t     *rapid.T
	real  side
	ours  side
	steps int
}

type side struct {
	fs    store.FS
	dirs  []store.Dir
	files []store.File
}

var names = []string{"a", "b", "c", "a/b", "a/c", "b/a", "a/b/c", ".", "a/..", "link", "link/b", "loop", ""}

// same does one thing to both and compares what it says.
func (w *twin) same(what string, do func(s *side) (string, error)) {
	w.t.Helper()
	wantText, wantErr := do(&w.real)
	gotText, gotErr := do(&w.ours)
	if gotText != wantText || errnoOf(gotErr) != errnoOf(wantErr) {
		w.t.Fatalf("step %d: %s: %q %v, the real one %q %v", w.steps, what, gotText, gotErr, wantText, wantErr)
	}
	w.steps++
}

func errnoOf(err error) string {
	var errno unix.Errno
	switch {
	case err == nil:
		return ""
	case errors.As(err, &errno):
		return errno.Error()
	}
	return err.Error()
}

// TestModel does the same random things to a real file system and to ours: the
// same results and errnos must come of it, and the same tree.
func TestModel(t *testing.T) {
	base := t.TempDir()
	n := 0
	rapid.Check(t, func(t *rapid.T) {
		n++
		top := fmt.Sprintf("%s/%d", base, n)
		if err := os.Mkdir(top, 0o755); err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(top)
		machine := NewMachine(NewDisk("system", 1, 1<<30), Hooks{})
		machine.Mount("/top", NewDisk("d1", 2, 1<<30))
		w := &twin{t: t, real: side{fs: store.OS()}, ours: side{fs: machine}}
		defer w.real.close()
		for _, e := range []struct {
			s   *side
			top string
		}{{&w.real, top}, {&w.ours, "/top"}} {
			d, err := e.s.fs.OpenDir(store.Root, e.top, true)
			if err != nil {
				t.Fatal(err)
			}
			e.s.dirs = append(e.s.dirs, d)
		}
		for link, to := range map[string]string{"link": "a", "loop": "loop"} {
			if err := errors.Join(os.Symlink(to, top+"/"+link), plantLink(machine, link, to)); err != nil {
				t.Fatal(err)
			}
		}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			w.step()
		}
		w.same("tree", func(s *side) (string, error) { return s.tree(s.dirs[0], "", 0) })
	})
}

func plantLink(m *Machine, name, to string) error {
	for _, d := range m.mounts {
		return d.Plant(name, typeLink|0o777, []byte(to), nil, time.Now())
	}
	return errors.New("nothing is mounted")
}

func (s *side) close() {
	for _, f := range s.files {
		f.Close()
	}
	for _, d := range s.dirs {
		s.fs.CloseDir(d)
	}
}

// tree writes down everything below a directory.
func (s *side) tree(at store.Dir, indent string, depth int) (string, error) {
	names, err := s.fs.ReadDir(at, "", nil)
	if err != nil || depth > 8 {
		return "", err
	}
	slices.Sort(names)
	var b strings.Builder
	for _, name := range names {
		i, err := s.fs.Stat(at, name, false)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&b, "%s%s %o", indent, name, i.Mode)
		if !i.IsDir() {
			fmt.Fprintf(&b, " %d", i.Size)
		}
		b.WriteByte('\n')
		if i.IsDir() {
			d, err := s.fs.OpenDir(at, name, false)
			if err != nil {
				return "", err
			}
			below, err := s.tree(d, indent+" ", depth+1)
			s.fs.CloseDir(d)
			if err != nil {
				return "", err
			}
			b.WriteString(below)
		}
	}
	return b.String(), nil
}

var flagSets = []int{
	unix.O_RDONLY, unix.O_WRONLY, unix.O_RDWR, unix.O_WRONLY | unix.O_CREAT, unix.O_RDWR | unix.O_CREAT | unix.O_EXCL,
	unix.O_RDWR | unix.O_CREAT | unix.O_APPEND, unix.O_WRONLY | unix.O_TRUNC, unix.O_RDONLY | unix.O_DIRECTORY,
	unix.O_TMPFILE | unix.O_WRONLY, unix.O_TMPFILE | unix.O_RDWR,
}

func (w *twin) step() {
	t := w.t
	name := rapid.SampledFrom(names).Draw(t, "name")
	d := rapid.IntRange(0, len(w.real.dirs)-1).Draw(t, "dir")
	other := rapid.SampledFrom(names).Draw(t, "other")
	e := rapid.IntRange(0, len(w.real.dirs)-1).Draw(t, "other dir")
	f := rapid.IntRange(0, max(0, len(w.real.files)-1)).Draw(t, "file")
	what := rapid.SampledFrom([]string{
		"mkdir", "mkdir", "rmdir", "remove", "rename", "move", "opendir", "stat", "stat", "readdir", "create", "create", "open",
		"write", "read", "truncate", "lock", "unlock", "close", "link", "setxattr", "getxattr", "sync", "follow", "fstat", "stat long",
	}).Draw(t, "what")
	if name == "" && what != "stat" && what != "readdir" {
		name = "a"
	}
	if strings.Contains(what, "move") || what == "rename" || what == "link" || what == "mkdir" || what == "rmdir" {
		// Nobody renames or makes "." and "..": what the kernel says of those is not worth having.
		name, other = plain(name), plain(other)
	}
	title := fmt.Sprintf("%s %d:%s %d:%s file %d", what, d, name, e, other, f)
	switch what {
	case "create", "open":
		flags := rapid.SampledFrom(flagSets).Draw(t, "flags")
		w.same(fmt.Sprintf("%s %x", title, flags), func(s *side) (string, error) {
			file, err := s.fs.OpenFile(s.dirs[d], name, flags, 0o666)
			if err == nil {
				s.files = append(s.files, file)
			}
			return "", err
		})
	case "write", "read", "truncate", "lock", "unlock", "close", "link", "setxattr", "getxattr", "sync", "fstat":
		if len(w.real.files) > 0 {
			w.same(title, func(s *side) (string, error) { return s.onFile(what, s.files[f], s.dirs[e], other) })
			if what == "close" { // its number may be another file's
				w.real.files = slices.Delete(w.real.files, f, f+1)
				w.ours.files = slices.Delete(w.ours.files, f, f+1)
			}
		}
	default:
		w.same(title, func(s *side) (string, error) { return s.onName(what, d, name, e, other) })
	}
}

func plain(name string) string {
	if name == "" || strings.HasSuffix(name, ".") {
		return "a"
	}
	return name
}

func (s *side) onName(what string, d int, name string, e int, other string) (string, error) {
	at := s.dirs[d]
	switch what {
	case "mkdir":
		return "", s.fs.Mkdir(at, name)
	case "rmdir":
		return "", s.fs.Rmdir(at, name)
	case "remove":
		return "", s.fs.Remove(at, name)
	case "rename":
		return "", s.fs.Rename(at, name, s.dirs[e], other)
	case "move":
		return "", s.fs.Move(at, name, s.dirs[e], other)
	case "opendir", "follow":
		dir, err := s.fs.OpenDir(at, name, what == "follow")
		if err == nil {
			s.dirs = append(s.dirs, dir)
		}
		return "", err
	case "readdir":
		got, err := s.fs.ReadDir(at, name, nil)
		slices.Sort(got)
		return strings.Join(got, " "), err
	case "stat long":
		name = strings.Repeat("x", 256)
	}
	i, err := s.fs.Stat(at, name, e%2 == 0)
	size := i.Size
	if i.IsDir() {
		size = 0
	}
	return fmt.Sprintf("%o %d", i.Mode, size), err
}

func (s *side) onFile(what string, f store.File, at store.Dir, name string) (string, error) {
	n := f.(store.NewFile)
	switch what {
	case "write":
		k, err := f.Write([]byte("hello, world\n"))
		return fmt.Sprint(k), err
	case "read":
		var b [20]byte
		k, err := f.ReadAt(b[:], 3)
		if errors.Is(err, io.EOF) {
			err = nil
		}
		return string(b[:k]), err
	case "truncate":
		return "", f.Truncate(int64(len(name)) * 5)
	case "lock":
		ok, err := f.TryLock()
		return fmt.Sprint(ok), err
	case "unlock":
		return "", f.Unlock()
	case "close":
		return "", f.Close()
	case "link":
		if name == "" {
			name = "c"
		}
		return "", n.LinkInto(at, name)
	case "setxattr":
		return "", n.SetAttribute("user.swift", []byte(name))
	case "getxattr":
		var b [40]byte
		k, err := n.Attribute("user.swift", b[:])
		return string(b[:k]), err
	case "sync":
		return "", f.Sync()
	}
	i, err := f.Stat()
	return fmt.Sprintf("%o %v", i.Mode, i.IsDir() || i.Size >= 0), err
}
