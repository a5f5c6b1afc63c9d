package ring

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"understudy/internal/swift/hashpath"
)

// oracle is what Swift's Ring says about a ring file.
type oracle struct {
	Devs          []*Device           `json:"devs"`
	ReplicaCount  float64             `json:"replica_count"`
	PartShift     uint                `json:"part_shift"`
	Version       *int64              `json:"version"`
	NextPartPower *int                `json:"next_part_power"`
	Parts         map[string][2][]int `json:"parts"`
	Beyond        []int               `json:"beyond"` // handoffs of a partition that does not exist
	Objects       map[string]uint32   `json:"objects"`
}

// TestAgainstSwift has Swift's own builder make rings with all kinds of shapes
// (fractional replicas, devices without weight, removed devices, several regions,
// part power 17, next_part_power) and a few tables that no builder would make, and
// compares every answer of Swift's Ring with ours. RING_SEEDS="2 3 4" tries others.
func TestAgainstSwift(t *testing.T) {
	for _, seed := range strings.Fields(cmp.Or(os.Getenv("RING_SEEDS"), "1")) {
		t.Run(seed, func(t *testing.T) {
			dir := t.TempDir()
			out, err := exec.Command("/usr/bin/python3", "testdata/build_rings.py", dir, seed).CombinedOutput()
			if err != nil {
				t.Fatalf("Swift could not build rings (is python3-swift installed?): %v\n%s", err, out)
			}
			n, err := strconv.Atoi(strings.TrimSpace(string(out)))
			if err != nil || n < 10 {
				t.Fatalf("built %q rings", out)
			}
			for i := range n {
				base := filepath.Join(dir, strconv.Itoa(i))
				text, err := os.ReadFile(base + ".json")
				if err != nil {
					t.Fatal(err)
				}
				var want oracle
				if err := json.Unmarshal(text, &want); err != nil {
					t.Fatal(err)
				}
				r, err := Load(base + ".ring.gz")
				if err != nil {
					t.Fatal(err)
				}
				compare(t, fmt.Sprintf("ring %d", i), r, &want)
			}
		})
	}
}

func compare(t *testing.T, name string, r *Ring, want *oracle) {
	t.Helper()
	if len(r.Devices()) != len(want.Devs) {
		t.Fatalf("%s: %d devices, want %d", name, len(r.Devices()), len(want.Devs))
	}
	for id, d := range r.Devices() {
		if (d == nil) != (want.Devs[id] == nil) || d != nil && *d != *want.Devs[id] {
			t.Fatalf("%s: device %d is %+v, want %+v", name, id, d, want.Devs[id])
		}
	}
	if r.ReplicaCount() != want.ReplicaCount || r.PartShift() != want.PartShift {
		t.Fatalf("%s: %g replicas, part shift %d; want %g, %d", name, r.ReplicaCount(), r.PartShift(), want.ReplicaCount, want.PartShift)
	}
	if want.Version != nil && r.Version() != *want.Version {
		t.Fatalf("%s: version %d, want %d", name, r.Version(), *want.Version)
	}
	next, set := r.NextPartPower()
	if set != (want.NextPartPower != nil) || set && next != *want.NextPartPower {
		t.Fatalf("%s: next part power %d, %t", name, next, set)
	}
	for text, lists := range want.Parts {
		part, err := strconv.ParseUint(text, 10, 32)
		if err != nil {
			t.Fatal(err)
		}
		if got := primaries(r, uint32(part)); !sameIDs(got, lists[0]) {
			t.Fatalf("%s: primaries of %d are %v, want %v", name, part, got, lists[0])
		}
		if got := handoffs(r, uint32(part)); !sameIDs(got, lists[1]) {
			t.Fatalf("%s: handoffs of %d are %v, want %v", name, part, got, lists[1])
		}
	}
	if got := handoffs(r, r.Partitions()); !sameIDs(got, want.Beyond) {
		t.Fatalf("%s: handoffs beyond the ring are %v, want %v", name, got, want.Beyond)
	}
	hasher := hashpath.Hasher{Suffix: []byte("endcap")}
	for object, part := range want.Objects {
		if got := r.Partition(hasher.Hash("a", "c", object)); got != part {
			t.Fatalf("%s: %s is in partition %d, want %d", name, object, got, part)
		}
	}
}

func primaries(r *Ring, part uint32) []int { return ids(r.PartNodes(part)) }

func handoffs(r *Ring, part uint32) []int {
	var devices []*Device
	for d := range r.MoreNodes(part) {
		devices = append(devices, d)
	}
	return ids(devices)
}

func ids(devices []*Device) []int {
	out := []int{}
	for _, d := range devices {
		out = append(out, d.ID)
	}
	return out
}

func sameIDs(a, b []int) bool { return fmt.Sprint(a) == fmt.Sprint(b) }
