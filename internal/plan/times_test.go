package plan

import (
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// The median is that of the sorted list, as close as the line can show it or 0.025 %.
func TestMedianOfTimes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		most := rapid.SampledFrom([]time.Duration{time.Millisecond, 400 * time.Millisecond, time.Second, time.Minute, 48 * time.Hour}).Draw(t, "most")
		all := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) time.Duration {
			return time.Duration(rapid.Int64Range(0, int64(most)).Draw(t, "took"))
		}), 1, 200).Draw(t, "all")
		var times Times
		for _, took := range all {
			times.Add(took)
		}
		slices.Sort(all)
		if times.least != all[0] || times.most != all[len(all)-1] {
			t.Fatalf("least %v and most %v of %v", times.least, times.most, all)
		}
		want, got := all[len(all)/2], times.median()
		if off := (got - want).Abs(); off > max(tick/2, want/4000) {
			t.Fatalf("the median is %v, want %v of %v", got, want, all)
		}
	})
}

// Below 0.4 s the line shows exactly what Swift shows.
func TestMedianAsShown(t *testing.T) {
	for _, took := range []time.Duration{0, 1, 49_999, 50_001, 149_999, 1_234_567, 399_949_999, 409_549_999} {
		var times Times
		times.Add(0)
		times.Add(took)
		times.Add(time.Hour)
		if got := times.median(); math.Round(got.Seconds()*1e4) != math.Round(took.Seconds()*1e4) {
			t.Errorf("%v is shown as %v", took, got)
		}
	}
}

// Each step of the scale begins where the one before it ends, up to the longest time
// that there is.
func TestStepsOfTimes(t *testing.T) {
	last := stepOf(0)
	for ticks := uint64(1); ticks < math.MaxInt64/uint64(tick); ticks += 1 + ticks/fine {
		step := stepOf(time.Duration(ticks) * tick)
		if step != last && step != last+1 {
			t.Fatalf("the step after %d is %d, at %d ticks", last, step, ticks)
		}
		last = step
	}
	if most := stepOf(math.MaxInt64); most != last && most != last+1 || most > 80000 {
		t.Errorf("the longest time is in step %d, after %d", most, last)
	}
}

// A million jobs take no more room than their spread.
func TestTimesStaySmall(t *testing.T) {
	var times Times
	for i := range 1_000_000 {
		times.Add(time.Duration(i%1000) * time.Microsecond * 7)
	}
	if n := len(times.steps); times.n != 1_000_000 || n > 71 {
		t.Errorf("%d steps for %d times", n, times.n)
	}
}
