package bench

import (
	"fmt"
	"slices"
)

// growthPlot is the plot of B9, beside the page.
const growthPlot = "benchmarks-b9.svg"

// What the plot is drawn from, in the samples of B9.
const (
	partitionsKey = "partitions"
	peakKey       = "peak memory, bytes"
	cpuKey        = "CPU a partition, µs"
)

// Two panels side by side.
const (
	growthHeight = 300.0
	panelWidth   = 270.0
	panelTop     = 60.0
	panelHigh    = 180.0
	panelInset   = 30.0 // from the axis to the first and the last point
)

// point is one size of B9.
type point struct{ partitions, peak, cpu float64 } // MiB, µs

// points are the sizes of B9-1M, or else those of B9. Points of both would not compare:
// the load was another.
func (p *page) points() []point {
	e := p.find(million)
	if e == nil {
		e = p.find("B9")
	}
	if e == nil {
		return nil
	}
	var all []point
	for i, n := range e.Samples[partitionsKey] {
		all = append(all, point{n, e.Samples[peakKey][i] / (1 << 20), e.Samples[cpuKey][i]})
	}
	return all
}

// plotGrowth draws memory and CPU time against the number of partitions. A single
// point is no growth: nothing.
func plotGrowth(points []point) string {
	if len(points) < 2 {
		return ""
	}
	var at, peak, cpu []float64
	for _, q := range points {
		at, peak, cpu = append(at, q.partitions), append(peak, q.peak), append(cpu, q.cpu)
	}
	var p picture
	p.panel(70, "Peak memory, MiB", at, peak, peakGoal>>20)
	p.panel(440, "CPU time a partition, µs", at, cpu, 0)
	return p.svg(growthHeight, "Peak memory and CPU time a partition against the number of partitions, B9")
}

// panel draws one curve over a logarithmic axis of partitions, from 0 up, and a dashed
// line at the goal, if there is one.
func (p *picture) panel(left float64, title string, at, values []float64, goal float64) {
	top := 1.15 * max(slices.Max(values), goal)
	x := logScale{slices.Min(at), slices.Max(at), left + panelInset, left + panelWidth - panelInset}
	y := func(v float64) float64 { return panelTop + panelHigh*(1-v/top) }
	const bottom = panelTop + panelHigh
	p.text(left, 30, "title", "", title)
	p.line("mark", left, panelTop, left, bottom, "")
	p.line("mark", left, bottom, left+panelWidth, bottom, "")
	if goal > 0 {
		p.line("missed", left, y(goal), left+panelWidth, y(goal), ` stroke-dasharray="6 4"`)
		p.text(left+8, y(goal)-6, "missed", "", fmt.Sprintf("goal: at most %.0f", goal))
	}
	var curve [][2]float64
	for i, v := range values {
		px, py := x.at(at[i]), y(v)
		curve = append(curve, [2]float64{px, py})
		p.dot("ours", px, py)
		p.text(px, py-10, "", "middle", fmt.Sprintf("%.0f", v))
		p.text(px, bottom+20, "dim", "middle", thousands(at[i]))
	}
	p.curve("curve", curve)
	p.text(left+panelWidth/2, bottom+42, "dim", "middle", "partitions on the node")
}

// thousands writes 10020 as 10,020.
func thousands(v float64) string {
	s := fmt.Sprintf("%.0f", v)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
