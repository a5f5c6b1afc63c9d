package metadata

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// bigDir is on a file system that takes attributes of 64 KiB and many of them,
// as XFS does. ext4, where the other tests may run, stops at 4 KiB.
func bigDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "metadata-test-*")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func newFile(t *testing.T, dir string) *os.File {
	t.Helper()
	f, err := os.CreateTemp(dir, "object-*")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

// python runs a script with Debian's Python and the installed Swift.
func python(t *testing.T, script string, args ...string) []byte {
	t.Helper()
	cmd := exec.Command("/usr/bin/python3", append([]string{"-c", script}, args...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("run Swift: %v\n%s", err, stderr.Bytes())
	}
	return out
}

// cases are metadata as Swift's Python code holds them: text with one character
// for each byte of a header, and real text in "name".
func cases() map[string][][2]string {
	usual := [][2]string{
		{"X-Timestamp", "1700000000.00000"},
		{"Content-Type", "text/plain"},
		{"Content-Length", "3"},
		{"ETag", "acbd18db4cc2f85cedef654fccc4a4d8"},
		{"name", "/a/c/o"},
	}
	awkward := append([][2]string{}, usual...)
	awkward = append(awkward,
		[2]string{"X-Object-Meta-Utf8", "caf\u00c3\u00a9 \u00e2\u0098\u0083"},
		[2]string{"X-Object-Meta-Latin", "\u0080\u00ff\u00e9"},
		[2]string{"X-Object-Meta-Caf\u00c3\u00a9", "key"},
		[2]string{"X-Object-Meta-Empty", ""},
		[2]string{"X-Object-Meta-Empty2", ""},
		[2]string{"X-Object-Meta-One", "1"},
		[2]string{"X-Object-Meta-Uno", "1"},
		[2]string{"X-Object-Meta-Two", "2"},
		[2]string{"a", "a"},
		[2]string{"X-Object-Meta-E", "\u00e9"},
		[2]string{"X-Object-Meta-E2", "\u00e9"},
		[2]string{"X-Object-Sysmeta-Ctl", "\x01\n\u007f"},
	)
	big := append([][2]string{{"name", "/a/c/\u2603/\U0001f600"}}, awkward[:4]...)
	for i := range 100 {
		big = append(big, [2]string{fmt.Sprintf("X-Object-Meta-%03d", i), strings.Repeat("v\u00e9", 800+i)})
	}
	many := append([][2]string{}, usual...)
	for i := range 2000 {
		many = append(many, [2]string{fmt.Sprintf("X-Object-Meta-%04d", i), fmt.Sprint(i)})
	}
	return map[string][][2]string{
		"usual": usual, "awkward": awkward, "big": big, "many": many,
		"one": usual[:1], "none": {}, "a thousand": many[:1000],
	}
}

func toMetadata(pairs [][2]string) Metadata {
	m := Metadata{}
	for _, p := range pairs {
		value := p[1]
		if p[0] != nameKey {
			value = narrow(value)
		}
		m = append(m, Pair{narrow(p[0]), value})
	}
	return m
}

// What we write is what Swift reads, and what Swift writes is, byte for byte,
// what we write.
func TestSwiftReadsAndWritesMetadata(t *testing.T) {
	dir := bigDir(t)
	type job struct {
		Ours, Theirs string
		Pairs        [][2]string
		Read         [][2]string // by Swift
	}
	var jobs []job
	for _, pairs := range cases() {
		ours := newFile(t, dir)
		if err := Write(ours, toMetadata(pairs)); err != nil {
			t.Fatal(err)
		}
		jobs = append(jobs, job{Ours: ours.Name(), Theirs: newFile(t, dir).Name(), Pairs: pairs})
	}
	in, err := json.Marshal(jobs)
	if err != nil {
		t.Fatal(err)
	}
	arg := filepath.Join(dir, "jobs.json")
	if err := os.WriteFile(arg, in, 0o600); err != nil {
		t.Fatal(err)
	}
	out := python(t, `
import json, sys
from swift.obj import diskfile
jobs = json.load(open(sys.argv[1]))
for job in jobs:
    job['Read'] = list(diskfile.read_metadata(job['Ours']).items())
    diskfile.write_metadata(job['Theirs'], dict(job['Pairs']))
print(json.dumps(jobs))
`, arg)
	if err := json.Unmarshal(out, &jobs); err != nil {
		t.Fatal(err)
	}
	for _, j := range jobs {
		want := toMetadata(j.Pairs)
		if !reflect.DeepEqual(j.Read, j.Pairs) {
			t.Errorf("Swift read %.300q, wrote %.300q", j.Read, j.Pairs)
		}
		if a, b := attributesOf(t, j.Ours), attributesOf(t, j.Theirs); !reflect.DeepEqual(a, b) {
			t.Errorf("%d pairs: attributes differ from Swift's: %d and %d", len(want), len(a), len(b))
		}
		theirs, err := os.Open(j.Theirs)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Read(theirs)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("read %.300q of Swift's, %v; want %.300q", got, err, want)
		}
		if err := theirs.Close(); err != nil {
			t.Fatal(err)
		}
		if got, err := ReadPath(j.Theirs); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("ReadPath: %.300q, %v", got, err)
		}
	}
}

