package server

import (
	"bytes"
	"net/textproto"
	"net/url"
	"strings"
)

// head is the first line of a request and the headers that decide who serves it,
// read from the bytes as they came.
type head struct {
	method string
	path   string // unquoted, without the query
	policy string // as in policyHeader
	length string // Content-Length, or empty
	coding string // Transfer-Encoding, or empty
}

// headEnd is the length of a head up to and with its empty line, or 0 when that has
// not come. Like net/http and Swift's servers it takes a bare LF for the end of a line.
func headEnd(b []byte) int {
	for at := 0; ; {
		i := bytes.IndexByte(b[at:], '\n')
		if i < 0 {
			return 0
		}
		line := b[at : at+i]
		at += i + 1
		if len(bytes.TrimSuffix(line, []byte("\r"))) == 0 {
			return at
		}
	}
}

// parseHead reads a head. It is not ok when the first line makes no sense.
func parseHead(b []byte) (h head, ok bool) {
	line, rest, _ := bytes.Cut(b, []byte("\n"))
	words := strings.Fields(string(line))
	if len(words) != 3 {
		return head{}, false
	}
	h.method = words[0]
	h.path, _, _ = strings.Cut(words[1], "?")
	if path, err := url.PathUnescape(h.path); err == nil {
		h.path = path
	}
	for len(rest) > 0 {
		line, rest, _ = bytes.Cut(rest, []byte("\n"))
		name, value, _ := strings.Cut(string(line), ":")
		value = strings.TrimSpace(value)
		switch textproto.CanonicalMIMEHeaderKey(name) {
		case policyHeader:
			first(&h.policy, value)
		case "Content-Length":
			first(&h.length, value)
		case "Transfer-Encoding":
			first(&h.coding, value)
		}
	}
	return h, true
}

func first(s *string, value string) {
	if *s == "" {
		*s = value
	}
}

// bodied tells whether anything follows the head that belongs to the request.
func (h head) bodied() bool { return h.coding != "" || h.length != "" && h.length != "0" }
