package ssync

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"understudy/internal/swift/policy/pytext"
)

// The lines that begin and end the two phases, in both directions. On the wire
// each ends with CRLF.
const (
	MissingStart = ":MISSING_CHECK: START"
	MissingEnd   = ":MISSING_CHECK: END"
	UpdatesStart = ":UPDATES: START"
	UpdatesEnd   = ":UPDATES: END"
)

const errorMark = ":ERROR: "

// Error is a receiver's line about why it gives up. Code is an HTTP status, 0 for
// what has none. Message is as Python prints it: a quoted text, or b'...'.
type Error struct {
	Code    int
	Message string
}

// Append appends the error as a line without its end, which is LF alone.
// Swift: obj/ssync_receiver.py Receiver.__call__.
func (e Error) Append(dst []byte) []byte {
	dst = strconv.AppendInt(append(dst, errorMark...), int64(e.Code), 10)
	return append(append(dst, ' '), e.Message...)
}

// ParseError reads an error line. False for any other line.
func ParseError(line []byte) (Error, bool) {
	rest, ok := bytes.CutPrefix(line, []byte(errorMark))
	if !ok {
		return Error{}, false
	}
	code, message, _ := bytes.Cut(rest, []byte{' '})
	n, err := strconv.ParseUint(string(code), 10, 16)
	if err != nil {
		return Error{}, false
	}
	return Error{Code: int(n), Message: string(message)}, true
}

// Strip cuts white space off both ends of a line, as Python's bytes.strip.
func Strip(line []byte) []byte { return bytes.Trim(line, " \t\n\v\f\r") }

// Repr is a line as Swift's log shows it: repr() of a text when it is ASCII, of
// bytes otherwise.
func Repr(line []byte) string {
	if ascii(line) {
		return pytext.Repr(string(line))
	}
	return ReprBytes(line)
}

// ReprBytes is Python's repr of bytes.
func ReprBytes(b []byte) string {
	quote := byte('\'')
	if bytes.IndexByte(b, '\'') >= 0 && bytes.IndexByte(b, '"') < 0 {
		quote = '"'
	}
	var out strings.Builder
	out.WriteByte('b')
	out.WriteByte(quote)
	for _, c := range b {
		switch {
		case c == quote || c == '\\':
			out.WriteByte('\\')
			out.WriteByte(c)
		case c == '\n':
			out.WriteString(`\n`)
		case c == '\r':
			out.WriteString(`\r`)
		case c == '\t':
			out.WriteString(`\t`)
		case c < ' ' || c > '~':
			fmt.Fprintf(&out, `\x%02x`, c)
		default:
			out.WriteByte(c)
		}
	}
	out.WriteByte(quote)
	return out.String()
}
