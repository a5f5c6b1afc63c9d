package lab

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"understudy/internal/swift/ring"
)

// labDevices are the devices of zones × nodes × disks; weight tells each one's weight by its id.
func labDevices(zones, nodes, disks int, weight func(id int) float64) []ring.Device {
	var out []ring.Device
	for z := range zones {
		for n := range nodes {
			for d := range disks {
				id := len(out)
				out = append(out, ring.Device{
					ID: id, Region: 1, Zone: z, IP: fmt.Sprintf("10.0.%d.%d", z, n), Port: 6200,
					ReplicationIP: fmt.Sprintf("10.1.%d.%d", z, n), ReplicationPort: 6300,
					Device: fmt.Sprintf("sd%d", d), Weight: weight(id), Meta: "rack ☃ 𝄞 <&>",
				})
			}
		}
	}
	return out
}

func sameWeight(int) float64 { return 100 }

// TestRingAgainstSwift has Swift's Ring read what we wrote, and compares.
func TestRingAgainstSwift(t *testing.T) {
	gap := labDevices(2, 2, 3, sameWeight)
	gap = append(gap[:3:3], gap[5:]...) // devices 3 and 4 were removed
	for name, spec := range map[string]RingSpec{
		"plain":      {PartPower: 8, Replicas: 3, Devices: labDevices(3, 2, 4, sameWeight), Seed: 1, Version: 3},
		"fractional": {PartPower: 6, Replicas: 2.4, Devices: gap, Seed: 2, NextPartPower: 7},
		"tiny":       {PartPower: 0, Replicas: 1, Devices: labDevices(1, 1, 1, sameWeight)},
		"few":        {PartPower: 3, Replicas: 4.5, Devices: labDevices(1, 1, 3, func(id int) float64 { return float64(id) })},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "object-1.ring.gz")
			if err := WriteRing(path, spec); err != nil {
				t.Fatal(err)
			}
			r, err := ring.Load(path)
			if err != nil {
				t.Fatal(err)
			}
			out, err := exec.Command("/usr/bin/python3", "testdata/dump_ring.py", path).Output()
			if err != nil {
				t.Fatalf("Swift could not read the ring (is python3-swift installed?): %v", err)
			}
			var want struct {
				Devs          []*ring.Device `json:"devs"`
				ReplicaCount  float64        `json:"replica_count"`
				PartPower     uint           `json:"part_power"`
				Version       int64          `json:"version"`
				NextPartPower *int           `json:"next_part_power"`
				Parts         [][2][]int     `json:"parts"`
			}
			if err := json.Unmarshal(out, &want); err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(r.Devices(), want.Devs) {
				t.Error("the devices differ")
			}
			if got := *r.Devices()[0]; got != spec.Devices[0] {
				t.Errorf("device 0 is %+v, want %+v", got, spec.Devices[0])
			}
			next, set := r.NextPartPower()
			if r.ReplicaCount() != want.ReplicaCount || 32-r.PartShift() != want.PartPower || r.Version() != want.Version ||
				set != (want.NextPartPower != nil) || set && next != *want.NextPartPower {
				t.Errorf("got %g %d %d %d, want %+v", r.ReplicaCount(), r.PartShift(), r.Version(), next, want)
			}
			if len(want.Parts) != 1<<spec.PartPower || r.Version() != spec.Version || math.Abs(r.ReplicaCount()-spec.Replicas) > 1/float64(len(want.Parts)) {
				t.Errorf("not what was asked for: %d partitions, version %d, %g replicas", len(want.Parts), r.Version(), r.ReplicaCount())
			}
			for part, lists := range want.Parts {
				got := [2][]int{}
				for _, d := range r.PartNodes(uint32(part)) {
					got[0] = append(got[0], d.ID)
				}
				for d := range r.MoreNodes(uint32(part)) {
					got[1] = append(got[1], d.ID)
				}
				if fmt.Sprint(got) != fmt.Sprint(lists) {
					t.Errorf("partition %d: got %v, want %v", part, got, lists)
				}
			}
		})
	}
}

