package lab

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"understudy/internal/swift/hashes"
	"understudy/internal/swift/metadata"
)

// settled plants a world and does by hand what replicators would: every primary
// gets the files that count, no other device keeps any.
func settled(t *testing.T, seed uint64) (*World, string) {
	t.Helper()
	w := NewWorld(WorldSpec{Seed: seed, Now: time.Now(), Small: true})
	root := t.TempDir()
	must(t, w.Plant(root))
	settle(t, w, root)
	return w, root
}

func settle(t *testing.T, w *World, root string) {
	t.Helper()
	for _, o := range w.Objects {
		var all []string
		for s, files := range o.Copies {
			all = append(all, files...)
			for _, f := range files {
				must(t, os.Remove(filepath.Join(s.Path(root), o.Dir(), f)))
			}
			if o.Handoff(s) {
				must(t, os.RemoveAll(filepath.Join(s.Path(root), o.Dir())))
			}
		}
		gone := superseded(all)
		for _, s := range o.Policy.Primaries(o.Partition) {
			for _, f := range all {
				if !slices.Contains(gone, f) {
					must(t, plantFile(filepath.Join(s.Path(root), o.Dir()), o.file(f), o.file(f).body.append(nil)))
				}
			}
			dir := filepath.Join(s.Path(root), filepath.Dir(filepath.Dir(o.Dir())))
			for _, cache := range []string{"hashes.pkl", "hashes.invalid"} {
				must(t, os.RemoveAll(filepath.Join(dir, cache)))
			}
		}
	}
}

// patient is an object to be damaged, and one primary's directory of it.
type patient struct {
	world *World
	root  string
	o     *WorldObject
	on    Spot
	dir   string
}

func (p patient) data() string { return filepath.Join(p.dir, p.o.Want.Data+".data") }

// find returns an object for which want says yes.
func find(t *testing.T, w *World, root string, want func(*WorldObject) bool) patient {
	t.Helper()
	for _, o := range w.Objects {
		if !o.Loose && want(o) {
			s := o.Policy.Primaries(o.Partition)[0]
			return patient{w, root, o, s, filepath.Join(s.Path(root), o.Dir())}
		}
	}
	t.Fatal("the world has no such object")
	return patient{}
}

func plain(o *WorldObject) bool {
	return o.Want.Data != "" && o.Want.Meta == "" && o.Files[o.Want.Data+".data"].Size > 1
}

