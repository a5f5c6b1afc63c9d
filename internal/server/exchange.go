package server

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// buffers are what passed connections are read into.
var buffers = sync.Pool{New: func() any {
	b := make([]byte, 32<<10)
	return &b
}}

// exchange is one client's connection and the one to the server that it goes to.
// An end of one side's bytes is passed on as an end, a break as a break: a body
// that is cut must not look complete.
type exchange struct {
	client, backend net.Conn
	silence         time.Duration
	last            atomic.Int64 // when something was last carried, ns
}

// errSilent is the end of an exchange in which nobody says anything.
var errSilent = errors.New("silent for too long")

// run carries bytes until the backend is done. read is what the client has said.
func (e *exchange) run(read []byte) error {
	e.touch()
	sent := make(chan error, 1)
	go func() { sent <- e.send(read) }()
	err := e.copy(e.client, e.backend)
	if err != nil {
		reset(e.client)
		reset(e.backend)
		return errors.Join(fmt.Errorf("carry the answer: %w", err), <-sent)
	}
	// The answer is out. What the client still sends is nobody's any more, and read
	// so that the answer is not lost to a reset.
	if err := closeWrite(e.client); err != nil {
		reset(e.client)
	}
	_ = e.backend.Close()
	select {
	case <-sent:
	case <-time.After(lingering):
		_ = e.client.Close()
		<-sent
	}
	return nil
}

// send carries the client's bytes. A backend that takes no more may have answered
// before the end: the rest is read and dropped, and the answer decides.
func (e *exchange) send(read []byte) error {
	err := e.write(e.backend, read)
	if err == nil {
		err = e.copy(e.backend, e.client)
	}
	var broken *writeError
	switch {
	case err == nil:
		return closeWrite(e.backend)
	case errors.As(err, &broken):
		return e.copy(nowhere{}, e.client)
	}
	// The client is gone, and nobody waits for the answer.
	reset(e.backend)
	return fmt.Errorf("carry the request: %w", err)
}

// copy carries bytes one way until their end.
func (e *exchange) copy(to writer, from net.Conn) error {
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	for {
		if err := from.SetReadDeadline(time.Now().Add(e.silence)); err != nil {
			return err
		}
		n, err := from.Read(*buf)
		if n > 0 {
			if err := e.write(to, (*buf)[:n]); err != nil {
				return err
			}
		}
		switch {
		case err == nil:
		case errors.Is(err, io.EOF):
			return nil
		case timedOut(err) && time.Since(time.Unix(0, e.last.Load())) < e.silence:
			// the other direction is busy
		case timedOut(err):
			return errSilent
		default:
			return err
		}
	}
}

func (e *exchange) write(to writer, b []byte) error {
	e.touch()
	if err := to.SetWriteDeadline(time.Now().Add(e.silence)); err != nil {
		return &writeError{err}
	}
	if _, err := to.Write(b); err != nil {
		return &writeError{err}
	}
	e.touch()
	return nil
}

func (e *exchange) touch() { e.last.Store(time.Now().UnixNano()) }

// writeError is the trouble of who should take the bytes.
type writeError struct{ error }

func (e *writeError) Unwrap() error { return e.error }

// writer is where bytes are carried to.
type writer interface {
	io.Writer
	SetWriteDeadline(t time.Time) error
}

// nowhere takes everything.
type nowhere struct{}

func (nowhere) Write(b []byte) (int, error)      { return len(b), nil }
func (nowhere) SetWriteDeadline(time.Time) error { return nil }
