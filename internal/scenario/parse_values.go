package scenario

import (
	"fmt"
	"path"
	"strconv"
	"strings"
	"time"
)

// maxSize bounds an object of a scenario.
const maxSize = 16 << 20

func (w *list) number(what string, least, most int) (int, error) {
	word := w.next()
	n, err := strconv.Atoi(word)
	if err != nil || n < least || n > most {
		return 0, fmt.Errorf("%s: %q is no number from %d to %d", what, word, least, most)
	}
	return n, nil
}

func (w *list) decimal(what string, least, most float64) (float64, error) {
	word := w.next()
	n, err := strconv.ParseFloat(word, 64)
	if err != nil || !(n >= least && n <= most) {
		return 0, fmt.Errorf("%s: %q is no number from %g to %g", what, word, least, most)
	}
	return n, nil
}

func (w *list) duration(what string) (time.Duration, error) {
	word := w.next()
	d, err := time.ParseDuration(word)
	if err != nil || d <= 0 || d > 100*365*24*time.Hour {
		return 0, fmt.Errorf("%s: %q is no duration like 30s or 200h", what, word)
	}
	return d, nil
}

// sizes reads 4k, 1-64k, which is from 1 KiB, or 1b-64k, which is from one byte.
func (w *list) sizes() (least, most int, err error) {
	word := w.next()
	from, to, isRange := strings.Cut(word, "-")
	if !isRange {
		to = from
	}
	if n := len(to); n > 0 && strings.ContainsAny(to[n-1:], units) && !strings.ContainsAny(from, units) {
		from += to[n-1:]
	}
	least, ok := size(from)
	most, also := size(to)
	if !ok || !also || least > most {
		return 0, 0, fmt.Errorf("size: %q is no size like 4k or 1-64k, up to 16m", word)
	}
	return least, most, nil
}

// units of sizes: bytes, KiB, MiB.
const units = "bkm"

func size(word string) (int, bool) {
	unit := 1
	if n := len(word); n > 0 {
		switch word[n-1] {
		case 'b':
			word = word[:n-1]
		case 'k':
			unit, word = 1<<10, word[:n-1]
		case 'm':
			unit, word = 1<<20, word[:n-1]
		}
	}
	n, err := strconv.Atoi(word)
	if err != nil || n < 0 || n > maxSize/unit || strings.HasPrefix(word, "+") || strings.HasPrefix(word, "-") {
		return 0, false
	}
	return n * unit, true
}

func sizesText(least, most int) string {
	from, to := sizeText(least), sizeText(most)
	switch {
	case least == most:
		return to
	case !strings.ContainsAny(from, units) && strings.ContainsAny(to, units):
		from += "b"
	}
	return from + "-" + to
}

func sizeText(n int) string {
	switch {
	case n > 0 && n%(1<<20) == 0:
		return strconv.Itoa(n>>20) + "m"
	case n > 0 && n%(1<<10) == 0:
		return strconv.Itoa(n>>10) + "k"
	}
	return strconv.Itoa(n)
}

// pattern reads names with * and ?, alternatives with | between.
func (w *list) pattern(what string) (string, error) {
	word := w.next()
	if word == "" {
		return "", fmt.Errorf("%s: a name or pattern like n1|n2 or n1/d* is missing", what)
	}
	if strings.ContainsAny(word, "\"\\;: \t\n") {
		return "", fmt.Errorf("%s: %q is no pattern", what, word)
	}
	for one := range strings.SplitSeq(word, "|") {
		if _, err := path.Match(one, ""); err != nil || one == "" {
			return "", fmt.Errorf("%s: %q is no pattern", what, word)
		}
	}
	return word, nil
}

// Match tells whether a name fits a pattern; an empty pattern fits all.
func Match(pattern, name string) bool {
	if pattern == "" {
		return true
	}
	for one := range strings.SplitSeq(pattern, "|") {
		if ok, _ := path.Match(one, name); ok { // patterns were checked when they were read
			return true
		}
	}
	return false
}

// durationText writes a duration as short as Go reads it: 2h and not 2h0m0s.
func durationText(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
