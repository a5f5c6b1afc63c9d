package page

import (
	"fmt"
	"strconv"
	"time"
)

// count writes a number in groups of three.
func count[N int | int64](n N) string {
	s := strconv.FormatInt(int64(n), 10)
	start := 0
	if n < 0 {
		start = 1
	}
	for i := len(s) - 3; i > start; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

var sizes = []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"}

// size writes bytes with three digits at the most.
func size[N int64 | float64](n N) string {
	f, unit := float64(n), 0
	for (f >= 999.5 || f <= -999.5) && unit < len(sizes)-1 {
		f, unit = f/1024, unit+1
	}
	return digits(f, unit > 0) + " " + sizes[unit]
}

// rate writes a number a second.
func rate(f float64) string { return digits(f, true) }

func digits(f float64, fractions bool) string {
	if !fractions || f >= 99.95 || f == 0 {
		return strconv.FormatFloat(f, 'f', 0, 64)
	}
	if f < 9.995 {
		return strconv.FormatFloat(f, 'f', 2, 64)
	}
	return strconv.FormatFloat(f, 'f', 1, 64)
}

// span writes a duration in its two greatest units: it changes rarely, so that what
// is unchanged need not be sent again. What lies ahead of a clock that has been set
// back is no time at all.
func span(d time.Duration) string {
	s := int64(max(d, 0).Round(time.Second) / time.Second)
	switch {
	case s < 60:
		return fmt.Sprintf("%d s", s)
	case s < 600 && s%60 > 0:
		return fmt.Sprintf("%d min %d s", s/60, s%60)
	case s < 3600:
		return fmt.Sprintf("%d min", s/60)
	case s < 86400:
		return fmt.Sprintf("%d h %d min", s/3600, s/60%60)
	}
	return fmt.Sprintf("%d d %d h", s/86400, s/3600%24)
}

// moment is a time twice: for people and for machines.
type moment struct {
	Ago     string // how long before the report, or after it
	Clock   string // in UTC
	Machine string
}

// since is a moment as seen from the report; nil for no time.
func since(t, at time.Time) *moment {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	d := at.Sub(t)
	return &moment{Ago: span(max(d, -d)), Clock: clock(t, at), Machine: t.Format(time.RFC3339)}
}

// clock leaves the day out where it is the report's.
func clock(t, at time.Time) string {
	if y, m, d := at.UTC().Date(); t.Year() == y && t.Month() == m && t.Day() == d {
		return t.Format("15:04:05")
	}
	return t.Format("Jan 2 15:04:05")
}

// percent of a pass, rounded down: 100 means that all is done.
func percent(done, jobs int) int {
	if jobs <= 0 {
		return 0
	}
	return int(min(100, max(0, int64(done)*100/int64(jobs))))
}

// eta of a pass in seconds: -1 is not known, 0 none runs.
func eta(seconds float64) string {
	switch {
	case seconds < 0:
		return "not known"
	case seconds == 0:
		return ""
	case seconds > 1e8:
		return "years"
	}
	return span(time.Duration(seconds * float64(time.Second)))
}

// plural puts a noun in its form for n.
func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return count(n) + " " + many
}
