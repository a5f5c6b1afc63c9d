package bench

import (
	"fmt"
	"html"
	"math"
	"slices"
	"strings"
)

// picture is an SVG that stands on its own: it brings its background and the colours
// for light and dark screens, and needs no font in particular. Lengths are pixels.
type picture struct{ b strings.Builder }

const pictureWidth = 760

// The classes of shapes: what a colour means is the same in all plots.
const pictureStyle = `<style>
text { font: 13px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; fill: #1f2328 }
.title { font-weight: 600; font-size: 14px } .dim { fill: #59636e }
.page { fill: #ffffff } .line { stroke: #afb8c1; fill: none } .mark { stroke: #57606a; fill: none }
.ours { fill: #0969da } .theirs { fill: #bc8b2f } .other { fill: #8c959f } .curve { stroke: #0969da; stroke-width: 2; fill: none }
.met { fill: #1a7f37; stroke: #1a7f37 } .missed { fill: #cf222e; stroke: #cf222e }
text.met, text.missed { stroke: none }
@media (prefers-color-scheme: dark) {
 text { fill: #e6edf3 } .dim { fill: #9198a1 }
 .page { fill: #0d1117 } .line { stroke: #3d444d } .mark { stroke: #9198a1 }
 .ours { fill: #4493f8 } .theirs { fill: #d29922 } .other { fill: #7d8590 } .curve { stroke: #4493f8 }
 .met { fill: #3fb950; stroke: #3fb950 } .missed { fill: #f85149; stroke: #f85149 }
}
</style>
`

// svg ends the picture; what it shows is said to those who do not see it.
func (p *picture) svg(height float64, shows string) string {
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%.0f" viewBox="0 0 %d %.0f" role="img">
<title>%s</title>
%s<rect class="page" width="100%%" height="100%%"/>
%s</svg>
`, pictureWidth, height, pictureWidth, height, html.EscapeString(shows), pictureStyle, p.b.String())
}

// text writes from a point to the right; anchor "middle" or "end" centres it there or
// ends it there.
func (p *picture) text(x, y float64, class, anchor, words string) {
	if class != "" {
		class = fmt.Sprintf(` class="%s"`, class)
	}
	if anchor != "" {
		anchor = fmt.Sprintf(` text-anchor="%s"`, anchor)
	}
	words = html.EscapeString(strings.ReplaceAll(words, "`", ""))
	fmt.Fprintf(&p.b, `<text x="%.1f" y="%.1f"%s%s>%s</text>`+"\n", x, y, class, anchor, words)
}

func (p *picture) line(class string, x1, y1, x2, y2 float64, more string) {
	fmt.Fprintf(&p.b, `<path class="%s" d="M%.1f %.1f L%.1f %.1f"%s/>`+"\n", class, x1, y1, x2, y2, more)
}

func (p *picture) bar(class string, x, y, width, height float64) {
	fmt.Fprintf(&p.b, `<rect class="%s" x="%.1f" y="%.1f" width="%.1f" height="%.1f"/>`+"\n", class, x, y, max(width, 1), height)
}

func (p *picture) dot(class string, x, y float64) {
	fmt.Fprintf(&p.b, `<circle class="%s" cx="%.1f" cy="%.1f" r="4.5"/>`+"\n", class, x, y)
}

func (p *picture) curve(class string, points [][2]float64) {
	var at []string
	for _, q := range points {
		at = append(at, fmt.Sprintf("%.1f,%.1f", q[0], q[1]))
	}
	fmt.Fprintf(&p.b, `<polyline class="%s" points="%s"/>`+"\n", class, strings.Join(at, " "))
}

// logScale maps low…high to from…to, by the logarithm.
type logScale struct{ low, high, from, to float64 }

func (s logScale) at(v float64) float64 {
	if s.high <= s.low {
		return s.from
	}
	return s.from + (s.to-s.from)*math.Log(v/s.low)/math.Log(s.high/s.low)
}

// decades are the powers of ten that enclose all values.
func decades(values []float64) (low, high float64) {
	low = math.Pow(10, math.Floor(math.Log10(slices.Min(values))))
	high = math.Pow(10, math.Ceil(math.Log10(slices.Max(values))))
	return low, high
}
