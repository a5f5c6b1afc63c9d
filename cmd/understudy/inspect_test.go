package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"understudy/internal/inspect"
)

func (l *looked) inspectObject(node int, args ...string) []inspect.HashDir {
	l.Helper()
	args = append([]string{"inspect", "object"}, args...)
	if l.look(node, args...) == "" {
		l.Fatal("nothing is printed")
	}
	var found []inspect.HashDir
	if err := json.Unmarshal([]byte(l.look(node, append(args, "--json")...)), &found); err != nil {
		l.Fatal(err)
	}
	return found
}

// fails runs a command that is to fail, without a panic and in harmless words.
func fails(t *testing.T, args ...string) string {
	t.Helper()
	var out, errs bytes.Buffer
	err := run(args, &out, &errs)
	if exitCode(err) != exitFailed {
		t.Errorf("%q: exit code %d, %v", args, exitCode(err), err)
	}
	if err == nil {
		return ""
	}
	return err.Error()
}

// By name, by directory and by file: the same object, whole.
func TestInspectObject(t *testing.T) {
	l := newLooked(t, nil)
	for _, o := range l.history.Objects[:12] {
		place := l.Primaries(o.Partition)[0]
		dir := filepath.Join(place.Path(), o.Dir())
		files := []string{}
		for _, f := range o.Files {
			files = append(files, f.Name)
		}
		slices.Sort(files)
		for _, arg := range []string{o.Name, dir, filepath.Join(dir, files[0])} {
			for _, h := range l.inspectObject(place.Node.Number, arg, "--verify") {
				var names []string
				for _, f := range h.Files {
					names = append(names, f.Name)
					if f.Part == inspect.PartForeign || f.Part == inspect.PartObsolete || f.Problem != "" {
						t.Errorf("%s: %+v", arg, f)
					}
					if f.Part == inspect.PartData && f.MD5 == "" {
						t.Errorf("%s is not verified", arg)
					}
				}
				if filepath.Base(h.Path) != o.Hash || !slices.Equal(names, files) || len(h.Problems) > 0 {
					t.Errorf("%s: %+v, want %q", arg, h, files)
				}
			}
		}
	}
}

