package store

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"

	"understudy/internal/swift/hashes"
	"understudy/messages"
)

const week = 7 * 24 * time.Hour

var part = messages.Partition{Device: "sda", Number: 7}

// bench is a devices directory with one device, and a store over it.
type bench struct {
	testing.TB
	*Store
	root string
	log  *logBuffer
}

// logBuffer collects log lines.
type logBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// newBench makes a device sda. tune may change the options.
func newBench(t testing.TB, tune func(*Options)) *bench {
	t.Helper()
	root := t.TempDir()
	log := &logBuffer{}
	o := Options{Root: root, ReclaimAge: week, Log: zerolog.New(log), LockTimeout: 2 * time.Second}
	if tune != nil {
		tune(&o)
	}
	b := &bench{TB: t, Store: New(o), root: root, log: log}
	b.mkdir("sda")
	return b
}

func (b *bench) path(parts ...string) string {
	return filepath.Join(append([]string{b.root}, parts...)...)
}

// in is a path below the partition.
func (b *bench) in(parts ...string) string {
	return filepath.Join(append([]string{b.PartitionPath(part)}, parts...)...)
}

func (b *bench) mkdir(path string) {
	b.Helper()
	if !filepath.IsAbs(path) {
		path = b.path(path)
	}
	if err := os.MkdirAll(path, 0o755); err != nil {
		b.Fatal(err)
	}
}

func (b *bench) write(path, content string) {
	b.Helper()
	b.mkdir(filepath.Dir(path))
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		b.Fatal(err)
	}
}

// object makes a hash directory with files.
func (b *bench) object(suffix, name string, files ...string) {
	b.Helper()
	b.mkdir(b.in(suffix, name))
	for _, f := range files {
		b.write(b.in(suffix, name, f), "")
	}
}

func (b *bench) hashes(o messages.HashOptions) messages.HashReport {
	b.Helper()
	r, err := b.Hashes(context.Background(), part, o)
	if err != nil {
		b.Fatal(err)
	}
	return r
}

func (b *bench) read(path string) string {
	b.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		b.Fatal(err)
	}
	return string(data)
}

// cache is hashes.pkl of the partition.
func (b *bench) cache() hashes.File {
	b.Helper()
	return hashes.Decode([]byte(b.read(b.in(hashFile))))
}

// tree lists all paths below dir; directories end in a slash.
func tree(t testing.TB, dir string) []string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		rel, _ := filepath.Rel(dir, path)
		if d.IsDir() {
			rel += "/"
		}
		all = append(all, rel)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(all)
	return all
}

// faultFS asks a hook before every call; an errno that the hook returns is the
// call's answer. The hook may also do something to the disk at that moment.
type faultFS struct {
	FS
	hook func(op, path string) error
}

func withHook(hook func(op, path string) error) func(*Options) {
	return func(o *Options) { o.FS = faultFS{OS(), hook} }
}

func (f faultFS) ask(op, path string) error {
	if err := f.hook(op, path); err != nil {
		return &fs.PathError{Op: op, Path: path, Err: err}
	}
	return nil
}

func (f faultFS) OpenDir(at Dir, name string, follow bool) (Dir, error) {
	if err := f.ask("opendir", at.Child(name)); err != nil {
		return Dir{}, err
	}
	return f.FS.OpenDir(at, name, follow)
}

func (f faultFS) ReadDir(at Dir, name string, into []string) ([]string, error) {
	if err := f.ask("readdir", at.Child(name)); err != nil {
		return into, err
	}
	return f.FS.ReadDir(at, name, into)
}

// EachName asks before the first batch ("readdir") and after each ("readdir on").
func (f faultFS) EachName(at Dir, name string, batch func([]string) error) error {
	path := at.Child(name)
	if err := f.ask("readdir", path); err != nil {
		return err
	}
	return f.FS.EachName(at, name, func(names []string) error {
		if err := batch(names); err != nil {
			return err
		}
		return f.ask("readdir on", path)
	})
}

func (f faultFS) SyncDir(d Dir) error {
	if err := f.ask("syncdir", d.Path); err != nil {
		return err
	}
	return f.FS.SyncDir(d)
}

func (f faultFS) CloseDir(d Dir) error {
	return errors.Join(f.ask("closedir", d.Path), f.FS.CloseDir(d))
}

func (f faultFS) Stat(at Dir, name string, follow bool) (Info, error) {
	if err := f.ask("stat", at.Child(name)); err != nil {
		return Info{}, err
	}
	return f.FS.Stat(at, name, follow)
}

func (f faultFS) Mkdir(at Dir, name string) error {
	if err := f.ask("mkdir", at.Child(name)); err != nil {
		return err
	}
	return f.FS.Mkdir(at, name)
}

func (f faultFS) Rmdir(at Dir, name string) error {
	if err := f.ask("rmdir", at.Child(name)); err != nil {
		return err
	}
	return f.FS.Rmdir(at, name)
}

