// Package replicate is the client side of REPLICATE: it asks other nodes' object
// servers for the suffix hashes of a partition, and tells them which suffixes
// were pushed.
//
// It speaks HTTP/1.1 itself, and only the part that object servers use.
package replicate

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"understudy/internal/swift/hashes"
	"understudy/messages"
)

// Config is what a Client has to know. Timeouts and UserAgent are required.
type Config struct {
	ConnTimeout time.Duration // for connecting and sending the request
	HTTPTimeout time.Duration // for the whole of the response, head and body
	UserAgent   string        // Swift's is "object-replicator <pid>"
	MaxBody     int64         // bytes of response body; 0 stands for hashes.MaxWire

	// Heard is told of every exchange with a node what lane its answer has offered,
	// empty for none, or why there was no answer. It must not block. It may be nil.
	Heard func(node messages.Node, lane string, err error)
	// Dial connects; a net.Dialer's DialContext when nil. Only connections that are also a
	// syscall.Conn are kept for the next exchange.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Client exchanges REPLICATE requests. It is safe for concurrent use. Call Close
// when it is no longer needed.
type Client struct {
	cfg    Config
	pool   pool
	bodies sync.Pool // of *[]byte
}

// New makes a client. It does no I/O.
func New(cfg Config) *Client {
	if cfg.MaxBody <= 0 {
		cfg.MaxBody = hashes.MaxWire
	}
	if cfg.Heard == nil {
		cfg.Heard = func(messages.Node, string, error) {}
	}
	if cfg.Dial == nil {
		cfg.Dial = (&net.Dialer{KeepAlive: -1}).DialContext // every exchange has a deadline of its own
	}
	return &Client{
		cfg:    cfg,
		bodies: sync.Pool{New: func() any { return new([]byte) }},
	}
}

// Close closes the idle connections, and from then on each connection after its
// exchange.
func (c *Client) Close() { c.pool.close() }

// Hashes returns a peer's suffix hashes of a partition: *messages.StatusError for
// an answer other than 200, *messages.PeerError for no usable answer.
// Swift: obj/replicator.py update.
func (c *Client) Hashes(ctx context.Context, node messages.Node, policy int, part uint32) (messages.Hashes, error) {
	buf := c.bodies.Get().(*[]byte)
	defer c.bodies.Put(buf)
	status, body, err := c.exchange(ctx, node, policy, path(node.Device, part, nil), (*buf)[:0])
	*buf = body
	if err != nil {
		return nil, err
	}
	if status != http.StatusOK {
		return nil, &messages.StatusError{Node: node, Status: status}
	}
	m, err := hashes.DecodeWire(body)
	if err != nil {
		return nil, &messages.PeerError{Node: node, Err: err}
	}
	return m, nil
}

// suffixesPerRequest keeps the request line below the 8192 bytes that eventlet
// accepts, whatever the device is called.
const suffixesPerRequest = 1024

// Invalidate tells a peer that suffixes of a partition have changed. As in Swift
// the status of the answer does not matter; an error is a *messages.PeerError.
// Swift: obj/replicator.py rsync.
//
// Unlike Swift: more than 1024 suffixes go in several requests. Swift sends one
// that is too long for its own server when more than two thousand are to be told,
// and does not notice that it is refused.
func (c *Client) Invalidate(ctx context.Context, node messages.Node, policy int, part uint32, suffixes []string) error {
	for _, s := range suffixes {
		if !hashes.ValidSuffix(s) {
			return fmt.Errorf("invalidate suffixes of partition %d on %s: %.40q is not a suffix", part, node, s)
		}
	}
	for group := range slices.Chunk(suffixes, suffixesPerRequest) {
		buf := c.bodies.Get().(*[]byte)
		_, body, err := c.exchange(ctx, node, policy, path(node.Device, part, group), (*buf)[:0])
		*buf = body
		c.bodies.Put(buf)
		if err != nil {
			return err
		}
	}
	return nil
}

// path is the request's path, quoted as Python's urllib does.
// Swift: common/bufferedhttp.py http_connect.
func path(device string, part uint32, suffixes []string) string {
	var b strings.Builder
	b.WriteByte('/')
	for i := range len(device) {
		if c := device[i]; unreserved(c) {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	b.WriteByte('/')
	b.WriteString(strconv.FormatUint(uint64(part), 10))
	for i, s := range suffixes {
		if i == 0 {
			b.WriteByte('/')
		} else {
			b.WriteByte('-')
		}
		b.WriteString(s)
	}
	return b.String()
}

func unreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("_.-~/", c) >= 0
}

// appendRequest writes the request's head: header names, their case and their
// order as Swift's client sends them.
func (c *Client) appendRequest(b []byte, node messages.Node, policy int, path string) []byte {
	b = append(b, "REPLICATE "...)
	b = append(b, path...)
	b = append(b, " HTTP/1.1\r\nHost: "...)
	if strings.Contains(node.ReplicationIP, ":") {
		b = append(append(append(b, '['), node.ReplicationIP...), ']')
	} else {
		b = append(b, node.ReplicationIP...)
	}
	if node.ReplicationPort != 80 {
		b = strconv.AppendInt(append(b, ':'), int64(node.ReplicationPort), 10)
	}
	b = append(b, "\r\nAccept-Encoding: identity\r\nContent-Length: 0\r\nuser-agent: "...)
	b = append(b, c.cfg.UserAgent...)
	b = append(b, "\r\nX-Backend-Storage-Policy-Index: "...)
	b = strconv.AppendInt(b, int64(policy), 10)
	return append(b, "\r\n\r\n"...)
}
