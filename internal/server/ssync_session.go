package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"understudy/internal/store"
	"understudy/internal/swift/policy/pytext"
	wire "understudy/internal/swift/ssync"
	"understudy/messages"
)

// session is one SSYNC. One goroutine works on it; only writeOff comes from another.
type session struct {
	*receiver
	log       zerolog.Logger
	ctx       context.Context
	partition messages.Partition
	peer      string
	http      *http.ResponseController
	conn      net.Conn // nil when there is none of a real server
	w         http.ResponseWriter
	in        *input
	objects   *store.Incoming
	acks      *acks // nil: the sender has not asked for any

	held       []func() // gives back what the session holds; see leave
	release    func()   // of the place among all sessions
	writtenOff atomic.Bool
}

// serve runs a session whose head has been answered, and tells whether it has come
// to its regular end.
func (n *session) serve() (ok bool) {
	defer func() {
		if p := recover(); p != nil {
			n.log.Error().Bytes("stack", debug.Stack()).Msgf("panic in ssync.Receiver: %v", p)
		}
	}()
	err := n.run()
	if err == nil {
		return true
	}
	if line := n.explain(err); line != nil {
		_ = n.say(append(line.Append(nil), '\n')) // the sender may be gone
	}
	return false
}

func (n *session) run() error {
	if err := n.say([]byte("\r\n")); err != nil {
		return &readError{err.Error()}
	}
	leave, ok := n.devices.take(n.ctx, n.partition.Device, 0)
	if !ok {
		return serviceUnavailable()
	}
	defer n.leave()
	n.held = append(n.held, leave)
	release, ok := n.take()
	if !ok {
		return serviceUnavailable()
	}
	n.release = release
	n.held = append(n.held, release)
	err := n.disk(func() (err error) {
		n.objects, err = n.cfg.Store.OpenIncoming(n.ctx, n.partition, store.IncomingOptions{
			Paths: n.cfg.Paths, Rules: n.cfg.Write, LockTimeout: n.cfg.LockTimeout, PerDevice: n.cfg.PerDevice,
		})
		return err
	})
	if n.objects != nil {
		n.held = append(n.held, n.objects.Close)
	}
	if err != nil {
		return err
	}
	if err := n.missingCheck(); err != nil {
		return err
	}
	return n.updates()
}

// leave gives back what the session holds: places and locks. All its work is done
// before; calling it again does nothing.
func (n *session) leave() {
	for len(n.held) > 0 {
		last := len(n.held) - 1
		give := n.held[last]
		n.held = n.held[:last]
		give()
	}
}

func serviceUnavailable() error {
	return &inBand{code: http.StatusServiceUnavailable, body: page(http.StatusServiceUnavailable,
		"The server is currently unavailable. Please try again at a later time.").body}
}

// disk runs a call that may hang with the disk. Unlike Swift, whose session would
// keep its place for as long: after DiskTimeout the place is given to others. The
// locks stay, because the call may do its work yet.
func (n *session) disk(call func() error) error {
	timer := time.AfterFunc(n.cfg.DiskTimeout, n.writeOff)
	err := call()
	timer.Stop()
	if n.writtenOff.Load() {
		return errors.Join(errWrittenOff, err)
	}
	return err
}

func (n *session) writeOff() {
	n.writtenOff.Store(true)
	n.log.Error().Str("device", n.partition.Device).Str("partition", n.partition.String()).Str("peer", n.peer).
		Dur("elapsed", n.cfg.DiskTimeout).Msg("ssync session written off: the disk does not answer")
	n.release()
	if n.conn != nil {
		_ = n.conn.Close() // the sender should not wait for a disk
	}
}

// explain logs why a session has ended, in Swift's words, and returns what the
// sender is told; nil for nothing. Swift: obj/ssync_receiver.py Receiver.__call__.
func (n *session) explain(err error) *wire.Error {
	at := fmt.Sprintf("%s/%s/%d", host(n.peer), n.partition.Device, n.partition.Number)
	swift := func(e *zerolog.Event, format string, args ...any) { e.Bool("swift", true).Msgf(format, args...) }
	var (
		lock    *store.LockTimeoutError
		timeout *timeoutError
		read    *readError
		answer  *inBand
		device  *messages.DeviceError
	)
	switch {
	case errors.Is(err, errWrittenOff):
		return nil
	case errors.Is(err, errHungUp):
		swift(n.log.Error(), "%s", errHungUp)
		return nil
	case errors.As(err, &lock):
		text := seconds(lock.Timeout, true) + ": " + lock.Path
		swift(n.log.Debug(), "%s SSYNC LOCK TIMEOUT: %s", at, text)
		return &wire.Error{Message: pytext.Repr(text)}
	case errors.As(err, &timeout):
		swift(n.log.Error(), "%s TIMEOUT in ssync.Receiver: %s", at, timeout)
		return &wire.Error{Code: http.StatusRequestTimeout, Message: pytext.Repr(timeout.Error())}
	case errors.As(err, &read):
		swift(n.log.Error(), "%s read failed in ssync.Receiver: %s", at, read)
		return nil
	case errors.As(err, &answer) && answer.code != 0:
		return &wire.Error{Code: answer.code, Message: wire.ReprBytes([]byte(answer.body))}
	case errors.As(err, &device):
		// The disk went between the first look and the locks.
		n.log.Warn().Err(err).Str("peer", n.peer).Msg("ssync refused")
		return &wire.Error{Code: http.StatusInsufficientStorage, Message: wire.ReprBytes([]byte(unavailable(device.Device).body))}
	}
	swift(n.log.Error(), "%s EXCEPTION in ssync.Receiver: %s", at, err)
	return &wire.Error{Message: pytext.Repr(err.Error())}
}

func host(address string) string {
	if h, _, err := net.SplitHostPort(address); err == nil {
		return h
	}
	return address
}

// say sends something now.
func (n *session) say(p []byte) error {
	// No error: a writer without deadlines is not a peer's connection.
	_ = n.http.SetWriteDeadline(time.Now().Add(n.cfg.ClientTimeout))
	if _, err := n.w.Write(p); err != nil {
		return err
	}
	return n.http.Flush()
}

// hangUp closes the connection without reading what the sender may still send, and
// without the end of the body: the sender must not take it for an answer.
func (n *session) hangUp() {
	_ = n.http.SetReadDeadline(time.Unix(1, 0)) // the server would read some of it
	panic(http.ErrAbortHandler)
}