func loadRing(t fataler, spec RingSpec) *ring.Ring {
	gz, err := BuildRing(spec)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "ring")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "object.ring.gz")
	if err := os.WriteFile(path, gz, 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := ring.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

type fataler interface{ Fatal(...any) }

// ringCounts are the copies by device, and the most and the least that a zone and an
// address have of one partition.
func ringCounts(r *ring.Ring) (byDevice map[int]int, perZone, perIP map[string][2]int) {
	byDevice, perZone, perIP = map[int]int{}, map[string][2]int{}, map[string][2]int{}
	for part := range r.Partitions() {
		zone, ip := map[string]int{}, map[string]int{}
		for _, d := range r.Devices() {
			zone[fmt.Sprint(d.Zone)], ip[d.IP] = 0, 0
		}
		for _, d := range r.PartNodes(part) {
			byDevice[d.ID]++
			zone[fmt.Sprint(d.Zone)]++
			ip[d.IP]++
		}
		for all, one := range map[*map[string][2]int]map[string]int{&perZone: zone, &perIP: ip} {
			for k, n := range one {
				v, ok := (*all)[k]
				if !ok {
					v = [2]int{n, n}
				}
				(*all)[k] = [2]int{min(v[0], n), max(v[1], n)}
			}
		}
	}
	return byDevice, perZone, perIP
}

// TestDispersion: three copies in three zones are one each; in four nodes at most
// one each; devices get their weight.
func TestDispersion(t *testing.T) {
	byDevice, perZone, perIP := ringCounts(loadRing(t, RingSpec{PartPower: 10, Replicas: 3, Devices: labDevices(3, 2, 4, sameWeight), Seed: 5}))
	for zone, n := range perZone {
		if n != [2]int{1, 1} {
			t.Errorf("zone %s has from %d to %d copies of a partition", zone, n[0], n[1])
		}
	}
	for ip, n := range perIP {
		if n[1] != 1 {
			t.Errorf("node %s has up to %d copies of a partition", ip, n[1])
		}
	}
	for id, n := range byDevice {
		if n < 126 || n > 130 { // 1024 × 3 / 24 = 128
			t.Errorf("device %d has %d partitions, not about 128", id, n)
		}
	}
}

// TestPartners: a device shares its partitions with every device of other nodes,
// not always with the same few.
func TestPartners(t *testing.T) {
	r := loadRing(t, RingSpec{PartPower: 10, Replicas: 3, Devices: labDevices(1, 4, 4, sameWeight), Seed: 5})
	partners := map[int]bool{}
	for part := range r.Partitions() {
		nodes := r.PartNodes(part)
		for _, d := range nodes {
			if d.ID == 0 {
				for _, other := range nodes {
					partners[other.ID] = true
				}
			}
		}
	}
	if len(partners) != 1+12 {
		t.Errorf("device 0 shares partitions with %d devices", len(partners)-1)
	}
}

func TestWeights(t *testing.T) {
	devices := labDevices(2, 1, 3, func(id int) float64 { return []float64{100, 50, 0, 100, 50, 300}[id] })
	byDevice, _, _ := ringCounts(loadRing(t, RingSpec{PartPower: 10, Replicas: 2, Devices: devices, Seed: 1}))
	// Device 5 wants one copy of each partition, the others share the other copies.
	for id, want := range []int{341, 171, 0, 341, 171, 1024} {
		if n := byDevice[id]; n < want-6 || n > want+6 {
			t.Errorf("device %d has %d partitions, not about %d", id, n, want)
		}
	}
}

// TestAnyRing: whatever the weights, every partition has its copies, on distinct
// devices while there are enough, none without weight, and the same spec makes
// the same bytes.
func TestAnyRing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		weights := rapid.SliceOfN(rapid.OneOf(rapid.Just(0.0), rapid.Just(100.0), rapid.Float64Range(1e-9, 1e9)), 1, 14).
			Filter(func(w []float64) bool { return !reflect.DeepEqual(w, make([]float64, len(w))) }).Draw(t, "weights")
		devices := labDevices(2, 2, 4, sameWeight)[:len(weights)]
		heavy := 0
		for i := range devices {
			devices[i].Weight = weights[i]
			devices[i].Zone = rapid.IntRange(0, 2).Draw(t, "zone")
			if weights[i] > 0 {
				heavy++
			}
		}
		spec := RingSpec{
			PartPower: rapid.IntRange(0, 6).Draw(t, "part power"), Replicas: rapid.Float64Range(1, 6).Draw(t, "replicas"),
			Devices: devices, Seed: rapid.Uint64().Draw(t, "seed"),
		}
		r := loadRing(t, spec)
		least := int(spec.Replicas)
		longer := int((spec.Replicas - float64(least)) * float64(r.Partitions()))
		for part := range r.Partitions() {
			copies := least
			if int(part) < longer {
				copies++
			}
			nodes := r.PartNodes(part)
			if want := min(copies, heavy); len(nodes) != want {
				t.Fatalf("partition %d has %d devices, want %d", part, len(nodes), want)
			}
			for _, d := range nodes {
				if d.Weight == 0 {
					t.Fatalf("partition %d is on device %d without weight", part, d.ID)
				}
			}
		}
		a, errA := BuildRing(spec)
		b, errB := BuildRing(spec)
		if errA != nil || errB != nil || !bytes.Equal(a, b) {
			t.Fatalf("two rings of one spec differ (%v, %v)", errA, errB)
		}
	})
}

