package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"understudy/internal/inspect"
	"understudy/internal/lab"
)

// The commands that look at a node change nothing on it, and what they foretell is
// what the engine then does. Real servers, disks and engines; see package lab.

// looked is a small cluster whose nodes are looked at.
type looked struct {
	*testing.T
	*lab.Cluster
	history *lab.History
}

func newLooked(t *testing.T, options map[string]string) *looked {
	t.Helper()
	all := map[string]string{"sync_method": "ssync"}
	for k, v := range options {
		all[k] = v
	}
	c, err := lab.New(t.Context(), lab.Spec{Dir: t.TempDir(), Nodes: 3, Disks: 2, Replicas: 3, PartPower: 3, Seed: 5, Options: all})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	h, err := c.Seed(t.Context(), lab.Draw{Objects: 40, Seed: 5, Base: time.Now().Add(-3 * time.Hour), Ssync: true})
	if err != nil {
		t.Fatal(err)
	}
	l := &looked{t, c, h}
	l.round() // every partition has its hashes cached
	return l
}

func (l *looked) round() {
	l.Helper()
	r, err := l.Round(l.Context())
	if err != nil {
		l.Fatal(err)
	}
	if r.Stats.Failure > 0 {
		l.Logf("%d failures in the round", r.Stats.Failure)
	}
}

// look runs a command about a node and tells what it has printed. Nothing on the
// disks of that node may have changed.
func (l *looked) look(node int, args ...string) string {
	l.Helper()
	n := l.Node(node)
	before := treeOf(l.T, n.DevicesRoot())
	args = append(args, "--config", n.ConfPath(), "--swift-conf", filepath.Join(l.Dir, "etc", "swift.conf"))
	var out, errs bytes.Buffer
	if err := run(args, &out, &errs); err != nil || errs.Len() > 0 {
		l.Fatalf("%q: %v\n%s", args, err, errs.String())
	}
	if after := treeOf(l.T, n.DevicesRoot()); after != before {
		l.Errorf("%q changed the disks:\n%s\nto\n%s", args, before, after)
	}
	if !slices.Contains(args, "--json") {
		fitsTerminal(l.T, out.String())
	}
	return out.String()
}

func (l *looked) explain(node int, part uint32, more ...string) *inspect.Explanation {
	l.Helper()
	text := l.look(node, append([]string{"explain", strconv.Itoa(int(part))}, more...)...)
	if text == "" {
		l.Fatal("nothing is printed")
	}
	x := &inspect.Explanation{}
	if err := json.Unmarshal([]byte(l.look(node, append([]string{"explain", strconv.Itoa(int(part)), "--json"}, more...)...)), x); err != nil {
		l.Fatal(err)
	}
	return x
}

// treeOf is everything about a folder that must not change: names, kinds, modes,
// bytes, times of the last change, extended attributes.
func treeOf(t *testing.T, root string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		i, err := d.Info()
		if err != nil {
			return err
		}
		fmt.Fprintf(&b, "%s %s %d %d", path, i.Mode(), i.Size(), i.ModTime().UnixNano())
		names := make([]byte, 4096)
		if n, err := unix.Llistxattr(path, names); err == nil {
			for _, name := range strings.Split(strings.TrimRight(string(names[:n]), "\x00"), "\x00") {
				value := make([]byte, 65536)
				n, _ := unix.Lgetxattr(path, name, value)
				fmt.Fprintf(&b, " %s=%x", name, sha256.Sum256(value[:max(n, 0)]))
			}
		}
		if i.Mode().IsRegular() {
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			fmt.Fprintf(&b, " %x", sha256.Sum256(data))
		}
		b.WriteByte('\n')
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func fitsTerminal(t *testing.T, text string) {
	t.Helper()
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if n := utf8.RuneCountInString(line); n > 80 {
			t.Errorf("%d columns: %s", n, line)
		}
		if strings.ContainsFunc(line, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			t.Errorf("control characters: %q", line)
		}
	}
}

