package timestamp

import (
	"strconv"
	"strings"
)

// Decoded is a text of up to three timestamps. N tells how many were written;
// the rest are zero values.
type Decoded struct {
	T1, T2, T3 Timestamp
	N          int
}

// Decode reads a timestamp followed by signed hex differences, each from the
// timestamp before it: t1[±(t2-t1)[±(t3-t2)]]. A difference of zero repeats the
// timestamp with its offset; any other gives one without offset. Differences
// after the second are ignored. Swift: common/utils decode_timestamps, explicit.
func Decode(s string) (Decoded, error) {
	first, rest := s, ""
	if i := strings.IndexAny(s, "+-"); i >= 0 {
		first, rest = s[:i], s[i:]
	}
	t, raw, err := parse(first)
	if err != nil {
		return Decoded{}, invalid(s)
	}
	d := Decoded{T1: t, N: 1}
	for _, next := range []*Timestamp{&d.T2, &d.T3} {
		if rest == "" {
			break
		}
		sign, text := rest[0], rest[1:]
		rest = ""
		if i := strings.IndexAny(text, "+-"); i >= 0 {
			text, rest = text[:i], text[i:]
		}
		delta, ok := parseDelta(text)
		if !ok {
			return Decoded{}, invalid(s)
		}
		if delta != 0 {
			if sign == '-' {
				delta = -delta
			}
			raw += delta
			if raw < 0 || raw >= limit {
				return Decoded{}, invalid(s)
			}
			t = Timestamp{Raw: raw}
		}
		*next = t
		d.N++
	}
	return d, nil
}

// parseDelta reads hex digits without a sign. A difference that leaves the range
// of timestamps whatever it is added to is refused here.
//
// Unlike Swift: blanks, underscores and 0x are refused.
func parseDelta(s string) (int64, bool) {
	if s == "" {
		return 0, false
	}
	significant := strings.TrimLeft(s, "0")
	if significant == "" {
		return 0, true
	}
	v, err := strconv.ParseUint(significant, 16, 64)
	if err != nil || v > limit {
		return 0, false
	}
	return int64(v), true
}

// Encode writes t1 and, when there is a t2, the difference from it, always
// signed: the stem of a .meta file's name. The offset of t2 is not kept.
// Swift: common/utils encode_timestamps, explicit.
func Encode(t1 Timestamp, t2 *Timestamp) string {
	s := t1.Short()
	if t2 == nil {
		return s
	}
	return s + signedHex(t2.Raw-t1.Raw)
}

func signedHex(delta int64) string {
	if delta < 0 {
		return strconv.FormatInt(delta, 16)
	}
	return "+" + strconv.FormatInt(delta, 16)
}