func TestRingErrors(t *testing.T) {
	good := RingSpec{PartPower: 4, Replicas: 2, Devices: labDevices(1, 2, 2, sameWeight)}
	if _, err := BuildRing(good); err != nil {
		t.Fatal(err)
	}
	for what, change := range map[string]func(*RingSpec){
		"part power 21":       func(s *RingSpec) { s.PartPower = 21 },
		"part power -1":       func(s *RingSpec) { s.PartPower = -1 },
		"replicas 0.5":        func(s *RingSpec) { s.Replicas = 0.5 },
		"replicas NaN":        func(s *RingSpec) { s.Replicas = math.NaN() },
		"two devices 1":       func(s *RingSpec) { s.Devices[0].ID = 1 },
		"device id 65535":     func(s *RingSpec) { s.Devices[0].ID = 65535 },
		"has the weight -1":   func(s *RingSpec) { s.Devices[0].Weight = -1 },
		"has the weight +Inf": func(s *RingSpec) { s.Devices[0].Weight = math.Inf(1) },
		"0 devices":           func(s *RingSpec) { s.Devices = nil },
		"add up to 0":         func(s *RingSpec) { s.Devices = labDevices(1, 1, 2, func(int) float64 { return 0 }) },
	} {
		spec := good
		spec.Devices = append([]ring.Device(nil), good.Devices...)
		change(&spec)
		if _, err := BuildRing(spec); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("error %v, want one with %q", err, what)
		}
	}
}

// TestWriteRing leaves the old file alone until the new one is whole, and no debris.
func TestWriteRing(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "object.ring.gz")
	spec := RingSpec{PartPower: 4, Replicas: 2, Devices: labDevices(1, 2, 2, sameWeight), Version: 1}
	for version := range int64(3) {
		spec.Version = version
		if err := WriteRing(path, spec); err != nil {
			t.Fatal(err)
		}
		if r, err := ring.Load(path); err != nil || r.Version() != version {
			t.Fatalf("read %v, %v", r, err)
		}
	}
	spec.Replicas = 0
	if err := WriteRing(path, spec); err == nil {
		t.Error("no error for 0 replicas")
	}
	if err := os.Mkdir(filepath.Join(dir, "object-1.ring.gz"), 0o700); err != nil {
		t.Fatal(err)
	}
	spec.Replicas = 2
	if err := WriteRing(filepath.Join(dir, "object-1.ring.gz"), spec); err == nil {
		t.Error("no error for a folder in the way")
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 2 {
		t.Errorf("%v, %v", entries, err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}
