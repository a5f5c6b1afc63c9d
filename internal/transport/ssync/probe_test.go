package ssync

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// A receiver that wants nothing has everything, or a tombstone. With a tombstone
// between our data and our metadata it lacks the metadata, which may belong to data
// that is yet to come: the handoff must keep it. With one that ends the metadata,
// too, or with the object itself, it is proven.
func TestSilenceIsNoProof(t *testing.T) {
	const t3 = "1700000003.00000"
	data, meta := t0+".data", t2+"+0.meta"
	for what, c := range map[string]struct {
		plant   func(there side)
		proven  []string
		waiting []string
	}{
		"tombstone before the metadata": {func(s side) { s.tombstone(7, "/a/c/o", t1) }, []string{data}, []string{meta}},
		"tombstone after it":            {func(s side) { s.tombstone(7, "/a/c/o", t3) }, []string{data, meta}, nil},
		"newer data":                    {func(s side) { s.data(7, "/a/c/o", t3, "newer") }, []string{data, meta}, nil},
		"the same object": {func(s side) {
			s.data(7, "/a/c/o", t0, "body")
			s.post(7, "/a/c/o", meta, t2, "Content-Type", "text/new", "Content-Type-Timestamp", t2)
		}, []string{data, meta}, nil},
	} {
		t.Run(what, func(t *testing.T) {
			r := newRig(t)
			hash := filepath.Base(r.here.data(7, "/a/c/o", t0, "body"))
			r.here.post(7, "/a/c/o", meta, t2, "Content-Type", "text/new", "Content-Type-Timestamp", t2)
			c.plant(r.there)
			before := r.there.Files(7)
			res := r.sync(r.revert(7))
			got, waiting := res.Proven[hash], res.Waiting[hash]
			slices.Sort(got)
			if !res.OK || !slices.Equal(got, c.proven) || !slices.Equal(waiting, c.waiting) {
				t.Errorf("proven %v, waiting %v, want %v, %v\n%s", got, waiting, c.proven, c.waiting, r.log)
			}
			if after := r.there.Files(7); len(after) != len(before) {
				t.Errorf("asking has changed the target: %v", after)
			}
		})
	}
}

// Metadata newer than a tombstone, or alone, goes to who has data in between, and
// waits where nobody has. Swift's own receiver is on the other side.
func TestMetadataWithoutItsData(t *testing.T) {
	const between, t3 = "1700000001.50000", "1700000003.00000"
	ts, meta := t1+".ts", t2+".meta"
	buried := func(s side) string { return s.tombstone(7, "/a/c/o", t1) }
	alone := func(s side) string { return "" }
	for what, c := range map[string]struct {
		base    func(here side) string
		plant   func(there side)
		proven  []string
		waiting []string
		taken   bool
	}{
		"beside a tombstone, data between":          {buried, func(s side) { s.data(7, "/a/c/o", between, "body") }, []string{ts, meta}, nil, true},
		"beside a tombstone, nothing there":         {buried, func(side) {}, []string{ts}, nil, false},
		"beside a tombstone, older data":            {buried, func(s side) { s.data(7, "/a/c/o", t0, "body") }, []string{ts}, nil, false},
		"beside a tombstone, the same there":        {buried, func(s side) { s.tombstone(7, "/a/c/o", t1) }, []string{ts}, []string{meta}, false},
		"beside a tombstone, one that ends it":      {buried, func(s side) { s.tombstone(7, "/a/c/o", t3) }, []string{ts, meta}, nil, false},
		"alone, data before":                        {alone, func(s side) { s.data(7, "/a/c/o", between, "body") }, []string{meta}, nil, true},
		"alone, data after":                         {alone, func(s side) { s.data(7, "/a/c/o", t3, "body") }, []string{meta}, nil, false},
		"alone, nothing there":                      {alone, func(side) {}, nil, nil, false},
		"alone, tombstone there":                    {alone, func(s side) { s.tombstone(7, "/a/c/o", t1) }, nil, []string{meta}, false},
		"alone, a tombstone that ends it":           {alone, func(s side) { s.tombstone(7, "/a/c/o", t3) }, []string{meta}, nil, false},
		"alone, data there and metadata of its own": {alone, func(s side) { s.data(7, "/a/c/o", t0, "body"); s.post(7, "/a/c/o", t3+".meta", t3) }, []string{meta}, nil, false},
	} {
		t.Run(what, func(t *testing.T) {
			r := newRig(t)
			c.base(r.here)
			hash := filepath.Base(r.here.post(7, "/a/c/o", meta, t2, "X-Object-Meta-Note", "kept"))
			c.plant(r.there)
			res := r.sync(r.revert(7))
			slices.Sort(res.Proven[hash])
			if !res.OK || !slices.Equal(res.Proven[hash], c.proven) || !slices.Equal(res.Waiting[hash], c.waiting) {
				t.Errorf("%+v, want proven %v, waiting %v\n%s", res, c.proven, c.waiting, r.log)
			}
			_, err := os.Stat(filepath.Join(r.there.dir(7), hash[29:], hash, meta))
			if taken := err == nil; taken != c.taken {
				t.Errorf("taken %v, want %v: %v", taken, c.taken, r.there.Files(7))
			}
		})
	}
}
