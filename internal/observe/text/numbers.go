package text

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Span is a length of time in six columns at most: 42s, 41m, 3h05m, 12d04h, 123d.
func Span(d time.Duration) string {
	const day = 24 * time.Hour
	d = max(d, 0)
	switch {
	case d < 100*time.Second:
		return fmt.Sprintf("%ds", d/time.Second)
	case d < 100*time.Minute:
		return fmt.Sprintf("%dm", d/time.Minute)
	case d < 2*day:
		return fmt.Sprintf("%dh%02dm", d/time.Hour, d%time.Hour/time.Minute)
	case d < 100*day:
		return fmt.Sprintf("%dd%02dh", d/day, d%day/time.Hour)
	}
	return fmt.Sprintf("%dd", d/day)
}

// seconds is a Span of seconds as reports have them; -1 is not known.
func seconds(s float64) string {
	switch {
	case s < 0 || math.IsNaN(s):
		return "?"
	case s >= math.MaxInt64/1e9:
		return "never"
	}
	return Span(time.Duration(s * float64(time.Second)))
}

// since is the Span between two times; nothing for a zero time.
func since(at, t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return Span(at.Sub(t))
}

// until is the Span up to a time, which may be over.
func until(at, t time.Time) string { return Span(t.Sub(at)) }

// Bytes is a size in powers of 1024: 17 B, 4.1 MiB, 12 TiB.
func Bytes(n int64) string {
	return scaled(float64(n), 1024, " ", []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"})
}

// Count is a number in five columns at most: 9999, 61k, 1.2M.
func Count(n int64) string {
	if n > -10000 && n < 10000 {
		return strconv.FormatInt(n, 10)
	}
	return scaled(float64(n), 1000, "", []string{"", "k", "M", "G", "T", "P", "E"})
}

func scaled(v, base float64, gap string, units []string) string {
	i := 0
	for ; math.Abs(v) >= base-0.5 && i < len(units)-1; i++ {
		v /= base
	}
	digits := 0
	if i > 0 && math.Abs(v) < 9.95 {
		digits = 1
	}
	return strconv.FormatFloat(v, 'f', digits, 64) + gap + units[i]
}

// rate is so many a second.
func rate(v float64) string { return several(v) + "/s" }

func several(v float64) string {
	switch {
	case v <= 0 || math.IsNaN(v):
		return "0"
	case v < 9.95:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return Count(int64(min(math.Round(v), 1e18)))
}

// percent is how much of all is done: 100 only at the end.
func percent(done, all int) string {
	switch {
	case all <= 0:
		return "-"
	case done >= all:
		return "100%"
	}
	return strconv.Itoa(int(float64(done)/float64(all)*100)) + "%"
}

// plural is a number of things.
func plural(n int64, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	if strings.HasSuffix(thing, "s") || strings.HasSuffix(thing, "sh") {
		return Count(n) + " " + thing + "es"
	}
	return Count(n) + " " + thing + "s"
}
