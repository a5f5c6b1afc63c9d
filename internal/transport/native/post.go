package native

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"

	"understudy/internal/native"
	"understudy/messages"
)

// maxWhy bounds a peer's reason, in bytes.
const maxWhy = 400

// request is a survey over HTTP. It may be sent again on another connection: it
// changes nothing.
func (l *Lane) request(ctx context.Context, n messages.Node, body []byte) *http.Request {
	r := &http.Request{
		Method: native.Method, URL: &url.URL{Scheme: "http", Host: address(n), Path: native.Path},
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{
			native.Header: {native.Offer}, "User-Agent": {l.cfg.UserAgent}, "Content-Type": {native.Content},
			"Idempotency-Key": {}, // not sent; it lets a stale connection be replaced
		},
		Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)),
		GetBody: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil },
	}
	return r.WithContext(ctx)
}

// readAtMost reads to the end, or one byte more than limit: enough to tell that it is
// too long.
func readAtMost(r io.Reader, limit int64) ([]byte, error) {
	return io.ReadAll(io.LimitReader(r, limit+1))
}
