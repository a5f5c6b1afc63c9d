package plan

import (
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"understudy/messages"
)

// No job is lost or done twice; with handoffs first no primary comes before a
// handoff, and both kinds keep the order of the shuffle.
func TestOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 50).Draw(t, "jobs")
		seed := rapid.Uint64().Draw(t, "seed")
		odd := func(j int) bool { return j%2 == 1 }
		ordered := func(first bool) []int {
			jobs := make([]int, n)
			for i := range jobs {
				jobs[i] = i
			}
			Order(jobs, rand.New(rand.NewPCG(seed, 0)).Shuffle, first, odd)
			return jobs
		}
		shuffled, first := ordered(false), ordered(true)
		sorted := slices.Sorted(slices.Values(first))
		for i, j := range sorted {
			if i != j {
				t.Fatalf("not a permutation: %v", first)
			}
		}
		var want []int
		for _, handoff := range []bool{true, false} {
			for _, j := range shuffled {
				if odd(j) == handoff {
					want = append(want, j)
				}
			}
		}
		if !slices.Equal(first, want) {
			t.Fatalf("got %v, want %v", first, want)
		}
	})
}

// A model of replication by suffix: pushing what differs, and nothing else, makes
// the remote agree in every suffix that the local side has, and leaves the others.
func TestDifferConverges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		hashes := rapid.MapOf(rapid.SampledFrom([]string{"000", "abc", "def", "fff"}), rapid.SampledFrom([]string{"", "1", "2"}))
		local, remote := messages.Hashes(hashes.Draw(t, "local")), messages.Hashes(hashes.Draw(t, "remote"))
		after := maps.Clone(remote)
		diff := Differ(local, remote)
		if !slices.IsSorted(diff) {
			t.Fatalf("not sorted: %v", diff)
		}
		for _, suffix := range diff {
			if remote[suffix] == local[suffix] && (local[suffix] != "" || hasKey(remote, suffix)) {
				t.Fatalf("%s does not differ", suffix)
			}
			after[suffix] = local[suffix]
		}
		if again := Differ(local, after); len(again) > 0 {
			t.Fatalf("still differ: %v", again)
		}
		for suffix, hash := range remote {
			if _, here := local[suffix]; !here && after[suffix] != hash {
				t.Fatalf("%s is the remote's own, and changed", suffix)
			}
		}
	})
}

func hasKey(h messages.Hashes, suffix string) bool {
	_, ok := h[suffix]
	return ok
}
