package store

import (
	"math/rand/v2"
	"testing"
	"unsafe"
)

// The table against a map, with its bound.
func TestDigestCacheModel(t *testing.T) {
	c := newDigestCache()
	c.most = 3000
	place := digestPlace{"sda", 1}
	model := map[uint32]digestEntry{}
	r := rand.New(rand.NewPCG(1, 2))
	for i := range 60_000 {
		n := r.Uint32N(5000)
		switch {
		case r.IntN(4) == 0:
			c.forget(place, n)
			delete(model, n)
		default:
			e := digestEntry{number: n, print: uint64(i) + 1, suffixes: uint16(i)}
			c.put(place, e)
			if got, ok := c.get(place, n, e.print); ok {
				if got != e {
					t.Fatalf("put %+v, got %+v", e, got)
				}
				model[n] = e
			} else if c.n < c.most {
				t.Fatalf("%d is not taken, with room", n)
			} else {
				delete(model, n)
			}
		}
		if c.n > c.most {
			t.Fatalf("%d remembered", c.n)
		}
	}
	for n := range uint32(5000) {
		e, known := model[n]
		if got, ok := c.get(place, n, e.print); ok != known && e.print != 0 || known && got != e {
			t.Errorf("%d: got %+v %v, want %+v", n, got, ok, e)
		}
	}
	if size := unsafe.Sizeof(digestEntry{}); size != 32 {
		t.Errorf("an entry takes %d bytes", size)
	}
}

// BenchmarkDigestMemory is what a million digests of one disk cost.
func BenchmarkDigestMemory(b *testing.B) {
	for b.Loop() {
		c := newDigestCache()
		for i := range uint32(1_000_000) {
			c.put(digestPlace{"sda", 0}, digestEntry{number: i * 2654435761, print: 1})
		}
		t := c.tables[digestPlace{"sda", 0}]
		b.ReportMetric(float64(cap(t.sorted)*32)/1e6, "sorted-B/partition")
	}
}
