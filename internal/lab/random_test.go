package lab

import (
	"encoding/json"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

var worldNow = time.Unix(1_790_000_000, 0)

func world(seed uint64) *World { return NewWorld(WorldSpec{Seed: seed, Now: worldNow}) }

func TestWorldRepeats(t *testing.T) {
	if !reflect.DeepEqual(world(3), world(3)) {
		t.Error("one seed drew different worlds")
	}
	if reflect.DeepEqual(world(3).Objects, world(4).Objects) {
		t.Error("two seeds drew the same objects")
	}
	a, b := world(3), NewWorld(WorldSpec{Seed: 3, Now: worldNow, Ssync: true})
	if !reflect.DeepEqual(a.Policies, b.Policies) || !reflect.DeepEqual(a.Nodes, b.Nodes) {
		t.Error("what is drawn for the one method shifts what is drawn for both")
	}
}

// Over some hundred seeds everything happens that worlds are drawn for, and what
// a world says about itself is true.
func TestWorldsHaveEverything(t *testing.T) {
	seen := map[string]int{}
	count := func(what string, when bool) {
		if when {
			seen[what]++
		} else {
			seen[what] += 0
		}
	}
	for seed := range uint64(150) {
		w := NewWorld(WorldSpec{Seed: seed, Now: worldNow, Torn: seed%10 == 0})
		count("two policies", len(w.Policies) == 2)
		regions := map[int]bool{}
		for _, n := range w.Nodes {
			regions[n.Region] = true
		}
		count("two regions", len(regions) == 2)
		for _, p := range w.Policies {
			count("erasure coding", p.Erasure)
			count("parts of a replica", p.Ring.Replicas != float64(int(p.Ring.Replicas)))
			for _, d := range p.Ring.Devices {
				count("no weight", d.Weight == 0)
			}
			count("device outside the ring", slices.Contains(p.spots, Spot{}))
		}
		for _, d := range w.Debris {
			count("debris to keep", d.Keep)
			count("debris that may go", !d.Keep)
			count("empty directory", d.Dir)
			count("temporary file", rsyncTemp.MatchString(filepath.Base(d.Path)))
			count("debris to leave alone", d.Alone)
		}
		for _, c := range w.Caches {
			count("hashes.pkl", len(c.Pickle) > 0)
			count("empty hashes.pkl", c.Pickle != nil && len(c.Pickle) == 0)
			count("hashes.invalid", c.Invalid != "")
		}
		for _, o := range w.Objects {
			checkObject(t, w, o, count)
		}
	}
	for what, n := range seen {
		if n == 0 {
			t.Errorf("never drawn: %s", what)
		}
	}
}

func checkObject(t *testing.T, w *World, o *WorldObject, count func(string, bool)) {
	t.Helper()
	var all []string
	primary, away := false, false
	for s, files := range o.Copies {
		if !o.Policy.In(s) || len(files) == 0 || o.Torn == nil && len(superseded(files)) > 0 {
			t.Fatalf("seed %d: %s has %v of %s", w.Seed, s, files, o.Name)
		}
		for _, f := range files {
			if o.file(f) == nil {
				t.Fatalf("seed %d: nobody wrote %s of %s", w.Seed, f, o.Name)
			}
		}
		all = append(all, files...)
		away, primary = away || o.Handoff(s), primary || !o.Handoff(s)
	}
	if got := stateOf(all); got != o.Want || got == (state{}) {
		t.Fatalf("seed %d: %s comes to %+v, not %+v", w.Seed, o.Name, got, o.Want)
	}
	count("copies on handoffs only", away && !primary)
	count("copies on primaries only", !away)
	count("deleted", o.Want.Tombstone != "")
	count("deleted long ago", o.Loose)
	count("updated", o.Want.Meta != "")
	count("content type of its own", o.Want.Ctype != "" && o.Want.Ctype != o.Want.Meta)
	count("offset", strings.Contains(o.Want.Data, "_"))
	count("torn", o.Torn != nil)
	for _, f := range o.Files {
		count("empty", strings.HasSuffix(f.Name, ".data") && f.Size == 0)
		count("several chunks", f.Size > 65536)
	}
}

const readStatesWithSwift = `
import json, sys
from swift.common import utils
utils.HASH_PATH_SUFFIX = b'x'
from swift.common.storage_policy import POLICIES
from swift.obj import diskfile

class Log(object):
    def __getattr__(self, name):
        return lambda *args, **kwargs: None

manager = diskfile.DiskFileManager({'devices': '/tmp', 'mount_check': 'false'}, Log())
answer = []
for files in json.load(sys.stdin):
    found = manager.get_ondisk_files(files, '', policy=POLICIES[0], verify=False)
    at = lambda key, time: found[key][time].internal if key in found else ''
    answer.append({
        'state': {'Data': at('data_info', 'timestamp'), 'Tombstone': at('ts_info', 'timestamp'),
                  'Meta': at('meta_info', 'timestamp') if 'meta_info' in found else '',
                  'Ctype': at('ctype_info', 'ctype_timestamp')},
        'gone': sorted(info['filename'] for info in found.get('obsolete', []))})
print(json.dumps(answer))
`

// The judge's own reading of file names is Swift's: what they amount to, and
// which of them are superseded.
func TestStatesAsSwift(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 0))
	var sets [][]string
	for range 3000 {
		files := []string{}
		for range rng.IntN(7) {
			at := "170000000" + string('0'+rune(rng.IntN(6))) + ".00000"
			switch kind := pick(rng, []string{".data", ".data", ".ts", ".meta", "typed", "typed"}); {
			case kind != "typed" && rng.IntN(4) == 0:
				at += "_000000000000000" + string('1'+rune(rng.IntN(3)))
				fallthrough
			case kind != "typed":
				files = append(files, at+kind)
			default:
				files = append(files, at+pick(rng, []string{"+0", "-186a0", "-30d40", "-493e0"})+".meta")
			}
		}
		slices.Sort(files)
		slices.Reverse(files) // as Swift lists them
		sets = append(sets, slices.Compact(files))
	}
	question, err := json.Marshal(sets)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/usr/bin/python3", "-c", readStatesWithSwift)
	cmd.Stdin, cmd.Stderr = strings.NewReader(string(question)), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("run Swift: %v", err)
	}
	var answers []struct {
		State state
		Gone  []string
	}
	if err := json.Unmarshal(out, &answers); err != nil {
		t.Fatal(err)
	}
	for i, want := range answers {
		got := stateOf(sets[i])
		if want.State.Meta <= want.State.Data {
			want.State.Meta = ""
		}
		if got != want.State {
			t.Errorf("%v: %+v, Swift says %+v", sets[i], got, want.State)
		}
		gone := superseded(sets[i])
		slices.Sort(gone)
		if !slices.Equal(gone, want.Gone) && !sameTimes(sets[i], gone, want.Gone) {
			t.Errorf("%v: superseded %v, Swift says %v", sets[i], gone, want.Gone)
		}
	}
}

