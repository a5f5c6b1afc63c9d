package main

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
func (p pairs) ratio(of func(sample) time.Duration) string {
	all := p.ratios(of)
	return fmt.Sprintf("**%.2f** (%.2f to %.2f)", median(all), slices.Min(all), slices.Max(all))
}

// atMost judges a ratio by a goal; 0 is none.
func (p pairs) atMost(g float64, of func(sample) time.Duration) string {
	switch {
	case g == 0:
		return "–"
	case median(p.ratios(of)) > g:
		return fmt.Sprintf("≤ %.2f: missed", g)
	default:
		return fmt.Sprintf("≤ %.2f", g)
	}
}

// goal is the same as one line of the table of goals.
func (p pairs) goal(what string, g float64, of func(sample) time.Duration) goal {
	got := median(p.ratios(of))
	return goal{What: what, Want: fmt.Sprintf("≤ %.2f", g), Got: fmt.Sprintf("%.2f", got), Missed: got > g}
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
