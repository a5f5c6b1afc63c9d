package replicate

import (
	"context"
	"errors"
	"io"
	"net"
	"strconv"
	"strings"
	"syscall"
	"time"

	"understudy/internal/transport/silence"
	"understudy/messages"
)

// exchange sends one request and reads its response into body, which it returns
// as it has grown, also with an error. A connection that had gone stale in the
// pool is replaced once, by a fresh one.
func (c *Client) exchange(ctx context.Context, node messages.Node, policy int, path string, body []byte) (int, []byte, error) {
	address := net.JoinHostPort(node.ReplicationIP, strconv.Itoa(node.ReplicationPort))
	for pooled := c.pool.get(address); ; pooled = nil {
		conn, err := pooled, error(nil)
		deadline := time.Now().Add(c.cfg.ConnTimeout)
		if conn == nil {
			conn, err = c.dial(ctx, address, deadline)
		}
		var h head
		if err == nil {
			conn.out = c.appendRequest(conn.out[:0], node, policy, path)
			h, body, err = c.serve(ctx, conn, deadline, body)
		}
		switch {
		case err == nil:
			c.cfg.Heard(node, h.lane, nil)
			return h.status, body, nil
		case ctx.Err() != nil:
			return 0, body, &messages.PeerError{Node: node, Err: ctx.Err()}
		case pooled != nil && stale(conn, err):
			continue
		}
		quiet := silence.OfTalk(err)
		if conn == nil {
			quiet = silence.OfDial(err)
		}
		c.cfg.Heard(node, "", err)
		return 0, body, &messages.PeerError{Node: node, Why: Why(err), Silence: quiet, Err: err}
	}
}

func (c *Client) dial(ctx context.Context, address string, deadline time.Time) (*conn, error) {
	dialCtx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	nc, err := c.cfg.Dial(dialCtx, "tcp", address)
	if err != nil {
		return nil, c.connTimeout(err)
	}
	return newConn(address, nc), nil
}

// serve runs one exchange on a connection and then gives the connection back to
// the pool or closes it.
func (c *Client) serve(ctx context.Context, conn *conn, deadline time.Time, body []byte) (h head, _ []byte, err error) {
	stop := context.AfterFunc(ctx, conn.abort)
	reusable := false
	defer func() {
		if cancelled := !stop(); cancelled || !reusable {
			_ = conn.Close()
			return
		}
		c.pool.put(conn)
	}()
	if err := conn.SetWriteDeadline(deadline); err != nil {
		return h, body, err
	}
	if err := ctx.Err(); err != nil { // abort may have come before the deadline was set
		return h, body, err
	}
	if _, err := conn.Write(conn.out); err != nil {
		return h, body, c.connTimeout(err)
	}
	if err := conn.SetReadDeadline(time.Now().Add(c.cfg.HTTPTimeout)); err != nil {
		return h, body, err
	}
	if err := ctx.Err(); err != nil {
		return h, body, err
	}
	if _, err := conn.r.Peek(1); err != nil {
		return h, body, c.httpTimeout(noAnswer(err))
	}
	conn.answered = true
	if h, err = readHead(conn.r); err != nil {
		return h, body, c.httpTimeout(err)
	}
	body, err = readBody(conn.r, h, body, c.cfg.MaxBody)
	if err != nil && h.status == 200 {
		return h, body, c.httpTimeout(err)
	}
	// The status of an answer that is no success says enough without its body.
	reusable = err == nil && h.keepAlive && conn.r.Buffered() == 0
	return h, body, nil
}

// errNoAnswer is a peer that closes the connection instead of answering.
var errNoAnswer error = noAnswerError{}

type noAnswerError struct{}

func (noAnswerError) Error() string { return "connection closed without an answer" }
func (noAnswerError) Unwrap() error { return io.EOF }

func noAnswer(err error) error {
	if errors.Is(err, io.EOF) {
		return errNoAnswer
	}
	return err
}

// stale tells whether a connection from the pool had been closed by the peer
// before it could have seen the request.
func stale(conn *conn, err error) bool {
	return !conn.answered && (errors.Is(err, errNoAnswer) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE))
}

// A timeoutError is a limit of our own that ran out.
type timeoutError struct {
	why string // as Swift's log shows it
	err error
}

func (e *timeoutError) Error() string { return e.why }
func (e *timeoutError) Unwrap() error { return e.err }

// connTimeout names the limit that err ran into, if it is one.
func (c *Client) connTimeout(err error) error {
	if !ranOut(err) {
		return err
	}
	seconds := strconv.FormatFloat(c.cfg.ConnTimeout.Seconds(), 'f', -1, 64)
	if c.cfg.ConnTimeout%time.Second == 0 {
		seconds += ".0" // a float in Swift
	}
	return &timeoutError{why: "ConnectionTimeout (" + seconds + "s)", err: err}
}

func (c *Client) httpTimeout(err error) error {
	if !ranOut(err) {
		return err
	}
	seconds := strconv.FormatFloat(c.cfg.HTTPTimeout.Seconds(), 'f', -1, 64)
	return &timeoutError{why: "Timeout (" + seconds + "s)", err: err}
}

// ranOut tells a deadline of ours from the kernel's ETIMEDOUT.
func ranOut(err error) bool {
	var ne net.Error
	return errors.As(err, &ne) && ne.Timeout() && !errors.Is(err, syscall.ETIMEDOUT)
}

// Why is Swift's short text for what went wrong, or empty where Swift has none.
// Swift: common/utils LogAdapter.exception.
func Why(err error) string {
	var timeout *timeoutError
	if errors.As(err, &timeout) {
		return timeout.why
	}
	var bad *badStatusLine
	if errors.As(err, &bad) {
		return "BadStatusLine: " + shown(bad.line)
	}
	for _, w := range whys {
		if errors.Is(err, w.errno) {
			return w.why
		}
	}
	return ""
}

// shown is what is told of what a peer has said. It is any text; who prints it makes it
// harmless.
//
// Unlike Swift: which logs up to 64 KiB of it, once for each partition.
func shown(text string) string {
	const most = 400
	text = strings.ToValidUTF8(text, "\uFFFD")
	if r := []rune(text); len(r) > most {
		return string(r[:most]) + "..."
	}
	return text
}

var whys = []struct {
	errno syscall.Errno
	why   string
}{
	{syscall.ECONNREFUSED, "Connection refused"},
	{syscall.ECONNRESET, "Connection reset"},
	{syscall.EHOSTUNREACH, "Host unreachable"},
	{syscall.ENETUNREACH, "Network unreachable"},
	{syscall.ETIMEDOUT, "Connection timeout"},
	{syscall.EPIPE, "Broken pipe"},
}
