package lab

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"understudy/internal/swift/hashes"
	"understudy/internal/swift/metadata"
)

// Every kind of damage is found and named. One damage each, to a cluster in
// which all is well.
func TestCheckFindsDamage(t *testing.T) {
	for name, test := range map[string]struct {
		do   func(t *testing.T, d damage)
		want map[Kind]int // exact, but for hash mismatches: at least
		what string       // of a problem
	}{
		"a file is gone": {
			do:   func(t *testing.T, d damage) { must(t, os.Remove(d.path)) },
			want: map[Kind]int{Short: 1, Mismatch: 1}, what: "there is no such file",
		},
		"a byte is another": {
			do:   func(t *testing.T, d damage) { flip(t, d.path) },
			want: map[Kind]int{Wrong: 1}, what: "its content is another",
		},
		"the end is missing": {
			do:   func(t *testing.T, d damage) { must(t, os.Truncate(d.path, d.file.Size-1)) },
			want: map[Kind]int{Wrong: 1}, what: "bytes instead of",
		},
		"a value of its metadata is another": {
			do: func(t *testing.T, d damage) {
				rewrite(t, d.path, func(m metadata.Metadata) metadata.Metadata { m[1].Value = "text/other"; return m })
			},
			want: map[Kind]int{Wrong: 1}, what: `its Content-Type is "text/other" instead of`,
		},
		"a value of its metadata is missing": {
			do: func(t *testing.T, d damage) {
				rewrite(t, d.path, func(m metadata.Metadata) metadata.Metadata { return m[1:] })
			},
			want: map[Kind]int{Wrong: 1}, what: "its metadata has no X-Timestamp",
		},
		"its metadata says more": {
			do: func(t *testing.T, d damage) {
				rewrite(t, d.path, func(m metadata.Metadata) metadata.Metadata {
					return append(m, metadata.Pair{Name: "X-Object-Meta-More", Value: "1"})
				})
			},
			want: map[Kind]int{Wrong: 1}, what: "X-Object-Meta-More, which nobody wrote",
		},
		"its metadata is gone": {
			do:   func(t *testing.T, d damage) { must(t, unix.Removexattr(d.path, metadata.Attribute)) },
			want: map[Kind]int{Wrong: 1}, what: "no metadata",
		},
		"its metadata has another checksum": {
			do: func(t *testing.T, d damage) {
				must(t, unix.Setxattr(d.path, metadata.ChecksumAttribute, []byte(strings.Repeat("0", 32)), 0))
			},
			want: map[Kind]int{Wrong: 1}, what: "checksum is",
		},
		"it is a link to itself elsewhere": {
			do: func(t *testing.T, d damage) {
				other := filepath.Join(t.TempDir(), "elsewhere")
				must(t, os.Rename(d.path, other))
				must(t, os.Symlink(other, d.path))
			},
			want: map[Kind]int{Wrong: 1}, what: "no regular file",
		},
		"junk beside it": {
			do:   func(t *testing.T, d damage) { plant(t, filepath.Join(filepath.Dir(d.path), "junk")) },
			want: map[Kind]int{Extra: 1}, what: "nothing is to be there",
		},
		"an older version beside it": {
			do:   func(t *testing.T, d damage) { plant(t, filepath.Join(filepath.Dir(d.path), "1500000000.00000.data")) },
			want: map[Kind]int{Extra: 1}, what: "nothing is to be there",
		},
		"a newer version in its place": {
			do: func(t *testing.T, d damage) {
				must(t, os.Rename(d.path, filepath.Join(filepath.Dir(d.path), "1999999999.00000.data")))
			},
			want: map[Kind]int{Short: 1, Extra: 1, Mismatch: 1}, what: "nothing is to be there",
		},
		"an object that nobody wrote": {
			do: func(t *testing.T, d damage) {
				plant(t, filepath.Join(d.disk, "objects/1/abc/00000000000000000000000000000abc/1700000000.00000.data"))
			},
			want: map[Kind]int{Extra: 1, Mismatch: 1}, what: "nothing is to be there",
		},
		"a temporary file": {
			do:   func(t *testing.T, d damage) { plant(t, filepath.Join(d.disk, "tmp/tmpabc")) },
			want: map[Kind]int{Extra: 1}, what: "nothing is to be there",
		},
		"something in quarantine": {
			do:   func(t *testing.T, d damage) { plant(t, filepath.Join(d.disk, "quarantined/objects/abc/x.data")) },
			want: map[Kind]int{Extra: 1}, what: "nothing is to be there",
		},
		"cached hashes lie": {
			do:   func(t *testing.T, d damage) { cacheLie(t, d) },
			want: map[Kind]int{Mismatch: 1}, what: "as its server tells it: \"ffff",
		},
		"its server is gone": {
			do:   func(t *testing.T, d damage) { must(t, d.cluster.Node(1).stop()) },
			want: map[Kind]int{Mismatch: 1}, what: "its server: ",
		},
		"the object is gone everywhere": {
			do: func(t *testing.T, d damage) {
				for _, p := range d.cluster.Primaries(d.object.Partition) {
					must(t, os.RemoveAll(filepath.Join(p.Path(), d.object.Dir())))
				}
			},
			want: map[Kind]int{Lost: 1, Short: 3, Mismatch: 3}, what: "no right copy",
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, Spec{Nodes: 1, Disks: 3, Replicas: 3, PartPower: 1})
			h := seed(t, c, 4)
			if v := check(t, c, h); !v.OK() {
				t.Fatalf("before the damage: %v", v.Problems)
			}
			d := target(t, c, h)
			test.do(t, d)
			v := check(t, c, h)
			if v.OK() {
				t.Fatal("not found")
			}
			for _, k := range kinds {
				if n := v.Counts[k]; n != test.want[k] && (k != Mismatch || n < test.want[k]) {
					t.Errorf("%d %s, want %d", n, k, test.want[k])
				}
			}
			found := false
			for _, p := range v.Problems {
				found = found || strings.Contains(p.String(), test.what)
			}
			if !found {
				t.Errorf("no problem %q in %v", test.what, v.Problems)
			}
			if spoiled := test.want[Short] + test.want[Wrong]; v.Good != v.Copies-spoiled {
				t.Errorf("%d of %d copies are good", v.Good, v.Copies)
			}
		})
	}
}

