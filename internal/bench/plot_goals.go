package bench

import (
	"fmt"
	"math"
)

// goalsPlot is the overview, beside the page.
const goalsPlot = "benchmarks-goals.svg"

const (
	goalsTop  = 84.0
	goalsRow  = 24.0
	goalsLeft = 316.0 // names are left of it
	goalsEnd  = 576.0 // figures are right of it
)

// plotGoals draws how much of each goal is used, over a logarithmic axis: what ends
// left of the line at 1 is met. Nothing without goals.
func plotGoals(entries []entry) string {
	type row struct {
		name string
		goal
	}
	var rows []row
	shares := []float64{0.1, 10} // the axis shows one decade on each side at least
	for _, e := range entries {
		for _, g := range e.Goals {
			rows = append(rows, row{e.Name + "  " + g.What, g})
			shares = append(shares, g.share())
		}
	}
	if len(rows) == 0 {
		return ""
	}
	low, high := decades(shares)
	scale := logScale{low, high, goalsLeft, goalsEnd}
	bottom := goalsTop + goalsRow*float64(len(rows))
	var p picture
	p.text(16, 26, "title", "", "What was measured ÷ its goal")
	p.text(16, 46, "dim", "", "Left of the line: met, with as much to spare. Right of it: missed. (For a goal of “≥”: goal ÷ measured.)")
	p.ticks(scale, goalsTop-4, bottom)
	for i, r := range rows {
		y := goalsTop + goalsRow*(float64(i)+0.5)
		class, word := "met", ""
		if r.missed() {
			class, word = "missed", " missed"
		}
		p.text(16, y+4.5, "", "", r.name)
		p.line(class, scale.at(1), y, scale.at(r.share()), y, ` stroke-width="3"`)
		p.dot(class, scale.at(r.share()), y)
		p.text(goalsEnd+14, y+4.5, class, "", r.amount(r.Got)+" ("+r.want()+")"+word)
	}
	return p.svg(bottom+16, "What was measured, divided by its goal, of every benchmark")
}

// ticks draws the decades of a scale, and the goal.
func (p *picture) ticks(scale logScale, top, bottom float64) {
	for exponent := math.Round(math.Log10(scale.low)); exponent <= math.Round(math.Log10(scale.high)); exponent++ {
		x := scale.at(math.Pow(10, exponent))
		label, class, width := fmt.Sprintf("× %g", math.Pow(10, exponent)), "line", 1
		if exponent == 0 {
			label, class, width = "goal", "mark", 2
		}
		p.line(class, x, top, x, bottom, fmt.Sprintf(` stroke-width="%d"`, width))
		p.text(x, top-6, "dim", "middle", label)
	}
}
