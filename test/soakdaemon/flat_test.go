package main

import (
	"strings"
	"testing"
)

// What grows is told, what goes up and down is not.
func TestGrowth(t *testing.T) {
	for _, c := range []struct {
		name string
		at   func(i int) sample
		want string
	}{
		{"flat", func(int) sample { return sample{Threads: 12, Fds: 30, RSS: 30000, PSS: 25000} }, ""},
		{"up and down", func(i int) sample {
			return sample{Threads: 12 + i%5, Fds: 30 + i%7, RSS: 30000 + i%3*4000, PSS: 25000}
		}, ""},
		{"large at first", func(i int) sample { return sample{Threads: 90 - i/4, Fds: 300 - i, RSS: 90000 - i*100, PSS: 1000} }, ""},
		{"a thread now and then", func(i int) sample { return sample{Threads: 12 + i/8, Fds: 30, RSS: 30000, PSS: 25000} }, "threads"},
		{"a jump at the end", func(i int) sample { return sample{Threads: 12, Fds: 30 + i/144*20, RSS: 30000, PSS: 25000} }, "fds"},
		{"slow and steady", func(i int) sample { return sample{Threads: 12, Fds: 30, RSS: 30000 + i*75, PSS: 25000} }, "RSS"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var all []sample
			for i := range 180 {
				all = append(all, c.at(i))
			}
			got := strings.Join(growth(all), "; ")
			if c.want == "" && got != "" || !strings.Contains(got, c.want) {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}
