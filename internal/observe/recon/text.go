package recon

import (
	"fmt"
	"unicode/utf16"
	"unicode/utf8"
)

// Python's strings may hold lone surrogates, which UTF-8 cannot. They are kept in
// the three bytes that UTF-8 would give them, so that they survive a rewrite.

// decodeRune reads one code point, surrogates included; size 0 when s starts with
// no character.
func decodeRune(s string) (r rune, size int) {
	r, size = utf8.DecodeRuneInString(s)
	if r != utf8.RuneError || size > 1 {
		return r, size
	}
	if len(s) >= 3 && s[0] == 0xed && s[1] >= 0xa0 && s[1] <= 0xbf && s[2]&0xc0 == 0x80 {
		return 0xd000 | rune(s[1]&0x3f)<<6 | rune(s[2]&0x3f), 3
	}
	return utf8.RuneError, 0
}

func appendRune(b []byte, r rune) []byte {
	if utf16.IsSurrogate(r) {
		return append(b, 0xed, 0x80|byte(r>>6)&0x3f, 0x80|byte(r)&0x3f)
	}
	return utf8.AppendRune(b, r)
}

// validText reports whether all of s can be decoded.
func validText(s string) bool {
	for s != "" {
		_, size := decodeRune(s)
		if size == 0 {
			return false
		}
		s = s[size:]
	}
	return true
}

// encodeText appends a string in quotes, in ASCII.
func encodeText(b []byte, s string) []byte {
	b = append(b, '"')
	for s != "" {
		r, size := decodeRune(s)
		s = s[max(size, 1):]
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r == '\n':
			b = append(b, `\n`...)
		case r == '\r':
			b = append(b, `\r`...)
		case r == '\t':
			b = append(b, `\t`...)
		case r == '\f':
			b = append(b, `\f`...)
		case r == '\b':
			b = append(b, `\b`...)
		case r >= ' ' && r <= '~':
			b = append(b, byte(r))
		case r >= 0x10000:
			high, low := utf16.EncodeRune(r)
			b = fmt.Appendf(b, `\u%04x\u%04x`, high, low)
		default:
			b = fmt.Appendf(b, `\u%04x`, r)
		}
	}
	return append(b, '"')
}
