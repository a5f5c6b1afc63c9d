package plan

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// Every partition has a place of its own, from which it can be told, whatever the
// seed.
func TestOrderIsInvertible(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := Order(rapid.Uint32().Draw(t, "seed"))
		number := rapid.Uint32().Draw(t, "number")
		if got := o.At(o.Place(number)); got != number {
			t.Fatalf("the place %d of %d leads to %d", o.Place(number), number, got)
		}
	})
}

// Neighbours do not stay neighbours, and another seed is another order: of 4096
// partitions about half change sides of the middle.
func TestOrderIsRandom(t *testing.T) {
	const n = 4096
	sequence := func(seed Order) []uint32 {
		numbers := make([]uint32, n)
		for i := range numbers {
			numbers[i] = uint32(i)
		}
		slices.SortFunc(numbers, func(a, b uint32) int { return int(int64(seed.Place(a)) - int64(seed.Place(b))) })
		return numbers
	}
	orders := [][]uint32{sequence(0), sequence(1), sequence(2), sequence(1 << 31), sequence(0xdeadbeef)}
	identity := make([]uint32, n)
	for i := range identity {
		identity[i] = uint32(i)
	}
	orders = append(orders, identity)
	for i, a := range orders {
		for _, b := range orders[:i] {
			first := map[uint32]bool{}
			for _, number := range a[:n/2] {
				first[number] = true
			}
			both := 0
			for _, number := range b[:n/2] {
				if first[number] {
					both++
				}
			}
			if both < n/4-n/32 || both > n/4+n/32 {
				t.Errorf("of the first halves of two orders %d of %d are the same", both, n/2)
			}
		}
	}
}

// A backlog gives out each partition once, in the order of the pass, also when
// they come while others are taken; and what is below the first place is done.
func TestBacklog(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := NewBacklog(Order(rapid.Uint32().Draw(t, "seed")))
		waiting := map[[2]uint32]bool{}
		for range rapid.IntRange(0, 200).Draw(t, "steps") {
			if rapid.Bool().Draw(t, "add") {
				w := [2]uint32{rapid.Uint32Range(0, 2).Draw(t, "policy"), rapid.Uint32Range(0, 40).Draw(t, "number")}
				if !waiting[w] {
					waiting[w] = true
					b.Add(w[0], w[1])
				}
				continue
			}
			first := b.First()
			w, ok := b.Next()
			if ok != (len(waiting) > 0) {
				t.Fatalf("%d wait, Next says %v", len(waiting), ok)
			}
			if !ok {
				if first != PastAll {
					t.Fatalf("an empty backlog begins at %d", first)
				}
				continue
			}
			if !waiting[[2]uint32{w.Policy, w.Number}] || uint64(w.Place) != first || w.Place != b.Place(w.Policy, w.Number) {
				t.Fatalf("took %+v, first was %d, waiting %v", w, first, waiting)
			}
			delete(waiting, [2]uint32{w.Policy, w.Number})
			for rest := range waiting {
				if b.Place(rest[0], rest[1]) < w.Place {
					t.Fatalf("%v comes after %+v", rest, w)
				}
			}
			if b.Len() != len(waiting) {
				t.Fatalf("%d wait, Len says %d", len(waiting), b.Len())
			}
		}
	})
}

func BenchmarkBacklog(b *testing.B) {
	for b.Loop() {
		l := NewBacklog(7)
		for i := range uint32(1 << 20) {
			l.Add(0, i)
		}
		for l.Len() > 0 {
			l.Next()
		}
	}
}
