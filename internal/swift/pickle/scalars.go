package pickle

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

func (d *decoder) binInt1() string {
	v, reason := d.uint(1)
	if reason != "" {
		return reason
	}
	return d.value(int64(v))
}

func (d *decoder) binInt2() string {
	v, reason := d.uint(2)
	if reason != "" {
		return reason
	}
	return d.value(int64(v))
}

func (d *decoder) binInt() string {
	v, reason := d.uint(4)
	if reason != "" {
		return reason
	}
	return d.value(int64(int32(v)))
}

// long1 reads a little-endian two's complement number of up to 8 bytes.
func (d *decoder) long1() string {
	n, reason := d.uint(1)
	if reason != "" {
		return reason
	}
	if n > 8 {
		return "number does not fit into 64 bits"
	}
	s, reason := d.take(int(n))
	if reason != "" {
		return reason
	}
	var v uint64
	if n > 0 && s[n-1] >= 0x80 {
		v = math.MaxUint64
	}
	for i := int(n) - 1; i >= 0; i-- {
		v = v<<8 | uint64(s[i])
	}
	return d.value(int64(v))
}

// intLine reads INT, which is also how protocols 0 and 1 write booleans.
func (d *decoder) intLine() string {
	s, reason := d.line(maxLine)
	if reason != "" {
		return reason
	}
	switch s {
	case "00":
		return d.value(false)
	case "01":
		return d.value(true)
	}
	return d.decimal(s)
}

func (d *decoder) longLine() string {
	s, reason := d.line(maxLine)
	if reason != "" {
		return reason
	}
	return d.decimal(strings.TrimSuffix(s, "L"))
}

func (d *decoder) decimal(s string) string {
	v, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return "not a number of 64 bits"
	}
	return d.value(v)
}

func (d *decoder) binFloat() string {
	v, reason := d.float()
	if reason != "" {
		return reason
	}
	return d.value(v)
}

func (d *decoder) floatLine() string {
	s, reason := d.line(maxLine)
	if reason != "" {
		return reason
	}
	v, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return "not a float"
	}
	return d.value(v)
}

func (d *decoder) sized(width int) (string, string) {
	n, reason := d.uint(width)
	if reason != "" {
		return "", reason
	}
	if n > math.MaxInt32 {
		return "", "negative length"
	}
	return d.take(int(n))
}

func (d *decoder) binUnicode() string {
	s, reason := d.sized(4)
	if reason != "" {
		return reason
	}
	if !validText(s) {
		return "text is not UTF-8"
	}
	return d.value(Text(s))
}

func (d *decoder) shortBinString() string {
	s, reason := d.sized(1)
	if reason != "" {
		return reason
	}
	return d.value(Bytes(s))
}

func (d *decoder) binString() string {
	s, reason := d.sized(4)
	if reason != "" {
		return reason
	}
	return d.value(Bytes(s))
}

// validText tells whether s is UTF-8, or would be if surrogates were allowed in
// it: Python writes lone ones so.
func validText(s string) bool {
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		if r == utf8.RuneError && n == 1 {
			if !surrogate(s) {
				return false
			}
			n = 3
		}
		s = s[n:]
	}
	return true
}

func surrogate(s string) bool {
	return len(s) >= 3 && s[0] == 0xed && s[1] >= 0xa0 && s[1] <= 0xbf && s[2] >= 0x80 && s[2] <= 0xbf
}

// unicodeLine reads raw-unicode-escape: Latin-1 with \uXXXX and \UXXXXXXXX.
func (d *decoder) unicodeLine() string {
	s, reason := d.line(len(d.in))
	if reason != "" {
		return reason
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		width := 0
		if s[i] == '\\' && i+1 < len(s) {
			switch s[i+1] {
			case 'u':
				width = 4
			case 'U':
				width = 8
			}
		}
		if width == 0 {
			b.WriteRune(rune(s[i]))
			continue
		}
		if i+2+width > len(s) {
			return "escape is cut short"
		}
		v, err := strconv.ParseUint(s[i+2:i+2+width], 16, 32)
		if err != nil || v > utf8.MaxRune {
			return "escape is no character"
		}
		writeRune(&b, rune(v))
		i += 1 + width
	}
	return d.value(Text(b.String()))
}

func writeRune(b *strings.Builder, r rune) {
	if r >= 0xd800 && r <= 0xdfff {
		b.Write([]byte{0xed, 0x80 | byte(r>>6)&0x3f, 0x80 | byte(r)&0x3f})
		return
	}
	b.WriteRune(r)
}

// stringLine reads the repr of a Python 2 str.
func (d *decoder) stringLine() string {
	s, reason := d.line(len(d.in))
	if reason != "" {
		return reason
	}
	if len(s) < 2 || (s[0] != '\'' && s[0] != '"') || s[len(s)-1] != s[0] {
		return "string is not quoted"
	}
	s = s[1 : len(s)-1]
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			out = append(out, s[i])
			continue
		}
		c, n := unescape(s[i+1:])
		if n == 0 {
			return "unknown escape"
		}
		out = append(out, c)
		i += n
	}
	return d.value(Bytes(out))
}

// unescape reads what follows a backslash in the repr of a Python 2 str, which
// uses no other escapes than these. 0 bytes read means that it is none of them.
func unescape(s string) (byte, int) {
	if s == "" {
		return 0, 0
	}
	switch s[0] {
	case '\\', '\'', '"':
		return s[0], 1
	case 'n':
		return '\n', 1
	case 't':
		return '\t', 1
	case 'r':
		return '\r', 1
	case 'x':
		if len(s) < 3 {
			return 0, 0
		}
		v, err := strconv.ParseUint(s[1:3], 16, 8)
		if err != nil {
			return 0, 0
		}
		return byte(v), 3
	}
	return 0, 0
}