// What an auditor would find is found, without a quarantine; garbage ends in words.
func TestInspectDamagedObject(t *testing.T) {
	l := newLooked(t, nil)
	var data string // of some object
	for _, o := range l.history.Objects {
		if len(o.Files) == 1 && strings.HasSuffix(o.Files[0].Name, ".data") && o.Files[0].Size > 0 {
			data = filepath.Join(l.Primaries(o.Partition)[0].Path(), o.Dir(), o.Files[0].Name)
			break
		}
	}
	conf := []string{"--config", l.Node(1).ConfPath(), "--swift-conf", filepath.Join(l.Dir, "etc", "swift.conf")}
	body, err := os.ReadFile(data)
	if err != nil {
		t.Fatal(err)
	}
	other := slices.Clone(body)
	other[0] ^= 1
	write := func(b []byte) {
		t.Helper()
		if err := os.WriteFile(data, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(other)
	l.inspectObject(1, data) // the body is not read
	fails(t, append([]string{"inspect", "object", data, "--verify"}, conf...)...)
	write(body[:len(body)-1])
	fails(t, append([]string{"inspect", "object", data}, conf...)...)
	write(body)

	moved := filepath.Join(t.TempDir(), "0123456789abcdef0123456789abcdef")
	copyTree(t, filepath.Dir(data), moved)
	fails(t, append([]string{"inspect", "object", moved}, conf...)...)
	if err := run([]string{"inspect", "object", moved}, &bytes.Buffer{}, &bytes.Buffer{}); err != nil {
		t.Errorf("without a configuration the place is not known: %v", err)
	}
	file := filepath.Join(moved, filepath.Base(data))
	for _, raw := range []string{"", "garbage\x1b[2J", "\x80\x02}q\x00(", "\x80\x02cos\nsystem\n(S'true'\ntR."} {
		if err := unix.Setxattr(file, "user.swift.metadata", []byte(raw), 0); err != nil {
			t.Fatal(err)
		}
		if err := unix.Removexattr(file, "user.swift.metadata_checksum"); err != nil && err != unix.ENODATA {
			t.Fatal(err)
		}
		fails(t, "inspect", "object", moved)
	}
	for _, name := range []string{"\x1b]0;owned\a.data", "not a time.data", ".x.data.AbCdEf"} {
		if err := os.WriteFile(filepath.Join(moved, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	if err := run([]string{"inspect", "object", moved}, &out, &bytes.Buffer{}); err == nil || strings.Count(out.String(), inspect.PartForeign) != 3 {
		t.Errorf("%v:\n%s", err, out.String())
	}
	fitsTerminal(t, out.String())
	fails(t, append([]string{"inspect", "object", "/no/such/object"}, conf...)...)
	fails(t, "inspect", "object", "nowhere")
}

func TestInspectHashes(t *testing.T) {
	l := newLooked(t, nil)
	o := l.history.Objects[0]
	dir := filepath.Join(l.Primaries(o.Partition)[0].Path(), "objects", strconv.Itoa(int(o.Partition)))
	show := func() (*inspect.Cache, string) {
		t.Helper()
		before := treeOf(t, dir)
		var out, text bytes.Buffer
		if err := run([]string{"inspect", "hashes", dir, "--json"}, &out, &out); err != nil {
			t.Fatal(err)
		}
		if err := run([]string{"inspect", "hashes", dir}, &text, &text); err != nil {
			t.Fatal(err)
		}
		if treeOf(t, dir) != before {
			t.Error("it has changed")
		}
		fitsTerminal(t, text.String())
		c := &inspect.Cache{}
		if err := json.Unmarshal(out.Bytes(), c); err != nil {
			t.Fatal(err)
		}
		return c, text.String()
	}
	c, text := show()
	if c.State != "valid" || len(c.Hashes[o.Suffix]) != 32 || len(c.Stale) > 0 || !strings.Contains(text, "=> up to date") {
		t.Errorf("%+v\n%s", c, text)
	}
	if err := os.WriteFile(filepath.Join(dir, "hashes.invalid"), []byte(o.Suffix+"\njunk\x1b[31m\n"+o.Suffix), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "fff"), 0o755); err != nil {
		t.Fatal(err)
	}
	c, text = show()
	if !slices.Equal(c.Invalid, []string{o.Suffix}) || c.InvalidLines < 2 || !slices.Equal(c.Unlisted, []string{"fff"}) || !slices.Contains(c.Stale, o.Suffix) {
		t.Errorf("%+v\n%s", c, text)
	}
	for state, change := range map[string]func() error{
		"not valid":  func() error { return os.WriteFile(filepath.Join(dir, "hashes.pkl"), []byte("garbage\x1b[2J"), 0o600) },
		"missing":    func() error { return os.Remove(filepath.Join(dir, "hashes.pkl")) },
		"unreadable": func() error { return os.Symlink("elsewhere", filepath.Join(dir, "hashes.pkl")) },
	} {
		os.Remove(filepath.Join(dir, "hashes.pkl"))
		if state == "missing" {
			change = func() error { return nil }
		}
		if err := change(); err != nil {
			t.Fatal(err)
		}
		if c, text = show(); c.State != state || !strings.Contains(text, "not trusted") {
			t.Errorf("%s: %+v\n%s", state, c, text)
		}
	}
	fails(t, "inspect", "hashes", dir+"/none")
	fails(t, "inspect", "hashes", filepath.Join(dir, "hashes.invalid"))
}

func TestInspectRing(t *testing.T) {
	l := newLooked(t, nil)
	path := filepath.Join(l.Dir, "etc", "object.ring.gz")
	for _, arg := range []string{"0", path} {
		text := l.look(2, "inspect", "ring", arg, "--partition", "3")
		r := &inspect.Ring{}
		if err := json.Unmarshal([]byte(l.look(2, "inspect", "ring", arg, "--partition", "3", "--json")), r); err != nil {
			t.Fatal(err)
		}
		parts, local := 0, 0
		for _, d := range r.Devices {
			parts += d.Partitions
			if d.Local {
				local++
			}
		}
		if r.Path != path || r.PartPower != 3 || parts != 8*3 || local != 2 || len(r.Primaries) != 3 || len(r.Handoffs) != 3 {
			t.Errorf("%+v", r)
		}
		for i, p := range l.Primaries(3) {
			if r.Primaries[i].Device != p.Disk || r.Primaries[i].IP != p.Node.IP {
				t.Errorf("primary %d is %+v, want %s", i, r.Primaries[i], p)
			}
		}
		if !strings.Contains(text, "part power 3 (8 partitions), 3 replicas") {
			t.Error(text)
		}
	}
	if r := l.look(2, "inspect", "ring", path); strings.Contains(r, "primary") {
		t.Error(r)
	}
	conf := []string{"--config", l.Node(1).ConfPath(), "--swift-conf", filepath.Join(l.Dir, "etc", "swift.conf")}
	fails(t, append([]string{"inspect", "ring", "0", "--partition", "8"}, conf...)...)
	fails(t, append([]string{"inspect", "ring", "7"}, conf...)...)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	bad := filepath.Join(t.TempDir(), "bad.ring.gz")
	for n := 0; n < len(whole); n += 1 + len(whole)/40 {
		if err := os.WriteFile(bad, whole[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		if why := fails(t, "inspect", "ring", bad); !strings.Contains(why, bad) {
			t.Errorf("%d bytes: %s", n, why)
		}
	}
	if err := run([]string{"inspect", "ring", "0", "--partition", "-2"}, &bytes.Buffer{}, &bytes.Buffer{}); exitCode(err) != exitUsage {
		t.Error(err)
	}
}
