package page

import (
	"slices"
	"strconv"
	"time"

	"understudy/internal/observe/status"
)

// The plots' coordinates, in units of their view boxes.
const (
	plotWidth  = 300
	plotHeight = 56
	plotSteps  = 150 // points drawn at the most
)

// plot is one rate over the last minutes.
type plot struct {
	Name   string
	Unit   string
	Now    string
	High   string
	Low    string
	From   string // how long ago it begins
	Line   string // path data
	Area   string // the same, closed at the bottom
	Width  int
	Height int
}

// drawn makes a plot of a report. now is the rate of the last minute, value the rate of
// a point, and write how it is written.
func drawn(name, unit string, r *status.Report, now float64, value func(status.Point) float64, write func(float64) string) plot {
	p := plot{Name: name, Unit: unit, Now: write(now), Width: plotWidth, Height: plotHeight}
	points := thinned(r.Plot, value)
	if len(points) < 2 {
		return p
	}
	high, low := slices.Max(points), slices.Min(points)
	p.High, p.Low, p.From = write(high), write(low), span(r.Plot[len(r.Plot)-1].At.Sub(r.Plot[0].At).Round(time.Minute))
	p.Line = path(points, high)
	p.Area = p.Line + "V" + strconv.Itoa(plotHeight) + "H0Z"
	return p
}

// thinned takes means of neighbours, so that a path stays short however long the
// history is.
func thinned(points []status.Point, value func(status.Point) float64) []float64 {
	each := (len(points) + plotSteps - 1) / plotSteps
	var out []float64
	for end := len(points); end > 0 && each > 0; end -= each {
		chunk := points[max(0, end-each):end]
		sum := 0.0
		for _, p := range chunk {
			if v := value(p); v > 0 && v < 1e18 { // also no NaN
				sum += v
			}
		}
		out = append(out, sum/float64(len(chunk)))
	}
	slices.Reverse(out)
	return out
}

// path draws values from zero to the highest.
func path(values []float64, high float64) string {
	b := make([]byte, 0, 12*len(values))
	for i, v := range values {
		x := float64(i) / float64(len(values)-1) * plotWidth
		y := float64(plotHeight) - 1
		if high > 0 {
			y -= v / high * (plotHeight - 3)
		}
		if i == 0 {
			b = append(b, 'M')
		} else {
			b = append(b, 'L')
		}
		b = strconv.AppendFloat(b, x, 'f', 1, 64)
		b = append(b, ' ')
		b = strconv.AppendFloat(b, y, 'f', 1, 64)
	}
	return string(b)
}
