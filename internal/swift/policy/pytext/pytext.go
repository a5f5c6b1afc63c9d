// Package pytext reads and writes text as Python does, where Swift lets Python
// decide what an operator may write: which blanks are stripped, which digits
// make a number, which words mean yes, and how a string is quoted in a message.
package pytext

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"unicode"
)

// IsSpace is Python's str.isspace for one character: Unicode white space and
// the four ASCII separators 0x1c-0x1f.
func IsSpace(r rune) bool {
	return unicode.IsSpace(r) || (r >= 0x1c && r <= 0x1f)
}

// Strip is str.strip().
func Strip(s string) string { return strings.TrimFunc(s, IsSpace) }

// StripRight is str.rstrip().
func StripRight(s string) string { return strings.TrimRightFunc(s, IsSpace) }

const digits = `[0-9](?:_?[0-9])*`

var (
	intForm   = regexp.MustCompile(`^[+-]?` + digits + `$`)
	floatForm = regexp.MustCompile(`^[+-]?(?:(?:` + digits + `(?:\.(?:` + digits + `)?)?|\.` + digits + `)(?:[eE][+-]?` + digits + `)?|(?i:inf|infinity|nan))$`)
)

// Int is int(s) for ASCII digits. Python's integers have no limit; a number
// that does not fit 64 bits is an error here.
func Int(s string) (int64, error) {
	t := strings.TrimSpace(s) // not Strip: numbers do not take the separators
	if !intForm.MatchString(t) {
		return 0, fmt.Errorf("invalid literal for int() with base 10: %s", Repr(s))
	}
	n, err := strconv.ParseInt(strings.ReplaceAll(t, "_", ""), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("number out of range: %s", Repr(s))
	}
	return n, nil
}

// Float is float(s) for ASCII digits; it can be infinite or not a number.
func Float(s string) (float64, error) {
	t := strings.TrimSpace(s)
	if !floatForm.MatchString(t) {
		return 0, fmt.Errorf("could not convert string to float: %s", Repr(s))
	}
	if strings.HasSuffix(strings.ToLower(t), "nan") {
		return math.NaN(), nil // Go does not take a sign
	}
	f, err := strconv.ParseFloat(strings.ReplaceAll(t, "_", ""), 64)
	if err != nil && !math.IsInf(f, 0) { // too large is infinite, as in Python
		return 0, fmt.Errorf("could not convert string to float: %s", Repr(s))
	}
	return f, nil
}

// True is config_true_value: everything that is not one of these words is false.
// Swift: common/utils.py TRUE_VALUES.
func True(s string) bool {
	switch strings.ToLower(s) {
	case "true", "1", "yes", "on", "t", "y":
		return true
	}
	return false
}

// CSV is list_from_csv: split at commas, strip, drop what is empty.
func CSV(s string) []string {
	var out []string
	for _, v := range strings.Split(s, ",") {
		if v = Strip(v); v != "" {
			out = append(out, v)
		}
	}
	return out
}

// Repr is repr(s) of a str.
func Repr(s string) string {
	quote := '\''
	if strings.ContainsRune(s, '\'') && !strings.ContainsRune(s, '"') {
		quote = '"'
	}
	var b strings.Builder
	b.WriteRune(quote)
	for _, r := range s {
		switch {
		case r == quote || r == '\\':
			b.WriteRune('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case unicode.IsPrint(r):
			b.WriteRune(r)
		case r < 0x100:
			fmt.Fprintf(&b, `\x%02x`, r)
		case r < 0x10000:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
	}
	b.WriteRune(quote)
	return b.String()
}
