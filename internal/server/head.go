package server

import (
	"bufio"
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

// parseHead reads a head as net/http does. It is not ok when the first line makes no
// sense; of headers that make none, those before count.
func parseHead(b []byte) (h head, ok bool) {
	r := textproto.NewReader(bufio.NewReader(bytes.NewReader(b)))
	line, err := r.ReadLine()
	if err != nil {
		return head{}, false
	}
	method, rest, _ := strings.Cut(line, " ")
	target, proto, ok := strings.Cut(rest, " ")
	if !ok || method == "" || !strings.HasPrefix(proto, "HTTP/") {
		return head{}, false
	}
	path, _, _ := strings.Cut(target, "?")
	if unquoted, err := url.PathUnescape(path); err == nil {
		path = unquoted
	}
	fields, _ := r.ReadMIMEHeader()
	return head{
		method: method, path: path, policy: fields.Get(policyHeader),
		length: fields.Get("Content-Length"), coding: fields.Get("Transfer-Encoding"),
	}, true
}

// bodied tells whether anything follows the head that belongs to the request.
func (h head) bodied() bool { return h.coding != "" || h.length != "" && h.length != "0" }