func (f faultFS) Remove(at Dir, name string) error {
	if err := f.ask("remove", at.Child(name)); err != nil {
		return err
	}
	return f.FS.Remove(at, name)
}

func (f faultFS) Rename(from Dir, old string, to Dir, name string) error {
	if err := f.ask("rename", from.Child(old)); err != nil {
		return err
	}
	return f.FS.Rename(from, old, to, name)
}

func (f faultFS) Move(from Dir, old string, to Dir, name string) error {
	if err := f.ask("move", from.Child(old)); err != nil {
		return err
	}
	return f.FS.Move(from, old, to, name)
}

func (f faultFS) OpenFile(at Dir, name string, flags int, perm uint32) (File, error) {
	op := "openfile"
	switch {
	case flags&unix.O_TMPFILE == unix.O_TMPFILE:
		op = "tmpfile"
	case flags&unix.O_CREAT != 0:
		op = "create"
	}
	path := at.Child(name)
	if err := f.ask(op, path); err != nil {
		return nil, err
	}
	file, err := f.FS.OpenFile(at, name, flags, perm)
	if err != nil {
		return nil, err
	}
	return faultFile{file, f, path}, nil
}

// errShortWrite is a hook's answer that lets half of a write through before ENOSPC.
var errShortWrite = errors.New("short write")

type faultFile struct {
	File
	fs   faultFS
	path string
}

func (f faultFile) Read(p []byte) (int, error) {
	if err := f.fs.ask("read", f.path); err != nil {
		return 0, err
	}
	return f.File.Read(p)
}

func (f faultFile) ReadAt(p []byte, at int64) (int, error) {
	if err := f.fs.ask("pread", f.path); err != nil {
		return 0, err
	}
	return f.File.ReadAt(p, at)
}

func (f faultFile) Stat() (Info, error) {
	if err := f.fs.ask("fstat", f.path); err != nil {
		return Info{}, err
	}
	return f.File.Stat()
}

func (f faultFile) Close() error {
	return errors.Join(f.fs.ask("close", f.path), f.File.Close())
}

func (f faultFile) Write(p []byte) (int, error) {
	err := f.fs.ask("write", f.path)
	if errors.Is(err, errShortWrite) {
		n, _ := f.File.Write(p[:len(p)/2])
		return n, &fs.PathError{Op: "write", Path: f.path, Err: unix.ENOSPC}
	}
	if err != nil {
		return 0, err
	}
	return f.File.Write(p)
}

func (f faultFile) Sync() error {
	if err := f.fs.ask("fsync", f.path); err != nil {
		return err
	}
	return f.File.Sync()
}

func (f faultFile) Truncate(size int64) error {
	if err := f.fs.ask("truncate", f.path); err != nil {
		return err
	}
	return f.File.Truncate(size)
}

func (f faultFile) TryLock() (bool, error) {
	if err := f.fs.ask("trylock", f.path); err != nil {
		return false, err
	}
	return f.File.TryLock()
}

// oracle is a process that runs Swift's code; it is shared by all tests.
type oracle struct {
	mu  sync.Mutex
	in  io.WriteCloser
	out *bufio.Scanner
	cmd *exec.Cmd
}

var (
	swiftOnce sync.Once
	swift     *oracle
	swiftErr  error
)

func startOracle() (*oracle, error) {
	cmd := exec.Command("/usr/bin/python3", "testdata/swift_oracle.py")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("Swift is needed for this test: %w", err)
	}
	scanner := bufio.NewScanner(out)
	scanner.Buffer(nil, 16<<20)
	return &oracle{in: in, out: scanner, cmd: cmd}, nil
}

// ask sends one request to Swift and decodes its answer.
func ask(t testing.TB, request map[string]any, answer any) {
	t.Helper()
	swiftOnce.Do(func() { swift, swiftErr = startOracle() })
	if swiftErr != nil {
		t.Fatal(swiftErr)
	}
	swift.mu.Lock()
	defer swift.mu.Unlock()
	line, err := json.Marshal(request)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := swift.in.Write(append(line, '\n')); err != nil {
		t.Fatalf("ask Swift: %v", err)
	}
	if !swift.out.Scan() {
		t.Fatalf("Swift is gone (is python3-swift installed?): %v", swift.out.Err())
	}
	var failed struct{ Error string }
	if err := json.Unmarshal(swift.out.Bytes(), &failed); err != nil || failed.Error != "" {
		t.Fatalf("Swift on %s: %v %s", line, err, failed.Error)
	}
	if err := json.Unmarshal(swift.out.Bytes(), answer); err != nil {
		t.Fatal(err)
	}
}

func TestMain(m *testing.M) {
	code := m.Run()
	if swift != nil {
		swift.in.Close()
		swift.cmd.Wait()
	}
	os.Exit(code)
}
