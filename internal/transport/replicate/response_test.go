package replicate

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"testing"

	"understudy/internal/swift/hashes"
)

// FuzzResponse reads any bytes as a response: it must end, keep to its bounds,
// and where net/http reads the same bytes, agree with it.
func FuzzResponse(f *testing.F) {
	f.Add([]byte(ok(hashes.EncodeWire(someHashes(3)))))
	f.Add([]byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n0\r\nT: x\r\n\r\n"))
	f.Add([]byte("HTTP/1.0 507 Insufficient Storage\r\nConnection: close\r\n\r\nDrive: sda"))
	f.Add([]byte("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n"))
	const limit = 10000
	f.Fuzz(func(t *testing.T, data []byte) {
		r := bufio.NewReaderSize(bytes.NewReader(data), maxLine)
		h, err := readHead(r)
		if err != nil {
			return
		}
		body, err := readBody(r, h, nil, limit)
		if len(body) > 2*limit {
			t.Errorf("body of %d bytes", len(body))
		}
		if h.keepAlive && !h.chunked && h.length < 0 {
			t.Error("a connection without an end of the body is kept")
		}
		if err != nil {
			return
		}
		theirs := bufio.NewReader(bytes.NewReader(data))
		resp, err := http.ReadResponse(theirs, nil)
		for err == nil && resp.StatusCode < 200 && resp.StatusCode != 101 {
			resp, err = http.ReadResponse(theirs, nil)
		}
		if err != nil {
			return
		}
		if h.chunked && resp.ProtoMinor == 0 {
			return // net/http knows no chunks in HTTP/1.0; Python's client and we do
		}
		want, err := io.ReadAll(resp.Body)
		if err != nil {
			return
		}
		if resp.StatusCode != h.status || !bytes.Equal(want, body) {
			t.Errorf("read %d %q, net/http reads %d %q", h.status, body, resp.StatusCode, want)
		}
	})
}
