package plan

import (
	"maps"
	"math/bits"
	"slices"
	"time"
)

// Times are how long the jobs of a round took: what the "Partition times" line needs,
// in memory that does not grow with the number of jobs. The zero value has none.
//
// Unlike Swift: which keeps every time. The least and the most are exact; so is the
// median to the last digit that the line shows (0.1 ms) up to 0.4 s, and above that to
// within 0.025 %. A round lasts as long as the slowest disk's pass, and the
// jobs of all others count in it, again and again.
type Times struct {
	n           int
	least, most time.Duration
	steps       map[uint32]int // how many there are in each step of the scale
}

// The scale is in ticks of what the line shows. The first fine steps have one tick, and
// each doubling from there on has half as many steps, which are twice as wide.
const (
	tick     = 100 * time.Microsecond
	fineBits = 12
	fine     = 1 << fineBits
)

// Add counts a job's time.
func (t *Times) Add(took time.Duration) {
	took = max(took, 0)
	if t.n == 0 {
		t.least, t.most, t.steps = took, took, map[uint32]int{}
	}
	t.n++
	t.least, t.most = min(t.least, took), max(t.most, took)
	t.steps[stepOf(took)]++
}

// median is the upper one of the two in the middle, as in Swift.
func (t *Times) median() time.Duration {
	left := t.n / 2
	for _, step := range slices.Sorted(maps.Keys(t.steps)) {
		if left -= t.steps[step]; left < 0 {
			return min(max(middle(step), t.least), t.most)
		}
	}
	return 0
}

// stepOf rounds a time to the scale: 4096 steps, and 2048 for each of at most 35 doublings.
func stepOf(took time.Duration) uint32 {
	ticks := uint64(took / tick)
	if took%tick >= tick/2 {
		ticks++
	}
	if ticks < fine {
		return uint32(ticks)
	}
	doublings := bits.Len64(ticks) - fineBits
	return uint32(doublings*fine/2) + uint32(ticks>>doublings)
}

// middle is the time in the middle of a step.
func middle(step uint32) time.Duration {
	if step < fine {
		return time.Duration(step) * tick
	}
	doublings := step/(fine/2) - 1
	low := time.Duration(step-doublings*(fine/2)) << doublings
	return (2*low + 1<<doublings - 1) * tick / 2
}