// holding is what is told of the device that a place is.
func holding(t *testing.T, x *inspect.Explanation, device string) *inspect.Holding {
	t.Helper()
	for i := range x.Devices {
		if x.Devices[i].Device == device {
			return &x.Devices[i]
		}
	}
	t.Fatalf("%s is not told of: %+v", device, x.Devices)
	return nil
}

func says(t *testing.T, h *inspect.Holding, want string) {
	t.Helper()
	if !strings.Contains(strings.Join(h.Verdict, "\n"), want) {
		t.Errorf("%s: %q does not say %q", h.Device, h.Verdict, want)
	}
}

// A primary that has lost a suffix: the others say that they would push it, the
// engines do, and then all is in sync.
func TestExplainPrimary(t *testing.T) {
	l := newLooked(t, nil)
	object := l.history.Objects[0]
	places := l.Primaries(object.Partition)
	from, to := places[0], places[1]
	x := l.explain(from.Node.Number, object.Partition)
	says(t, holding(t, x, from.Disk), "nothing: all in sync")

	partition := filepath.Join(to.Path(), "objects", strconv.Itoa(int(object.Partition)))
	if err := os.RemoveAll(filepath.Join(partition, object.Suffix)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(partition, "hashes.invalid"), []byte(object.Suffix+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	x = l.explain(from.Node.Number, object.Partition, "--offline")
	says(t, holding(t, x, from.Disk), "nobody was asked")

	// The one that has lost it: its cache says that it has changed.
	x = l.explain(to.Node.Number, object.Partition)
	h := holding(t, x, to.Disk)
	if !slices.Equal(h.Cache.Stale, []string{object.Suffix}) || h.Hashes[object.Suffix] != "" {
		t.Errorf("cache %+v, hashes %v", h.Cache, h.Hashes)
	}

	// The question makes the peer's own server look.
	x = l.explain(from.Node.Number, object.Partition)
	says(t, holding(t, x, from.Disk), "would push suffix "+object.Suffix+" to "+fmt.Sprintf("%s:%d/%s, which lacks it", to.Node.IP, to.Node.Port, to.Disk))

	l.round()
	x = l.explain(from.Node.Number, object.Partition)
	says(t, holding(t, x, from.Disk), "nothing: all in sync")

	name := l.look(from.Node.Number, "explain", "--object", object.Name)
	if !strings.Contains(name, "partition "+strconv.Itoa(int(object.Partition))+" of") || !strings.Contains(name, "hash "+object.Hash) {
		t.Errorf("by name:\n%s", name)
	}
}

// A copy on a device that is no primary is told as what it is, and brought away.
func TestExplainHandoff(t *testing.T) {
	l := newLooked(t, nil)
	object := l.history.Objects[0]
	part := strconv.Itoa(int(object.Partition))
	places := l.Primaries(object.Partition)
	handoff := l.stranger(object.Partition)
	copyTree(t, filepath.Join(places[0].Path(), "objects", part), filepath.Join(handoff.Path(), "objects", part))

	x := l.explain(handoff.Node.Number, object.Partition)
	h := holding(t, x, handoff.Disk)
	if h.Role != "handoff" || h.Objects == 0 || h.Files < h.Objects {
		t.Errorf("%+v", h)
	}
	says(t, h, "then would remove each file that all 3 primaries have proven to hold")
	l.round()
	if x = l.explain(handoff.Node.Number, object.Partition); slices.ContainsFunc(x.Devices, func(h inspect.Holding) bool { return h.Role == "handoff" }) {
		t.Errorf("still there: %+v", x.Devices)
	}
}

// stranger is a disk that is no primary of a partition.
func (l *looked) stranger(part uint32) lab.Place {
	l.Helper()
	primaries := l.Primaries(part)
	for _, n := range l.Nodes {
		for _, disk := range n.Disks {
			if p := (lab.Place{Node: n, Disk: disk}); !slices.Contains(primaries, p) {
				return p
			}
		}
	}
	l.Fatal("all disks are primaries")
	return lab.Place{}
}

// copyTree copies a partition with the xattrs of its files.
func copyTree(t *testing.T, from, to string) {
	t.Helper()
	err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		target := filepath.Join(to, strings.TrimPrefix(path, from))
		if d.IsDir() {
			return os.MkdirAll(target, 0o755)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if err := os.WriteFile(target, data, 0o644); err != nil {
			return err
		}
		names := make([]byte, 4096)
		n, _ := unix.Listxattr(path, names)
		for _, name := range strings.FieldsFunc(string(names[:max(n, 0)]), func(r rune) bool { return r == 0 }) {
			value := make([]byte, 65536)
			n, err := unix.Getxattr(path, name, value)
			if err == nil && strings.HasPrefix(name, "user.") {
				err = unix.Setxattr(target, name, value[:n], 0)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A peer that does not answer, a disk that is not there, a cache that is garbage and a
// partition outside the ring are told, and end nothing.
func TestExplainTrouble(t *testing.T) {
	l := newLooked(t, nil)
	object := l.history.Objects[0]
	part := strconv.Itoa(int(object.Partition))
	from := l.Primaries(object.Partition)[0]
	partition := filepath.Join(from.Path(), "objects", part)
	for name, pickle := range map[string]string{"garbage": "no pickle \x1b[31m", "bomb": "\x80\x02}(\x8b\xff\xff\xff\x7f", "empty": ""} {
		if err := os.WriteFile(filepath.Join(partition, "hashes.pkl"), []byte(pickle), 0o600); err != nil {
			t.Fatal(err)
		}
		h := holding(t, l.explain(from.Node.Number, object.Partition), from.Disk)
		if h.Cache.State != "not valid" || len(h.Hashes) == 0 {
			t.Errorf("%s: %+v", name, h.Cache)
		}
		says(t, h, "nothing: all in sync")
	}
	escape := filepath.Join(partition, object.Suffix, "\x1b]0;owned\a")
	if err := os.WriteFile(escape, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	says(t, holding(t, l.explain(from.Node.Number, object.Partition), from.Disk), "cannot be hashed as it is")
	if err := os.Remove(escape); err != nil {
		t.Fatal(err)
	}

	if x := l.explain(from.Node.Number, 4000); !strings.Contains(x.LeftAlone, "outside the ring") || len(x.Primaries) > 0 {
		t.Errorf("%+v", x)
	}
	if err := os.Rename(from.Path(), from.Path()+"-away"); err != nil {
		t.Fatal(err)
	}
	h := holding(t, l.explain(from.Node.Number, object.Partition), from.Disk)
	says(t, h, "left alone: "+from.Path()+" is not a directory")
	if err := os.Rename(from.Path()+"-away", from.Path()); err != nil {
		t.Fatal(err)
	}

	if err := l.Cluster.Close(); err != nil {
		t.Fatal(err)
	}
	h = holding(t, l.explain(from.Node.Number, object.Partition), from.Disk)
	says(t, h, "cannot be asked: counted as failed")
}

func TestExplainRefuses(t *testing.T) {
	for name, args := range map[string][]string{
		"no partition": {"explain"}, "two ways": {"explain", "3", "--object", "/a/c/o"}, "no number": {"explain", "x"}, "too large": {"explain", "4294967296"},
		"negative": {"explain", "--", "-1"}, "no object": {"explain", "--object", "/a/c"},
	} {
		if err := run(args, &bytes.Buffer{}, &bytes.Buffer{}); exitCode(err) != exitUsage {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := run([]string{"explain", "3", "--config", t.TempDir() + "/none"}, &bytes.Buffer{}, &bytes.Buffer{}); exitCode(err) != exitFailed {
		t.Error(err)
	}
}
