package server

import (
	"bufio"
	"bytes"
	"net/http"
	"testing"
)

var heads = []string{
	"GET /a HTTP/1.1\r\nHost: x\r\n\r\n",
	"REPLICATE /sda1/7?x=1 HTTP/1.1\r\nHost: x\r\nx-backend-storage-policy-index:  2 \r\nX-Backend-Storage-Policy-Index: 3\r\n\r\nmore",
	"SSYNC /sda1/%37 HTTP/1.1\nHost: x\nTransfer-Encoding: chunked\n\n0\n",
	"PUT /a HTTP/1.0\r\nContent-Length: 00\r\n\r\n",
	"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello",
	"\r\n\r\n", "GET\r\n\r\n", "GET /a\r\n\r\n", "GET /a b HTTP/1.1\r\n\r\n", "", "\n", "x",
}

func TestHeadEnd(t *testing.T) {
	for text, want := range map[string]int{
		"": 0, "GET / HTTP/1.1\r\n": 0, "GET / HTTP/1.1\r\n\r": 0, "GET / HTTP/1.1\r\n\r\nx": 18, "GET / HTTP/1.1\n\nx": 16,
		"GET / HTTP/1.1\r\n\nx": 17, "\nx": 1, "\r\n": 2, "a\r\rb\n\n": 6,
	} {
		if got := headEnd([]byte(text)); got != want {
			t.Errorf("%q: %d, want %d", text, got, want)
		}
	}
}

// FuzzHead reads any bytes. Of what net/http takes for a request we see the same, so
// that nothing of ours is passed on and nothing foreign is kept.
func FuzzHead(f *testing.F) {
	for _, s := range heads {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		end := headEnd(b)
		if end > len(b) {
			t.Fatalf("an end at %d of %d", end, len(b))
		}
		h, ok := parseHead(b[:end])
		r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(b)))
		if err != nil || end == 0 {
			return
		}
		path, pathErr := requestPath(r)
		switch {
		case !ok:
			t.Errorf("%q: net/http sees %s %s", b, r.Method, r.RequestURI)
		case h.method != r.Method, h.policy != r.Header.Get(policyHeader), pathErr == nil && h.path != path:
			t.Errorf("%q: %+v; net/http sees %s %s %q", b, h, r.Method, path, r.Header.Get(policyHeader))
		case !h.bodied() && r.ContentLength != 0:
			t.Errorf("%q: no body; net/http sees %d", b, r.ContentLength)
		}
	})
}
