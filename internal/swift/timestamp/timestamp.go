// Package timestamp is Swift's notion of time: the point in time and the offset
// that name every file of an object, and the texts they are written as.
package timestamp

import (
	"cmp"
	"fmt"
	"strconv"
	"time"
)

// Timestamp is a point in time of Swift. The zero value is the epoch. Two
// timestamps are the same exactly when they are equal with ==.
//
// Raw counts units of 10 µs since the epoch, 0 to 1e15. Offset orders versions
// that carry the same time (object-reconciler). Swift: common/utils Timestamp.
type Timestamp struct {
	Raw    int64
	Offset uint64
}

const (
	unitsPerSecond = 100_000
	unit           = time.Second / unitsPerSecond

	// limit is the first raw value that no text of 16 characters can hold. Swift
	// admits every time below 1e10 seconds, and rounds 9999999999.999999 up to it.
	limit = 1_000_000_000_000_000
)

// FromTime is the timestamp of a moment, rounded half to even.
func FromTime(t time.Time) (Timestamp, error) {
	raw := t.Unix() * unitsPerSecond
	nanos := time.Duration(t.Nanosecond())
	raw += int64(nanos / unit)
	if rest := nanos % unit; rest > unit/2 || rest == unit/2 && raw%2 == 1 {
		raw++
	}
	if t.Unix() < 0 || t.Unix() >= limit/unitsPerSecond || raw >= limit {
		return Timestamp{}, fmt.Errorf("convert time %s to timestamp: out of range", t.UTC().Format(time.RFC3339Nano))
	}
	return Timestamp{Raw: raw}, nil
}

// Time is the moment of a timestamp, without its offset.
func (t Timestamp) Time() time.Time {
	return time.Unix(t.Raw/unitsPerSecond, t.Raw%unitsPerSecond*int64(unit))
}

// Seconds is the time as Python's float(timestamp): the double nearest to it.
func (t Timestamp) Seconds() float64 { return float64(t.Raw) / unitsPerSecond }

// IsZero reports what Python calls a false timestamp: the epoch without offset.
func (t Timestamp) IsZero() bool { return t == Timestamp{} }

// Compare orders timestamps by their internal texts, as Swift does: -1, 0 or +1.
func (t Timestamp) Compare(o Timestamp) int {
	if t.Raw >= limit || o.Raw >= limit {
		// One text is a digit longer, so text order is not the order in time.
		return cmp.Compare(t.Internal(), o.Internal())
	}
	if c := cmp.Compare(t.Raw, o.Raw); c != 0 {
		return c
	}
	return cmp.Compare(t.Offset, o.Offset)
}

// Normal is the time without the offset: ten digits, a point, five digits.
func (t Timestamp) Normal() string { return string(t.appendNormal(make([]byte, 0, 17))) }

// Internal is Normal, and for an offset an underscore and 16 hex digits more.
// Suffix hashes and the order of versions are made of it.
func (t Timestamp) Internal() string { return string(t.AppendInternal(make([]byte, 0, 34))) }

// Short is Normal, and for an offset an underscore and its hex digits without
// padding. Names of .meta files use it.
func (t Timestamp) Short() string {
	b := t.appendNormal(make([]byte, 0, 34))
	if t.Offset != 0 {
		b = strconv.AppendUint(append(b, '_'), t.Offset, 16)
	}
	return string(b)
}

// String is Internal.
func (t Timestamp) String() string { return t.Internal() }

// AppendInternal appends Internal to dst without allocating.
func (t Timestamp) AppendInternal(dst []byte) []byte {
	dst = t.appendNormal(dst)
	if t.Offset == 0 {
		return dst
	}
	dst = append(dst, '_')
	for shift := 60; shift >= 0; shift -= 4 {
		dst = append(dst, "0123456789abcdef"[t.Offset>>shift&0xf])
	}
	return dst
}

func (t Timestamp) appendNormal(dst []byte) []byte {
	if t.Raw < 0 || t.Raw >= limit {
		// Ten digits do not hold it. Negative values are never parsed.
		dst = strconv.AppendInt(dst, t.Raw/unitsPerSecond, 10)
	} else {
		dst = appendDigits(dst, t.Raw/unitsPerSecond, 10)
	}
	return appendDigits(append(dst, '.'), max(0, t.Raw%unitsPerSecond), 5)
}

// appendDigits appends v in decimal, padded with zeros to width.
func appendDigits(dst []byte, v int64, width int) []byte {
	start := len(dst)
	for range width {
		dst = append(dst, '0')
	}
	for i := len(dst) - 1; i >= start && v > 0; i-- {
		dst[i] = byte('0' + v%10)
		v /= 10
	}
	return dst
}
