package main

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// plotName is the plot of B9, beside the page.
const plotName = "benchmarks-b9.svg"

// What the plot is drawn from, in the samples of B9.
const (
	partitionsKey = "partitions"
	peakKey       = "peak memory, bytes"
	cpuKey        = "CPU a partition, µs"
)

// The picture, in pixels: two panels side by side.
const (
	plotWidth  = 720
	plotHeight = 280
	panelWidth = 270
	panelTop   = 50
	panelHigh  = 180
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

// plot draws memory and CPU time against the number of partitions.
func plot(points []point) string {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">
<rect width="100%%" height="100%%" fill="white"/>
`, plotWidth, plotHeight, plotWidth, plotHeight)
	var at, peak, cpu []float64
	for _, p := range points {
		at, peak, cpu = append(at, p.partitions), append(peak, p.peak), append(cpu, p.cpu)
	}
	panel(&b, 60, "peak memory, MiB", at, peak, peakGoal>>20)
	panel(&b, 420, "CPU time a partition, µs", at, cpu, 0)
	b.WriteString("</svg>\n")
	return b.String()
}

// panel draws one curve over a logarithmic axis of partitions, from 0 up, and a dashed
// line at the goal, if there is one.
func panel(b *strings.Builder, left float64, title string, at, values []float64, goal float64) {
	low, high := math.Log10(slices.Min(at)), math.Log10(slices.Max(at))
	if high == low {
		high++
	}
	top := 1.15 * max(slices.Max(values), goal)
	x := func(v float64) float64 { return left + panelWidth*(math.Log10(v)-low)/(high-low) }
	y := func(v float64) float64 { return panelTop + panelHigh*(1-v/top) }
	fmt.Fprintf(b, `<text x="%.0f" y="30" font-weight="bold">%s</text>`+"\n", left, title)
	fmt.Fprintf(b, `<path d="M%.0f %d V%d H%.0f" fill="none" stroke="black"/>`+"\n", left, panelTop, panelTop+panelHigh, left+panelWidth)
	if goal > 0 {
		fmt.Fprintf(b, `<path d="M%.0f %.1f H%.0f" stroke="#c00" stroke-dasharray="6 4"/><text x="%.0f" y="%.1f" fill="#c00">goal %.0f</text>`+"\n",
			left, y(goal), left+panelWidth, left+8, y(goal)-5, goal)
	}
	var line []string
	for i, v := range values {
		px, py := x(at[i]), y(v)
		line = append(line, fmt.Sprintf("%.1f,%.1f", px, py))
		fmt.Fprintf(b, `<circle cx="%.1f" cy="%.1f" r="3.5" fill="#06c"/><text x="%.1f" y="%.1f" text-anchor="middle">%.0f</text>`+"\n",
			px, py, px, py-9, v)
		fmt.Fprintf(b, `<text x="%.1f" y="%d" text-anchor="middle">%.0f</text>`+"\n", px, panelTop+panelHigh+18, at[i])
	}
	fmt.Fprintf(b, `<polyline points="%s" fill="none" stroke="#06c" stroke-width="2"/>`+"\n", strings.Join(line, " "))
	fmt.Fprintf(b, `<text x="%.0f" y="%d" text-anchor="middle">partitions on the node</text>`+"\n", left+panelWidth/2, panelTop+panelHigh+38)
}
