package main

import (
	"fmt"
	"io"
	"slices"
	"time"
)

// writePushes writes the table of the benchmarks in which bytes move: one line for
// each program that ours is compared with.
func writePushes(w io.Writer, results []pushResult) {
	if len(results) == 0 {
		return
	}
	fmt.Fprintf(w, `## Moving bytes

One node of four, one device each, pushes to the others' own Swift servers. Before every run the same tree is put in place;
after it, every program must have brought the same files, byte for byte, to the same nodes. Ours uses ssync here.

| # | work | against | theirs wall | ours wall | ratio | goal | theirs CPU | ours CPU | ratio |
|---|---|---|---|---|---|---|---|---|---|
`)
	wall := func(s sample) time.Duration { return s.wall }
	for _, r := range results {
		ours := r.samples["ours, ssync"]
		for _, c := range r.contests {
			pair := result{stock: r.samples[c.against], ours: ours}
			fmt.Fprintf(w, "| %s | %s | %s | %s | %s | %s | %s | %s | %s | %s |\n", r.name, r.what, c.against,
				seconds(pair.stock, wall), seconds(ours, wall), pair.ratio(wall), pair.goal(c.goal, wall),
				seconds(pair.stock, sample.cpu), seconds(ours, sample.cpu), pair.ratio(sample.cpu))
		}
	}
	fmt.Fprintln(w)
	for _, r := range results {
		best := slices.MinFunc(r.samples["ours, ssync"], func(a, b sample) int { return int(a.wall - b.wall) })
		fmt.Fprintf(w, "%s moves %d files, %.1f MiB; ours at best %.0f files and %.1f MiB a second.\n", r.name, r.files,
			float64(r.bytes)/(1<<20), float64(r.files)/best.wall.Seconds(), float64(r.bytes)/(1<<20)/best.wall.Seconds())
	}
	fmt.Fprintln(w)
}
