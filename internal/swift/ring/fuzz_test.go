package ring

import (
	"os"
	"testing"
)

// walkAll uses everything that a loaded ring promises never to fail at.
func walkAll(t *testing.T, r *Ring) {
	if r.Partitions() == 0 || r.ReplicaCount() <= 0 {
		t.Fatalf("%d partitions, %g replicas", r.Partitions(), r.ReplicaCount())
	}
	step := max(1, r.Partitions()/8)
	for part := uint32(0); part < r.Partitions()+step && part < 1<<28; part += step {
		seen := map[int]bool{}
		for _, d := range r.PartNodes(part) {
			if d == nil || seen[d.ID] || part >= r.Partitions() {
				t.Fatalf("primary %v of partition %d", d, part)
			}
			seen[d.ID] = true
		}
		for d := range r.MoreNodes(part) {
			if d == nil || seen[d.ID] {
				t.Fatalf("handoff %v of partition %d", d, part)
			}
			seen[d.ID] = true
		}
	}
	r.Local(t.Context(), []string{"10.0.0.1"}, 6200, true, fakeNames{})
}

// FuzzFile reads any bytes as a ring file.
func FuzzFile(f *testing.F) {
	for _, name := range []string{"object.ring.gz", "object-v2.ring.gz"} {
		b, err := os.ReadFile("testdata/" + name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if r, err := parseBytes(b); err == nil {
			walkAll(t, r)
		}
	})
}

// FuzzContent reads any bytes as what a ring file holds behind its compression.
func FuzzContent(f *testing.F) {
	f.Add(gunzip(f, "testdata/object.ring.gz"))
	f.Add(gunzip(f, "testdata/object-v2.ring.gz"))
	f.Add(goodV2().end())
	f.Add(v1File(v1Text, 0, 0, 2, 0, 2, 0, 0, 0))
	f.Fuzz(func(t *testing.T, b []byte) {
		if r, err := parseBytes(gz(b)); err == nil {
			walkAll(t, r)
		}
	})
}
