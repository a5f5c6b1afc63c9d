package timestamp

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// ErrInvalid is in the chain of every error of this package's parsers.
var ErrInvalid = errors.New("invalid timestamp")

// Parse reads any text that Swift takes for a timestamp: a Python float, and
// after the first underscore at most 16 hex digits of offset. The value is what
// Swift would write back: rounded half to even to 10 µs.
//
// Unlike Swift: "-0", digits outside ASCII, and an offset with a sign, blanks or
// 0x are refused. Nothing writes them, and a refused name is never deleted.
func Parse(s string) (Timestamp, error) {
	t, _, err := parse(s)
	return t, err
}

// parse also returns Swift's raw, from which differences between timestamps are
// counted. It can be one unit away from t.Raw when s has more than five decimals,
// because Swift rounds a quotient there and the decimal text here.
func parse(s string) (t Timestamp, raw int64, err error) {
	base, offset, _ := strings.Cut(s, "_")
	if offset != "" {
		if t.Offset, err = parseHex(offset); err != nil {
			return Timestamp{}, 0, invalid(s)
		}
	}
	if raw, ok := parseNormal(base); ok {
		t.Raw = raw
		return t, raw, nil
	}
	seconds, ok := parseFloat(base)
	if !ok || math.Signbit(seconds) || seconds >= 1e10 {
		return Timestamp{}, 0, invalid(s)
	}
	t.Raw = roundSeconds(seconds)
	return t, int64(math.RoundToEven(seconds / 1e-5)), nil
}

func invalid(s string) error {
	if len(s) > 64 {
		s = s[:64] + "…"
	}
	return fmt.Errorf("parse %q: %w", s, ErrInvalid)
}

// parseNormal reads the one form that Swift itself writes.
func parseNormal(s string) (int64, bool) {
	if len(s) != 16 || s[10] != '.' {
		return 0, false
	}
	var raw int64
	for i := range len(s) {
		if i == 10 {
			continue
		}
		d := s[i] - '0'
		if d > 9 {
			return 0, false
		}
		raw = raw*10 + int64(d)
	}
	return raw, true
}

// parseHex reads 1 to 16 hex digits.
func parseHex(s string) (uint64, error) {
	if len(s) > 16 || s[0] == '+' || s[0] == '-' {
		return 0, ErrInvalid
	}
	return strconv.ParseUint(s, 16, 64)
}

// roundSeconds is a double as Python's "%.5f" shows it, in units of 10 µs.
func roundSeconds(seconds float64) int64 {
	var room [32]byte
	text := strconv.AppendFloat(room[:0], seconds, 'f', 5, 64)
	var raw int64
	for _, c := range text {
		if c != '.' {
			raw = raw*10 + int64(c-'0')
		}
	}
	return raw
}

// parseFloat reads a finite decimal number as Python's float() does: blanks
// around it, a sign, digits with an optional point, an exponent.
func parseFloat(s string) (float64, bool) {
	s = strings.Trim(s, " \t\n\v\f\r")
	rest := s
	if rest != "" && (rest[0] == '+' || rest[0] == '-') {
		rest = rest[1:]
	}
	whole := digits(rest)
	rest = rest[whole:]
	decimals := 0
	if rest != "" && rest[0] == '.' {
		decimals = digits(rest[1:])
		rest = rest[1+decimals:]
	}
	if whole+decimals == 0 {
		return 0, false
	}
	if rest != "" && (rest[0] == 'e' || rest[0] == 'E') {
		rest = rest[1:]
		if rest != "" && (rest[0] == '+' || rest[0] == '-') {
			rest = rest[1:]
		}
		exponent := digits(rest)
		if exponent == 0 {
			return 0, false
		}
		rest = rest[exponent:]
	}
	if rest != "" {
		return 0, false
	}
	f, err := strconv.ParseFloat(s, 64)
	return f, err == nil
}

// digits counts the ASCII digits that s begins with.
func digits(s string) int {
	n := 0
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	return n
}
