package bench

import (
	"fmt"
	"slices"
	"strings"
)

// timesPlot shows the times of B1 to B7, beside the page.
const timesPlot = "benchmarks-times.svg"

const (
	timesTop   = 64.0
	timesRow   = 20.0
	timesGap   = 18.0  // between benchmarks
	timesWall  = 250.0 // where the bars of wall time begin
	timesCPU   = 520.0
	timesWidth = 160.0 // of the longest bar of a benchmark
)

// times are the medians of one program in one benchmark, in seconds.
type times struct {
	program   string
	wall, cpu float64
}

// times reads them from the samples: others' by name, then ours.
func (e entry) times() (all []times) {
	for key, walls := range e.Samples {
		program, ok := strings.CutSuffix(key, wallKey)
		if cpus := e.Samples[program+timeKey]; ok && len(walls) > 0 && len(cpus) > 0 {
			all = append(all, times{program, median(walls), median(cpus)})
		}
	}
	slices.SortFunc(all, func(a, b times) int {
		if isOur(a.program) != isOur(b.program) {
			return map[bool]int{false: -1, true: 1}[isOur(a.program)]
		}
		return strings.Compare(a.program, b.program)
	})
	return all
}

func isOur(program string) bool { return strings.HasPrefix(program, "ours") }

// plotTimes draws wall and CPU time side by side. Each benchmark has a scale of its own,
// the same for both times. Nothing without such benchmarks.
func plotTimes(entries []entry) string {
	var p picture
	p.text(16, 26, "title", "", "Seconds a run, medians")
	p.text(timesWall, 48, "dim", "", "wall")
	p.text(timesCPU, 48, "dim", "", "CPU, user and system")
	y := timesTop
	for _, e := range entries {
		all := e.times()
		if len(all) == 0 || !slices.Contains([]string{"B1", "B2", "B3", "B4", "B5", "B6", "B7"}, e.Name) {
			continue
		}
		longest := 0.0
		for _, t := range all {
			longest = max(longest, t.wall, t.cpu)
		}
		if y > timesTop {
			p.line("line", 16, y-timesGap/2, pictureWidth-16, y-timesGap/2, "")
		}
		p.text(16, y+13, "title", "", e.Name)
		for _, t := range all {
			p.text(timesWall-10, y+13, "", "end", t.program)
			p.timeBar(t, timesWall, y, t.wall/longest, t.wall)
			p.timeBar(t, timesCPU, y, t.cpu/longest, t.cpu)
			y += timesRow
		}
		y += timesGap
	}
	if y == timesTop {
		return ""
	}
	return p.svg(y, "Wall and CPU time of Swift's program and ours, B1 to B7")
}

// timeBar draws one bar with its figure.
func (p *picture) timeBar(t times, x, y, share, seconds float64) {
	class := "theirs"
	switch {
	case isOur(t.program):
		class = "ours"
	case !strings.HasPrefix(t.program, "Swift"):
		class = "other"
	}
	p.bar(class, x, y+2, timesWidth*share, timesRow-5)
	p.text(x+timesWidth*share+6, y+13, "", "", fmt.Sprintf("%.2f", seconds))
}
