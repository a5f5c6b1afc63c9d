package ssync

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	wire "understudy/internal/swift/ssync"
)

const (
	smallBody = 64 << 10 // bytes of a body that is read before it is sent
	bodyChunk = 1 << 20  // bytes of a chunk of a larger one
	bodyBlock = 64 << 10 // bytes that must be taken within the node timeout, as in Swift
)

// errLength ends a session in the middle of a body: the receiver then keeps nothing
// of it.
var errLength = plainly("Sent data length does not match content-length")

// sendBody sends a large body from the disk. It is never padded and never cut to
// fit: with a byte more or less than promised the session is over.
// Swift: obj/ssync_sender.py send_subrequest.
func (s *session) sendBody(ctx context.Context, object *wire.Object) error {
	const what = "send_put chunk"
	copyBlock := s.copier(object.Body)
	for at := int64(0); at < object.Size; {
		size := min(bodyChunk, object.Size-at)
		s.out = append(strconv.AppendInt(s.out, size, 16), "\r\n"...)
		if err := s.flush(what); err != nil {
			return err
		}
		for end := at + size; at < end; {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := s.wait(ctx, int(min(bodyBlock, end-at))); err != nil {
				return err
			}
			if err := s.conn.SetWriteDeadline(time.Now().Add(s.cfg.NodeTimeout)); err != nil {
				return s.writeError(err, what)
			}
			n, err := copyBlock(at, int(min(bodyBlock, end-at)))
			at += int64(n)
			s.job.Flight.Sent(int64(n))
			var peer *peerError
			switch {
			case errors.As(err, &peer):
				return s.writeError(peer.err, what)
			case errors.Is(err, io.EOF):
				return errLength
			case err != nil:
				return fmt.Errorf("read %s: %w", object.Hash, err)
			}
		}
		s.out = append(s.out, "\r\n"...)
	}
	if n, err := object.Body.ReadAt(make([]byte, 1), object.Size); n > 0 || !errors.Is(err, io.EOF) {
		return errLength
	}
	return s.flush(what)
}

// peerError is an error of the connection, not of the disk.
type peerError struct{ err error }

func (e *peerError) Error() string { return e.err.Error() }
func (e *peerError) Unwrap() error { return e.err }

// copier returns a function that sends n bytes of a file from an offset on. Where
// it can the kernel does it, without a copy in this process. io.EOF when the file
// ends before; *peerError when the connection failed; others are the disk's.
func (s *session) copier(body wire.Body) func(at int64, n int) (int, error) {
	fd, ok := body.Descriptor()
	tcp, isTCP := s.conn.(*net.TCPConn)
	if ok && isTCP {
		if raw, err := tcp.SyscallConn(); err == nil {
			return s.kernelCopier(raw, fd, body)
		}
	}
	return s.plainCopier(body)
}

func (s *session) plainCopier(body wire.Body) func(at int64, n int) (int, error) {
	buffer := make([]byte, bodyBlock)
	return func(at int64, n int) (int, error) {
		got, err := body.ReadAt(buffer[:n], at)
		if got < n {
			return 0, err
		}
		if _, err := s.conn.Write(buffer[:n]); err != nil {
			return 0, &peerError{err}
		}
		return n, nil
	}
}

// kernelCopier uses sendfile(2), until the file's file system turns out to lack it.
func (s *session) kernelCopier(raw syscall.RawConn, fd int, body wire.Body) func(at int64, n int) (int, error) {
	var fallback func(at int64, n int) (int, error)
	return func(at int64, n int) (int, error) {
		if fallback != nil {
			return fallback(at, n)
		}
		sent, err := sendfile(raw, fd, at, n)
		if sent == 0 && (errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EOPNOTSUPP)) {
			fallback = s.plainCopier(body)
			return fallback(at, n)
		}
		return sent, err
	}
}

func sendfile(raw syscall.RawConn, fd int, at int64, n int) (sent int, err error) {
	waitErr := raw.Write(func(socket uintptr) bool {
		for sent < n {
			m, sendErr := unix.Sendfile(int(socket), fd, &at, n-sent)
			if m > 0 {
				sent += m
				continue
			}
			switch sendErr {
			case unix.EINTR:
			case unix.EAGAIN:
				return false
			case nil:
				err = io.EOF
				return true
			case unix.EPIPE, unix.ECONNRESET, unix.ENOTCONN, unix.ETIMEDOUT, unix.EHOSTUNREACH, unix.ENETUNREACH:
				err = &peerError{sendErr}
				return true
			default:
				err = sendErr
				return true
			}
		}
		return true
	})
	if waitErr != nil {
		return sent, &peerError{waitErr}
	}
	return sent, err
}