// sameTimes lets two updates of one time stand for each other: Swift takes the one
// that the directory happened to list first.
func sameTimes(files, a, b []string) bool {
	times := func(gone []string) (all []string) {
		for _, f := range gone {
			n, _ := parseName(f)
			all = append(all, n.ext+n.at)
		}
		return all
	}
	return stateOf(files) != state{} && slices.Equal(times(a), times(b))
}

// A planted world has what it says, and nothing is lost or spoiled in it.
func TestPlant(t *testing.T) {
	for seed := range uint64(12) {
		w := NewWorld(WorldSpec{Seed: seed, Now: time.Now(), Small: true})
		root := t.TempDir()
		must(t, w.Plant(root))
		found, err := w.Judge(root)
		must(t, err)
		for _, f := range found {
			if f.Kind == Lost || f.Kind == Wrong || f.Kind == Touched || f.Kind == Stale {
				t.Error(f)
			}
		}
		for _, o := range w.Objects {
			for s, files := range o.Copies {
				for _, f := range files {
					why, err := wrongWith(filepath.Join(s.Path(root), o.Dir(), f), o.file(f))
					if err != nil || why != "" {
						t.Errorf("seed %d: %s of %s: %v %s", seed, f, o.Name, err, why)
					}
				}
			}
		}
	}
}
