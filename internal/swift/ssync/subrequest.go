package ssync

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"understudy/internal/swift/metadata"
)

// Subrequest is the head of a request inside an SSYNC.
type Subrequest struct {
	Method  string // PUT, POST or DELETE
	Path    string // /account/container/object, raw bytes
	Headers metadata.Metadata
}

// Append appends the head with the blank line that ends it. Headers are sorted by
// their names and hold raw bytes. Anything that would end a line is an error:
// it would be read as another header or subrequest.
// Swift: obj/ssync_sender.py send_subrequest.
func (s Subrequest) Append(dst []byte) ([]byte, error) {
	headers := slices.Clone(s.Headers)
	slices.SortStableFunc(headers, func(a, b metadata.Pair) int { return strings.Compare(a.Name, b.Name) })
	dst = appendQuoted(append(append(dst, s.Method...), ' '), s.Path)
	dst = append(dst, "\r\n"...)
	for _, h := range headers {
		if h.Name == "" || strings.ContainsAny(h.Name, ":\r\n") || strings.ContainsAny(h.Value, "\r\n") {
			return dst, fmt.Errorf("write %s %s: header %.80q: %.80q would break the line", s.Method, s.Path, h.Name, h.Value)
		}
		dst = append(append(append(append(dst, h.Name...), ": "...), h.Value...), "\r\n"...)
	}
	return append(dst, "\r\n"...), nil
}

// ParseRequest reads the first line of a subrequest's head.
// Swift: obj/ssync_receiver.py updates.
func ParseRequest(line []byte) (method, path string, err error) {
	m, p, ok := bytes.Cut(Strip(line), []byte{' '})
	if !ok || len(p) == 0 || p[0] != '/' {
		return "", "", malformed("subrequest", line, "no path")
	}
	switch string(m) {
	case "PUT", "POST", "DELETE":
		return string(m), unquote(string(p)), nil
	}
	return "", "", malformed("subrequest", line, "Invalid subrequest method "+string(m))
}

// ParseHeader reads a header of a subrequest: the name in lower case, where Python
// takes its bytes for the characters of latin-1.
//
// Unlike Swift: only white space of ASCII is cut off a value. Swift also cuts the
// bytes 0x85 and 0xa0, with which letters of UTF-8 can end.
func ParseHeader(line []byte) (name, value string, err error) {
	n, v, ok := bytes.Cut(Strip(line), []byte{':'})
	if !ok {
		return "", "", malformed("header", line, "no colon")
	}
	return lower(Strip(n)), string(Strip(v)), nil
}

func lower(name []byte) string {
	b := bytes.Clone(name)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' || 0xc0 <= c && c <= 0xde && c != 0xd7 {
			b[i] = c + 0x20
		}
	}
	return string(b)
}