// attributesOf are all attributes of a file.
func attributesOf(t *testing.T, path string) map[string]string {
	t.Helper()
	list := make([]byte, 4096)
	n, err := unix.Llistxattr(path, list)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for name := range strings.SplitSeq(strings.TrimSuffix(string(list[:n]), "\x00"), "\x00") {
		value := make([]byte, ChunkSize)
		n, err := unix.Lgetxattr(path, name, value)
		if err != nil {
			t.Fatal(err)
		}
		all[name] = string(value[:n])
	}
	return all
}

func TestChunks(t *testing.T) {
	f := newFile(t, bigDir(t))
	raw := bytes.Repeat([]byte("0123456789abcdef"), 3*ChunkSize/16)
	for _, n := range []int{3 * ChunkSize, ChunkSize + 1, ChunkSize, 1} {
		if err := WriteRaw(f, raw[:n]); err != nil {
			t.Fatal(err)
		}
		got, err := ReadRaw(f)
		if err != nil || !bytes.Equal(got, raw[:n]) {
			t.Errorf("%d bytes: read %d, %v", n, len(got), err)
		}
	}
	// Old Swift wrote small chunks.
	f = newFile(t, t.TempDir())
	for i := range 4 {
		set(t, f, chunkName(i), string(raw[i*254:i*254+254]))
	}
	if got, err := ReadRaw(f); err != nil || !bytes.Equal(got, raw[:4*254]) {
		t.Errorf("chunks of 254: read %d bytes, %v", len(got), err)
	}
}

func set(t *testing.T, f *os.File, name, value string) {
	t.Helper()
	if err := unix.Fsetxattr(int(f.Fd()), name, []byte(value), 0); err != nil {
		t.Fatal(err)
	}
}

func TestErrors(t *testing.T) {
	f := newFile(t, t.TempDir())
	expect := func(what string, err, want error) {
		t.Helper()
		if !errors.Is(err, want) || !strings.Contains(fmt.Sprint(err), f.Name()) {
			t.Errorf("%s: %v, want %q with the file's name", what, err, want)
		}
	}
	_, err := Read(f)
	expect("no attributes", err, ErrMissing)
	if err := Write(f, Metadata{{"name", "/a/c/o"}}); err != nil {
		t.Fatal(err)
	}
	set(t, f, ChecksumAttribute, strings.Repeat("0", 32))
	_, err = Read(f)
	expect("wrong checksum", err, ErrCorrupt)
	if err := unix.Fremovexattr(int(f.Fd()), ChecksumAttribute); err != nil {
		t.Fatal(err)
	}
	if m, err := Read(f); err != nil || len(m) != 1 {
		t.Errorf("without checksum: %v, %v", m, err)
	}
	set(t, f, Attribute, "junk")
	_, err = Read(f)
	expect("junk", err, ErrCorrupt)
	expect("too big", WriteRaw(f, make([]byte, MaxSize+1)), ErrTooBig)
	_, err = ReadPath(f.Name() + ".gone")
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
	link := f.Name() + ".link"
	if err := os.Symlink(f.Name(), link); err != nil {
		t.Fatal(err)
	}
	if m, err := ReadPath(link); err == nil {
		t.Errorf("followed a symbolic link: %v", m)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if m, err := Read(f); err == nil {
		t.Errorf("read a closed file: %v", m)
	}
}

// What the system says is told apart, and only what the attributes hold counts
// as corruption.
func TestSystemErrors(t *testing.T) {
	for errno, want := range map[unix.Errno]error{
		unix.ENOTSUP: ErrNotSupported, unix.ENOSPC: ErrNoSpace, unix.EDQUOT: ErrNoSpace,
		unix.E2BIG: ErrTooBig, unix.ENODATA: ErrMissing, unix.EIO: unix.EIO, unix.ENOENT: os.ErrNotExist,
	} {
		get := func(string, []byte) (int, error) { return 0, errno }
		if _, err := readChunks(attributes{get: get}); !errors.Is(err, want) || errors.Is(err, ErrCorrupt) {
			t.Errorf("read, %v: %v, want %v", errno, err, want)
		}
		set := func(string, []byte) error { return errno }
		if err := writeChunks(attributes{set: set}, []byte("x")); !errors.Is(err, want) {
			t.Errorf("write, %v: %v, want %v", errno, err, want)
		}
	}
	// An ill disk after the first chunk is no corruption either.
	get := func(name string, _ []byte) (int, error) {
		switch name {
		case Attribute:
			return 10, nil
		case Attribute + "1":
			return 0, unix.EIO
		}
		return 0, unix.ENODATA
	}
	if _, err := readChunks(attributes{get: get}); !errors.Is(err, unix.EIO) || errors.Is(err, ErrCorrupt) {
		t.Errorf("second chunk: %v", err)
	}
	// Endless chunks end.
	endless := func(_ string, buf []byte) (int, error) { return 1, nil }
	if _, err := readChunks(attributes{get: endless}); !errors.Is(err, ErrTooBig) {
		t.Errorf("endless: %v", err)
	}
}
