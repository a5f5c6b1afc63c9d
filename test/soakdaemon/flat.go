package main

import (
	"fmt"
	"slices"
)

// fewest samples that tell anything about growth: five minutes.
const fewest = 30

// measure is one number of a sample, and by how much it may differ whatever its size.
type measure struct {
	name  string
	of    func(sample) int
	slack int
}

var measures = []measure{
	{"threads", func(s sample) int { return s.Threads }, 4},
	{"goroutines", func(s sample) int { return s.Goroutines }, 16},
	{"fds", func(s sample) int { return s.Fds }, 8},
	{"RSS KiB", func(s sample) int { return s.RSS }, 8 << 10},
	{"PSS KiB", func(s sample) int { return s.PSS }, 8 << 10},
}

// fifths are the medians of the fifths of a run.
func fifths(all []sample, of func(sample) int) [5]int {
	var medians [5]int
	for i := range medians {
		var part []int
		for _, s := range all[i*len(all)/5 : (i+1)*len(all)/5] {
			part = append(part, of(s))
		}
		slices.Sort(part)
		if len(part) > 0 {
			medians[i] = part[len(part)/2]
		}
	}
	return medians
}

// growth tells what has grown: the last fifth lies a fifth and the slack above the
// second, or every fifth from the second on lies above the one before it and the last
// by half of that.
func growth(all []sample) []string {
	var grown []string
	for _, m := range measures {
		f := fifths(all, m.of)
		limit := f[1] + f[1]/5 + m.slack
		rising := f[1] < f[2] && f[2] < f[3] && f[3] < f[4] && f[4] > (f[1]+limit)/2
		if f[4] > limit || rising {
			grown = append(grown, fmt.Sprintf("%s grew: medians of fifths %v", m.name, f))
		}
	}
	return grown
}
