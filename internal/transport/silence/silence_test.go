package silence

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"understudy/messages"
)

func dialError(err error) error { return &net.OpError{Op: "dial", Net: "tcp", Err: err} }

func TestOfDial(t *testing.T) {
	for _, c := range []struct {
		err  error
		want messages.Silence
	}{
		{nil, messages.Answered},
		{dialError(os.NewSyscallError("connect", syscall.ECONNREFUSED)), messages.Unreachable},
		{dialError(os.NewSyscallError("connect", syscall.EHOSTUNREACH)), messages.Unreachable},
		{dialError(os.NewSyscallError("connect", syscall.ENETUNREACH)), messages.Unreachable},
		{dialError(os.NewSyscallError("connect", syscall.ETIMEDOUT)), messages.Unreachable},
		{dialError(os.ErrDeadlineExceeded), messages.Unreachable},
		{fmt.Errorf("dial: %w", context.DeadlineExceeded), messages.Unreachable},
		{context.Canceled, messages.Answered},
		{dialError(os.NewSyscallError("socket", syscall.EMFILE)), messages.Answered},
		{dialError(os.NewSyscallError("connect", syscall.EADDRNOTAVAIL)), messages.Answered},
		{dialError(&net.DNSError{Err: "no such host", IsNotFound: true}), messages.Answered},
		{dialError(&net.DNSError{Err: "i/o timeout", IsTimeout: true}), messages.Answered},
		{dialError(&net.AddrError{Err: "bad"}), messages.Answered},
	} {
		if got := OfDial(c.err); got != c.want {
			t.Errorf("%v: %v, want %v", c.err, got, c.want)
		}
	}
}

func TestOfTalk(t *testing.T) {
	for _, c := range []struct {
		err  error
		want messages.Silence
	}{
		{nil, messages.Answered},
		{io.EOF, messages.Unanswered},
		{fmt.Errorf("read response: %w", io.ErrUnexpectedEOF), messages.Unanswered},
		{&net.OpError{Op: "read", Err: os.ErrDeadlineExceeded}, messages.Unanswered},
		{&net.OpError{Op: "read", Err: os.NewSyscallError("read", syscall.ECONNRESET)}, messages.Unanswered},
		{syscall.EPIPE, messages.Unanswered},
		{context.Canceled, messages.Answered},
		{errors.New("malformed HTTP"), messages.Answered},
		{&fs.PathError{Op: "read", Path: "x", Err: syscall.ETIMEDOUT}, messages.Answered},
		{syscall.EIO, messages.Answered},
	} {
		if got := OfTalk(c.err); got != c.want {
			t.Errorf("%v: %v, want %v", c.err, got, c.want)
		}
	}
}

// The errors of real sockets are the ones that are known here.
func TestRealSockets(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	conn, err := net.Dial("tcp4", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetReadDeadline(time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Read(make([]byte, 1)); OfTalk(err) != messages.Unanswered {
		t.Errorf("a deadline is %v: %v", OfTalk(err), err)
	}
	address := l.Addr().String()
	_ = l.Close()
	if _, err := net.Dial("tcp4", address); OfDial(err) != messages.Unreachable {
		t.Errorf("a refused connection is %v: %v", OfDial(err), err)
	}
}