// Every kind of damage is found, by its kind and the right words, in a world in
// which all else is well.
func TestJudgeFindsDamage(t *testing.T) {
	everywhere := func(p patient, f func(dir string)) {
		for _, s := range p.o.Policy.Primaries(p.o.Partition) {
			f(filepath.Join(s.Path(p.root), p.o.Dir()))
		}
	}
	deleted := func(o *WorldObject) bool { return o.Want.Tombstone != "" }
	updated := func(o *WorldObject) bool { return o.Want.Meta != "" && o.Want.Ctype == "" }
	for name, test := range map[string]struct {
		find func(*WorldObject) bool
		do   func(t *testing.T, p patient)
		want map[Kind]int // at least
		what string
	}{
		"gone everywhere": {plain, func(t *testing.T, p patient) {
			everywhere(p, func(dir string) { must(t, os.Remove(filepath.Join(dir, p.o.Want.Data+".data"))) })
		}, map[Kind]int{Lost: 1, Short: 1}, "no device has a whole copy of the upload"},
		"cut off everywhere": {plain, func(t *testing.T, p patient) {
			everywhere(p, func(dir string) { must(t, os.Truncate(filepath.Join(dir, p.o.Want.Data+".data"), 0)) })
		}, map[Kind]int{Lost: 1, Wrong: 1, Short: 1}, "bytes instead of"},
		"an older version has won": {plain, func(t *testing.T, p patient) {
			everywhere(p, func(dir string) {
				must(t, os.Rename(filepath.Join(dir, p.o.Want.Data+".data"), filepath.Join(dir, "1600000000.00000.data")))
			})
		}, map[Kind]int{Lost: 1, Wrong: 1, Short: 1}, "nobody wrote such a file"},
		"update gone everywhere": {updated, func(t *testing.T, p patient) {
			everywhere(p, func(dir string) { must(t, os.Remove(filepath.Join(dir, p.o.Want.Meta+".meta"))) })
		}, map[Kind]int{Lost: 1, Short: 1}, "no device has a whole copy of the update"},
		"tombstone gone everywhere": {deleted, func(t *testing.T, p patient) {
			everywhere(p, func(dir string) { must(t, os.Remove(filepath.Join(dir, p.o.Want.Tombstone+".ts"))) })
		}, map[Kind]int{Lost: 1, Short: 1}, "of the deletion of"},
		"a byte is another": {
			plain, func(t *testing.T, p patient) { flip(t, p.data()) },
			map[Kind]int{Wrong: 1, Short: 1},
			"its content is another",
		},
		"a header is another": {plain, func(t *testing.T, p patient) {
			rewrite(t, p.data(), func(m metadata.Metadata) metadata.Metadata { m[1].Value = "text/other"; return m })
		}, map[Kind]int{Wrong: 1, Short: 1}, `its Content-Type is "text/other"`},
		"a file that nobody wrote": {plain, func(t *testing.T, p patient) {
			plant(t, filepath.Join(p.dir, "1999999999.00000.ts"))
		}, map[Kind]int{Wrong: 1}, "nobody wrote such a file"},
		"a file for an object": {
			plain, func(t *testing.T, p patient) { plant(t, filepath.Join(filepath.Dir(p.dir), "weed")) },
			map[Kind]int{Wrong: 1},
			"in the place of an object",
		},
		"deleted but there": {func(o *WorldObject) bool {
			return deleted(o) && slices.ContainsFunc(slices.Collect(maps.Keys(o.Files)), func(f string) bool { return strings.HasSuffix(f, ".data") })
		}, func(t *testing.T, p patient) {
			must(t, os.Remove(filepath.Join(p.dir, p.o.Want.Tombstone+".ts")))
			for name, f := range p.o.Files {
				if strings.HasSuffix(name, ".data") {
					must(t, plantFile(p.dir, f, f.body.append(nil)))
				}
			}
		}, map[Kind]int{Resurrected: 1}, "it was deleted at"},
		"a primary lacks it": {
			plain, func(t *testing.T, p patient) { must(t, os.Remove(p.data())) },
			map[Kind]int{Short: 1},
			"nothing is here",
		},
		"a primary lacks the update": {
			updated, func(t *testing.T, p patient) { must(t, os.Remove(filepath.Join(p.dir, p.o.Want.Meta+".meta"))) },
			map[Kind]int{Short: 1},
			"want {Data:",
		},
		"on a handoff": {func(o *WorldObject) bool {
			return plain(o) && slices.ContainsFunc(o.Policy.spots, func(s Spot) bool { return s != Spot{} && o.Handoff(s) })
		}, func(t *testing.T, p patient) {
			i := slices.IndexFunc(p.o.Policy.spots, func(s Spot) bool { return s != Spot{} && p.o.Handoff(s) })
			f := p.o.Files[p.o.Want.Data+".data"]
			must(t, plantFile(filepath.Join(p.o.Policy.spots[i].Path(p.root), p.o.Dir()), f, f.body.append(nil)))
		}, map[Kind]int{Left: 1}, "on a device that is no primary"},
		"an old version beside it": {func(o *WorldObject) bool { return plain(o) && len(uploads(o)) > 1 }, func(t *testing.T, p patient) {
			for _, f := range uploads(p.o) {
				must(t, plantFile(p.dir, f, f.body.append(nil)))
			}
		}, map[Kind]int{Stale: 1}, "newer files end it"},
		"debris is gone": {plain, func(t *testing.T, p patient) {
			d := p.debris(t, func(d Debris) bool { return d.Keep && !d.Alone })
			must(t, os.Remove(filepath.Join(d.Spot.Path(p.root), d.Path)))
		}, map[Kind]int{Touched: 1}, "it is gone"},
		"debris is changed": {plain, func(t *testing.T, p patient) {
			d := p.debris(t, func(d Debris) bool { return d.Keep && d.Content != "" })
			must(t, os.WriteFile(filepath.Join(d.Spot.Path(p.root), d.Path), []byte("?"), 0o644))
		}, map[Kind]int{Touched: 1}, "its content is another"},
		"a foreign policy is written to": {plain, func(t *testing.T, p patient) {
			d := p.debris(t, func(d Debris) bool { return d.Alone })
			plant(t, filepath.Join(d.Spot.Path(p.root), strings.Split(d.Path, "/")[0], "8", "hashes.pkl"))
		}, map[Kind]int{Touched: 1}, "something was added here"},
		"a temporary file is copied": {plain, func(t *testing.T, p patient) {
			d := p.debris(t, func(d Debris) bool { return rsyncTemp.MatchString(filepath.Base(d.Path)) })
			for _, o := range p.world.Objects {
				if o.Dir() != filepath.Dir(d.Path) {
					continue
				}
				for _, s := range o.Policy.spots {
					if s != (Spot{}) && s != d.Spot {
						plant(t, filepath.Join(s.Path(p.root), d.Path))
						return
					}
				}
			}
		}, map[Kind]int{Touched: 1}, "was copied to here"},
	} {
		t.Run(name, func(t *testing.T) {
			w, root := settled(t, 3)
			found, err := w.Judge(root)
			if err != nil || len(found) > 0 {
				t.Fatalf("before the damage: %v %v", found, err)
			}
			test.do(t, find(t, w, root, test.find))
			found, err = w.Judge(root)
			must(t, err)
			counts, said := map[Kind]int{}, false
			for _, f := range found {
				counts[f.Kind]++
				said = said || strings.Contains(f.String(), test.what)
			}
			for k, n := range test.want {
				if counts[k] < n {
					t.Errorf("%d %s, not %d", counts[k], k, n)
				}
			}
			for k := range counts {
				if test.want[k] == 0 {
					t.Errorf("%s, which it is not", k)
				}
			}
			if !said || t.Failed() {
				t.Errorf("want %q: %v", test.what, found)
			}
		})
	}
}

