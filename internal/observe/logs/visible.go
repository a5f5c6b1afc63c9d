package logs

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// What a peer answers, what a file is called and what rsync prints can reach a line.
// Here, before it leaves, and nowhere else, it is made harmless: nothing in it ends a
// line, ends a datagram, or tells a terminal what to do.

// unseen tells whether a character is not printed but does something: control characters
// (also those above ASCII), separators of lines, and what turns the direction of text.
func unseen(r rune) bool {
	switch {
	case r < 0x7f:
		return r < ' '
	case r <= 0x9f:
		return true
	case r == 0x61c, r >= 0x200e && r <= 0x200f, r >= 0x2028 && r <= 0x202e, r >= 0x2066 && r <= 0x2069, r == 0xfeff:
		return true
	}
	return false
}

// visible writes each byte of what is unseen, or is no UTF-8, as # and three octal digits,
// but for the characters in keep. A line end is #012, as in Swift.
//
// Unlike Swift: which does so with line ends only, and leaves the rest to the syslog daemon;
// rsyslog writes control characters of ASCII in the same way.
func visible(text, keep string) string {
	hidden := func(r rune) bool { return r == utf8.RuneError || unseen(r) && !strings.ContainsRune(keep, r) }
	if !strings.ContainsFunc(text, hidden) {
		return text
	}
	var b strings.Builder
	b.Grow(len(text) + 32)
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		switch {
		case hidden(r) && (r != utf8.RuneError || size == 1):
			for _, c := range []byte(text[i : i+size]) {
				b.Write([]byte{'#', '0' + c>>6, '0' + c>>3&7, '0' + c&7})
			}
		default:
			b.WriteString(text[i : i+size])
		}
		i += size
	}
	return b.String()
}

// indented is a text for a terminal: its line ends are kept, but no line that it goes on
// with looks like one of the log's own.
func indented(text string) string {
	return strings.ReplaceAll(visible(text, "\n\t"), "\n", "\n    ")
}

// visibleJSON escapes what is unseen in a line of JSON, where it can be in strings only.
// zerolog has escaped the control characters of ASCII, and what is no UTF-8.
func visibleJSON(p []byte) []byte {
	end := len(p)
	if end > 0 && p[end-1] == '\n' {
		end--
	}
	clean := true
	for _, c := range p[:end] {
		clean = clean && c >= ' ' && c < 0x7f
	}
	if clean {
		return p
	}
	b := make([]byte, 0, len(p)+32)
	for i := 0; i < end; {
		r, size := utf8.DecodeRune(p[i:end])
		if unseen(r) && (r >= 0x7f || !unicode.IsSpace(r)) {
			const digits = "0123456789abcdef"
			b = append(b, '\\', 'u', digits[r>>12&15], digits[r>>8&15], digits[r>>4&15], digits[r&15])
		} else {
			b = append(b, p[i:i+size]...)
		}
		i += size
	}
	return append(b, p[end:]...)
}
