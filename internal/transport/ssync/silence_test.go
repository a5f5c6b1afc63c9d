package ssync

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	wire "understudy/internal/swift/ssync"
	"understudy/messages"
)

// What syncs over real sockets say about the peer.
func TestSilence(t *testing.T) {
	for what, c := range map[string]struct {
		script func(*receiver) // nil: nobody listens
		want   messages.Silence
	}{
		"refused":      {nil, messages.Unreachable},
		"never speaks": {func(r *receiver) { r.rest() }, messages.Unanswered},
		"hangs up":     {func(r *receiver) { r.head() }, messages.Unanswered},
		"resets": {func(r *receiver) {
			r.head()
			_ = r.conn.(*net.TCPConn).SetLinger(0)
		}, messages.Unanswered},
		"stops after the head": {func(r *receiver) { r.ok(); r.rest() }, messages.Unanswered},
		"unmounted":            {func(r *receiver) { r.head(); r.say("HTTP/1.1 507 x\r\nContent-Length: 0\r\n\r\n") }, messages.Answered},
		"busy":                 {func(r *receiver) { r.head(); r.say("HTTP/1.1 503 x\r\nContent-Length: 0\r\n\r\n") }, messages.Answered},
		"conflict":             {func(r *receiver) { r.head(); r.say("HTTP/1.1 409 x\r\nContent-Length: 0\r\n\r\n") }, messages.Answered},
		"other protocol":       {func(r *receiver) { r.head(); r.say("220 mail\r\n") }, messages.Answered},
		"endless head":         {func(r *receiver) { r.head(); r.say("HTTP/1.1 200 OK\r\n" + strings.Repeat("a: b\r\n", 20000)) }, messages.Answered},
		"error line": {func(r *receiver) {
			r.ok()
			r.until(wire.MissingEnd)
			r.chunk(":ERROR: 0 '15 seconds: /x'\n")
		}, messages.Answered},
		"ends properly": {func(r *receiver) { r.ok(); r.until(wire.MissingEnd); r.say("0\r\n\r\n") }, messages.Answered},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			address := listening(t, c.script)
			objects := &fakeObjects{all: []*wire.Object{fakeTombstone(1)}}
			res, log := play(t, objects, func(*receiver) {}, func(cfg *Config, _ *messages.SyncJob) {
				cfg.NodeTimeout, cfg.HTTPTimeout = time.Second, time.Second
				pipe := cfg.Dial
				cfg.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
					_, _ = pipe(ctx, network, "") // for its script to end
					return (&net.Dialer{}).DialContext(ctx, network, address)
				}
			})
			if res.OK || res.Silence != c.want {
				t.Errorf("it is called %v, want %v\n%s", res.Silence, c.want, log)
			}
		})
	}
}

// A disk of our own that is ill says nothing about the peer.
func TestSilenceOfTheDisk(t *testing.T) {
	for _, err := range []error{
		&messages.DeviceError{Device: "sda", Message: "sda is not mounted", Err: syscall.ETIMEDOUT},
		fmt.Errorf("open objects: %w", syscall.EIO),
	} {
		res, log := play(t, &fakeObjects{}, func(*receiver) {}, func(cfg *Config, _ *messages.SyncJob) {
			cfg.Open = func(context.Context, messages.SyncJob) (Objects, error) { return nil, err }
		})
		if res.OK || res.Silence != messages.Answered {
			t.Errorf("%v is called %v\n%s", err, res.Silence, log)
		}
	}
	s := &session{conn: &net.TCPConn{}}
	if got := s.silence(&messages.DeviceError{Err: io.EOF}); got != messages.Answered {
		t.Errorf("a device that went away in the middle is called %v", got)
	}
}

// listening plays a script on every connection; without one nobody listens.
func listening(t *testing.T, script func(*receiver)) string {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if script == nil {
		_ = l.Close()
		return l.Addr().String()
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_ = conn.SetDeadline(time.Now().Add(patience))
			script(&receiver{t: t, conn: conn, in: bufio.NewReader(conn)})
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-ended })
	return l.Addr().String()
}