// damage is a file to be damaged: the data file of one copy.
type damage struct {
	cluster *Cluster
	object  *Object
	file    *File
	place   Place
	disk    string
	path    string
}

func target(t *testing.T, c *Cluster, h *History) damage {
	t.Helper()
	for i := range h.Objects {
		o := &h.Objects[i]
		if f := &o.Files[0]; len(o.Files) == 1 && f.Size > 1 {
			p := c.Primaries(o.Partition)[0]
			return damage{c, o, f, p, p.Path(), filepath.Join(p.Path(), o.Dir(), f.Name)}
		}
	}
	t.Fatal("no object to damage")
	return damage{}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func plant(t *testing.T, path string) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(path), 0o755))
	must(t, os.WriteFile(path, []byte("weed"), 0o644))
}

func flip(t *testing.T, path string) {
	t.Helper()
	content, err := os.ReadFile(path)
	must(t, err)
	content[len(content)/2] ^= 1
	f, err := os.OpenFile(path, os.O_WRONLY, 0) // xattrs stay
	must(t, err)
	_, err = f.Write(content)
	must(t, errors.Join(err, f.Close()))
}

func rewrite(t *testing.T, path string, change func(metadata.Metadata) metadata.Metadata) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	must(t, err)
	m, err := metadata.Read(f)
	must(t, err)
	must(t, errors.Join(metadata.Write(f, change(m)), f.Close()))
}

// cacheLie puts a wrong hash where the node's server takes it from.
func cacheLie(t *testing.T, d damage) {
	t.Helper()
	path := filepath.Join(d.disk, filepath.Dir(filepath.Dir(d.object.Dir())), "hashes.pkl")
	raw, err := os.ReadFile(path)
	must(t, err)
	f := hashes.Decode(raw)
	f.Suffixes[d.object.Suffix] = strings.Repeat("f", 32)
	must(t, os.WriteFile(path, f.Encode(), 0o600))
}

// A check that is cut off says so and gives no verdict.
func TestCheckInterrupted(t *testing.T) {
	c := newCluster(t, Spec{Nodes: 1, Disks: 1, Replicas: 1, PartPower: 1})
	h := seed(t, c, 4)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if v, err := c.Check(ctx, h); v != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("%v, %v", v, err)
	}
}

func TestVerdictWords(t *testing.T) {
	var v Verdict
	if !v.OK() || v.String() != "0 lost, 0 wrong, 0 missing, 0 extra, 0 hash mismatches" {
		t.Error(v.String())
	}
	v.add(Mismatch, "node 1 disk d1", "objects/3", "hash of %s", "abc")
	v.add(Lost, "/a/c/new\nline", "", "gone")
	v.sort()
	if v.OK() || v.String() != "1 lost, 0 wrong, 0 missing, 0 extra, 1 hash mismatch" {
		t.Error(v.String())
	}
	if got := v.Problems[0].String(); got != `lost: "/a/c/new\nline": gone` {
		t.Error(got)
	}
	if got := v.Problems[1].String(); got != "mismatch: node 1 disk d1 objects/3: hash of abc" {
		t.Error(got)
	}
}

// Two updates that ssync has carried in one file are as good as in two; all three
// files are too many, and the one in part is wrong.
func TestCheckKnowsWhatSsyncMakes(t *testing.T) {
	c := newCluster(t, Spec{Nodes: 1, Disks: 3, Replicas: 3, PartPower: 1, Options: map[string]string{"sync_method": "ssync"}})
	h := seed(t, c, 60)
	i := slices.IndexFunc(h.Objects, func(o Object) bool { return len(o.Carried) > 0 })
	if i < 0 {
		t.Fatal("no object with two updates")
	}
	o, p := &h.Objects[i], c.Primaries(h.Objects[i].Partition)[0]
	one := o.Carried[1]
	must(t, writeFile(p.Path(), o.Dir(), &one, nil))
	for _, f := range o.Files[1:] {
		must(t, os.Remove(filepath.Join(p.Path(), o.path(f))))
	}
	if v := check(t, c, h); !v.OK() {
		t.Errorf("one file: %s, %v", v, v.Problems)
	}
	for _, f := range o.Files[1:] {
		must(t, writeFile(p.Path(), o.Dir(), &f, nil))
	}
	if v := check(t, c, h); v.Counts[Extra] != 2 || v.Counts[Short] != 0 {
		t.Errorf("three files: %s", v)
	}
	for _, f := range o.Files[1:] {
		_ = os.Remove(filepath.Join(p.Path(), o.path(f))) // the server, which was asked, may have been quicker
	}
	rewrite(t, filepath.Join(p.Path(), o.path(one)), func(m metadata.Metadata) metadata.Metadata { return m[:len(m)-1] })
	if v := check(t, c, h); v.Counts[Wrong] != 1 || v.Good != v.Copies-1 {
		t.Errorf("one file in part: %s", v)
	}
}
