package main

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"understudy/internal/swift/hashes"
)

func (l *looked) verdict(node int, part uint32, device string) string {
	x := l.explain(node, part)
	for i := range x.Devices {
		if x.Devices[i].Device == device {
			return strings.Join(x.Devices[i].Verdict, " | ")
		}
	}
	return "(device not told)"
}

func exists(p string) bool { _, err := os.Lstat(p); return err == nil }

// What explain says of a suffix that only one primary has is what the next pass does:
// one that hashes.invalid names is pushed, one that a valid hashes.pkl does not know is
// found in one pass of ten.
func TestExplainUnlistedSuffix(t *testing.T) {
	for _, control := range []bool{false, true} {
		l := newLooked(t, nil)
		object := l.history.Objects[0]
		part := strconv.Itoa(int(object.Partition))
		places := l.Primaries(object.Partition)
		from := places[0]
		for _, p := range places[1:] {
			dir := filepath.Join(p.Path(), "objects", part)
			if err := os.RemoveAll(filepath.Join(dir, object.Suffix)); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, "hashes.invalid"), []byte(object.Suffix+"\n"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		dir := filepath.Join(from.Path(), "objects", part)
		data, err := os.ReadFile(filepath.Join(dir, "hashes.pkl"))
		if err != nil {
			t.Fatal(err)
		}
		f := hashes.Decode(data)
		delete(f.Suffixes, object.Suffix)
		if err := os.WriteFile(filepath.Join(dir, "hashes.pkl"), f.Encode(), 0o600); err != nil {
			t.Fatal(err)
		}
		if control {
			if err := os.WriteFile(filepath.Join(dir, "hashes.invalid"), []byte(object.Suffix+"\n"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		said := l.verdict(from.Node.Number, object.Partition, from.Disk)
		if control != strings.Contains(said, "would push suffix "+object.Suffix) || control == strings.Contains(said, "one pass of ten") {
			t.Errorf("marked %v: said %q", control, said)
		}
		l.round()
		if there := exists(filepath.Join(places[1].Path(), "objects", part, object.Suffix)); control && !there {
			t.Error("what would be pushed was not")
		}
	}
}

// A handoff is kept until it has settled.
func TestExplainSettlingHandoff(t *testing.T) {
	l := newLooked(t, map[string]string{"handoff_settle": "3600"})
	object := l.history.Objects[0]
	part := strconv.Itoa(int(object.Partition))
	handoff := l.stranger(object.Partition)
	to := filepath.Join(handoff.Path(), "objects", part)
	copyTree(t, filepath.Join(l.Primaries(object.Partition)[0].Path(), "objects", part), to)
	said := l.verdict(handoff.Node.Number, object.Partition, handoff.Disk)
	l.round()
	if !strings.Contains(said, "would keep it until 1h0m0s have passed") || !exists(to) {
		t.Errorf("said %q; still there: %v", said, exists(to))
	}
}

// A handoff without an object stays when something foreign is in it.
func TestExplainHandoffWithForeignFile(t *testing.T) {
	l := newLooked(t, nil)
	object := l.history.Objects[0]
	part := strconv.Itoa(int(object.Partition))
	handoff := l.stranger(object.Partition)
	to := filepath.Join(handoff.Path(), "objects", part)
	if err := os.MkdirAll(filepath.Join(to, "abc", strings.Repeat("0", 29)+"abc"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(to, "abc", strings.Repeat("0", 29)+"abc", "note.txt"), []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	said := l.verdict(handoff.Node.Number, object.Partition, handoff.Disk)
	l.round()
	if !strings.Contains(said, "unless something else is in it") || !exists(to) {
		t.Errorf("said %q; still there: %v", said, exists(to))
	}
}

// A handoff that another process works on is left for the next pass.
func TestExplainLockedHandoff(t *testing.T) {
	l := newLooked(t, nil)
	object := l.history.Objects[0]
	part := strconv.Itoa(int(object.Partition))
	handoff := l.stranger(object.Partition)
	to := filepath.Join(handoff.Path(), "objects", part)
	copyTree(t, filepath.Join(l.Primaries(object.Partition)[0].Path(), "objects", part), to)
	cmd := exec.Command("flock", filepath.Join(to, ".lock-replication"), "sh", "-c", "echo held; read x")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(out, make([]byte, 5)); err != nil { // "held"
		t.Fatal(err)
	}
	said := l.verdict(handoff.Node.Number, object.Partition, handoff.Disk)
	l.round()
	if !strings.Contains(said, "a job would leave it for the next pass") || !exists(to) {
		t.Errorf("said %q; still there: %v", said, exists(to))
	}
	_ = in.Close()
	_ = cmd.Wait() // its status is that of read
}

// A terminal is told nothing by a file name: the 8-bit CSI, a direction mark, DEL.
func TestControlsAreHarmless(t *testing.T) {
	l := newLooked(t, nil)
	object := l.history.Objects[0]
	from := l.Primaries(object.Partition)[0]
	dir := filepath.Join(from.Path(), "objects", strconv.Itoa(int(object.Partition)), object.Suffix, object.Hash)
	if err := os.WriteFile(filepath.Join(dir, "\u009b31m\u202etxt\x7f"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, more := range [][]string{nil, {"--json"}} {
		got := l.look(from.Node.Number, append([]string{"inspect", "object", dir}, more...)...)
		if strings.ContainsAny(got, "\u009b\u202e\x7f") || !strings.Contains(got, "txt") {
			t.Errorf("%v: %q", more, got)
		}
	}
}
