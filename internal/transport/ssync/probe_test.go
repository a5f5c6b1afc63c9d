package ssync

import (
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
		plant  func(there side)
		proven []string
	}{
		"tombstone before the metadata": {func(s side) { s.tombstone(7, "/a/c/o", t1) }, []string{data}},
		"tombstone after it":            {func(s side) { s.tombstone(7, "/a/c/o", t3) }, []string{data, meta}},
		"newer data":                    {func(s side) { s.data(7, "/a/c/o", t3, "newer") }, []string{data, meta}},
		"the same object": {func(s side) {
			s.data(7, "/a/c/o", t0, "body")
			s.post(7, "/a/c/o", meta, t2, "Content-Type", "text/new", "Content-Type-Timestamp", t2)
		}, []string{data, meta}},
	} {
		t.Run(what, func(t *testing.T) {
			r := newRig(t)
			hash := filepath.Base(r.here.data(7, "/a/c/o", t0, "body"))
			r.here.post(7, "/a/c/o", meta, t2, "Content-Type", "text/new", "Content-Type-Timestamp", t2)
			c.plant(r.there)
			before := r.there.Files(7)
			got := r.mustSync(r.revert(7))[hash]
			slices.Sort(got)
			if !slices.Equal(got, c.proven) {
				t.Errorf("proven %v, want %v", got, c.proven)
			}
			if after := r.there.Files(7); len(after) != len(before) {
				t.Errorf("asking has changed the target: %v", after)
			}
		})
	}
}
