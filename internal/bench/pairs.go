package bench

import (
	"fmt"
	"slices"
	"time"
)

// sample is one run of one program.
type sample struct{ wall, user, system time.Duration }

func (s sample) cpu() time.Duration { return s.user + s.system }

func wall(s sample) time.Duration { return s.wall }

// pairs are as many samples of each of two programs; those of one index are
// neighbours.
type pairs struct{ theirs, ours []sample }

func (p pairs) ratios(of func(sample) time.Duration) []float64 {
	var all []float64
	for i := range p.theirs {
		all = append(all, of(p.ours[i]).Seconds()/of(p.theirs[i]).Seconds())
	}
	return all
}

// ratio writes the median and the range of the ratios.
func (p pairs) ratio(of func(sample) time.Duration) string { return spread(p.ratios(of), "%.2f") }

// speeds are how many times as fast ours is.
func (p pairs) speeds() []float64 {
	all := p.ratios(wall)
	for i := range all {
		all[i] = 1 / all[i]
	}
	return all
}

// goal judges the ratio.
func (p pairs) goal(what string, limit float64, of func(sample) time.Duration) goal {
	return goal{What: what, Limit: limit, Got: median(p.ratios(of))}
}

// atMost is the same in the cell of a table; 0 is no goal.
func (p pairs) atMost(limit float64, of func(sample) time.Duration) string {
	if limit == 0 {
		return "–"
	}
	return p.goal("", limit, of).verdict()
}

// spread writes the median and the range.
func spread(all []float64, form string) string {
	return fmt.Sprintf("**"+form+"** ("+form+" to "+form+")", median(all), slices.Min(all), slices.Max(all))
}

func seconds(samples []sample, of func(sample) time.Duration) string {
	return fmt.Sprintf("%.2f s", median(inSeconds(samples, of)))
}

// cpuSeconds also tells the kernel's part.
func cpuSeconds(samples []sample) string {
	return fmt.Sprintf("%s (system %s)", seconds(samples, sample.cpu),
		seconds(samples, func(s sample) time.Duration { return s.system }))
}

func inSeconds(samples []sample, of func(sample) time.Duration) []float64 {
	var all []float64
	for _, s := range samples {
		all = append(all, of(s).Seconds())
	}
	return all
}

func median(all []float64) float64 {
	all = slices.Sorted(slices.Values(all))
	return (all[len(all)/2] + all[(len(all)-1)/2]) / 2
}