func (p patient) debris(t *testing.T, want func(Debris) bool) Debris {
	t.Helper()
	i := slices.IndexFunc(p.world.Debris, want)
	if i < 0 {
		t.Fatal("the world has no such debris")
	}
	return p.world.Debris[i]
}

func uploads(o *WorldObject) (all []*File) {
	for _, f := range o.Files {
		if strings.HasSuffix(f.Name, ".data") {
			all = append(all, f)
		}
	}
	return all
}

// The hashes that servers tell are compared with the disks, and with each other.
func TestJudgeHashes(t *testing.T) {
	w := NewWorld(WorldSpec{Seed: 5, Now: time.Now(), Small: true})
	dir := t.TempDir()
	c, err := NewOf(t.Context(), dir, w)
	must(t, err)
	t.Cleanup(func() { must(t, c.Close()) })
	settle(t, w, dir)
	if found, err := w.JudgeHashes(t.Context(), dir, c.Address); err != nil || len(found) > 0 {
		t.Fatalf("before the damage: %v %v", found, err)
	}
	p := find(t, w, dir, plain)
	path := filepath.Join(filepath.Dir(filepath.Dir(p.dir)), "hashes.pkl")
	raw, err := os.ReadFile(path)
	must(t, err)
	f := hashes.Decode(raw)
	f.Suffixes[p.o.Suffix] = strings.Repeat("f", 32)
	must(t, os.WriteFile(path, f.Encode(), 0o600))
	found, err := w.JudgeHashes(t.Context(), dir, c.Address)
	must(t, err)
	if !slices.ContainsFunc(found, func(f Finding) bool {
		return f.Kind == Mismatch && strings.Contains(f.String(), `its server tells "ffff`)
	}) {
		t.Errorf("cached hashes lie: %v", found)
	}
	must(t, c.Node(p.on.Node).stop())
	found, err = w.JudgeHashes(t.Context(), dir, c.Address)
	must(t, err)
	if !slices.ContainsFunc(found, func(f Finding) bool { return strings.Contains(f.String(), "its server: ") }) {
		t.Errorf("its server is gone: %v", found)
	}
}

// Our own engines and servers, all in this process, settle random worlds.
func TestOwnServersSettle(t *testing.T) {
	for seed := range uint64(4) {
		w := NewWorld(WorldSpec{Seed: seed, Now: time.Now(), Small: true})
		dir := t.TempDir()
		c, err := NewOf(t.Context(), dir, w)
		must(t, err)
		t.Cleanup(func() { must(t, c.Close()) })
		quiet := false
		for range 8 {
			r, err := c.Round(t.Context())
			must(t, err)
			if quiet = r.Stats.Rsync+r.Stats.Remove == 0; quiet {
				break
			}
		}
		found, err := w.Judge(dir)
		must(t, err)
		hashes, err := w.JudgeHashes(t.Context(), dir, c.Address)
		must(t, err)
		if found = append(found, hashes...); !quiet || len(found) > 0 {
			t.Errorf("seed %d: quiet %v: %v", seed, quiet, found)
		}
	}
}
