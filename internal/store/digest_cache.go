package store

import (
	"cmp"
	"hash/maphash"
	"slices"
	"sync"

	"understudy/messages"
)

// mostDigests bounds the digests that a Store remembers: 64 MiB of them.
const mostDigests = 2 << 20

// digestCache remembers digests with what stat showed of the files that they were
// made from. It only saves reading: nobody may rely on an entry to be there, and a
// wrong one lasts until the next listing of its partition.
type digestCache struct {
	seed maphash.Seed
	most int

	mu     sync.Mutex
	tables map[digestPlace]*digestTable
	n      int
}

// digestPlace is one policy's part of a device.
type digestPlace struct {
	device string
	policy int
}

// digestEntry takes 32 bytes.
type digestEntry struct {
	number   uint32
	suffixes uint16
	print    uint64 // 0: void
	digest   messages.Digest
}

// digestTable is the entries of one place: most of them sorted, and the latest in a
// map, which becomes part of the sorted ones when it has grown to a share of them.
type digestTable struct {
	sorted []digestEntry
	latest map[uint32]digestEntry
}

const (
	latestLeast = 64
	latestShare = 16 // one in so many may be in the map
)

func newDigestCache() digestCache {
	return digestCache{seed: maphash.MakeSeed(), most: mostDigests, tables: map[digestPlace]*digestTable{}}
}

// print is a fingerprint of what stat shows of hashes.pkl and hashes.invalid, never 0.
func (c *digestCache) print(cached, marks Info) uint64 {
	seen := [9]uint64{
		cached.Dev, cached.Ino, uint64(cached.Size), uint64(cached.ModTime.UnixNano()), uint64(cached.ChangeTime.UnixNano()),
		marks.Dev, marks.Ino, uint64(marks.ModTime.UnixNano()), uint64(marks.ChangeTime.UnixNano()),
	}
	return max(1, maphash.Comparable(c.seed, seen))
}

// get returns the entry of a partition whose files look as they did then.
func (c *digestCache) get(place digestPlace, number uint32, print uint64) (digestEntry, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.tables[place]
	if t == nil {
		return digestEntry{}, false
	}
	e, ok := t.latest[number]
	if !ok {
		i, found := t.find(number)
		if !found {
			return digestEntry{}, false
		}
		e = t.sorted[i]
	}
	return e, e.print == print
}

func (c *digestCache) put(place digestPlace, e digestEntry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.tables[place]
	if t == nil {
		t = &digestTable{latest: map[uint32]digestEntry{}}
		c.tables[place] = t
	}
	if i, found := t.find(e.number); found {
		t.sorted[i] = e
		return
	}
	if _, known := t.latest[e.number]; !known {
		if c.n >= c.most {
			return
		}
		c.n++
	}
	t.latest[e.number] = e
	if len(t.latest) > latestLeast+len(t.sorted)/latestShare {
		c.n -= t.merge()
	}
}

// forget voids the entry of a partition.
func (c *digestCache) forget(place digestPlace, number uint32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.tables[place]
	if t == nil {
		return
	}
	if i, found := t.find(number); found {
		t.sorted[i].print = 0
	}
	if _, known := t.latest[number]; known {
		delete(t.latest, number)
		c.n--
	}
}

func (t *digestTable) find(number uint32) (int, bool) {
	return slices.BinarySearchFunc(t.sorted, number, func(e digestEntry, n uint32) int { return cmp.Compare(e.number, n) })
}

// merge sorts the latest in, drops what is void and tells how much that was.
func (t *digestTable) merge() (dropped int) {
	before := len(t.sorted)
	t.sorted = slices.DeleteFunc(t.sorted, func(e digestEntry) bool { return e.print == 0 })
	kept := len(t.sorted)
	latest := make([]digestEntry, 0, len(t.latest))
	for _, e := range t.latest {
		latest = append(latest, e)
	}
	slices.SortFunc(latest, func(a, b digestEntry) int { return cmp.Compare(a.number, b.number) })
	if need := kept + len(latest); need > cap(t.sorted) { // not twice as much, as append would
		grown := make([]digestEntry, kept, need+need/latestShare+latestLeast)
		copy(grown, t.sorted)
		t.sorted = grown
	}
	t.sorted = t.sorted[:kept+len(latest)]
	for to, from := len(t.sorted)-1, kept-1; len(latest) > 0; to-- {
		last := len(latest) - 1
		if from >= 0 && t.sorted[from].number > latest[last].number {
			t.sorted[to] = t.sorted[from]
			from--
			continue
		}
		t.sorted[to] = latest[last]
		latest = latest[:last]
	}
	clear(t.latest)
	return before - kept
}
