package ssync

import (
	"bufio"
	"cmp"
	"errors"
	"io"
	"net"
	"strconv"
	"time"

	wire "understudy/internal/swift/ssync"
)

// maxBlank bounds the blank lines in a row that a receiver may send.
const maxBlank = 100

// chunk appends one chunk of the request's body.
func (s *session) chunk(data []byte) {
	s.out = strconv.AppendUint(s.out, uint64(len(data)), 16)
	s.out = append(append(append(s.out, "\r\n"...), data...), "\r\n"...)
}

// say sends a line at once, with all that was gathered before it.
func (s *session) say(line, what string) error {
	s.chunk([]byte(line + "\r\n"))
	return s.flush(what)
}

// ripe tells that what was gathered should wait no longer.
func (s *session) ripe() bool {
	return len(s.out) >= flushSize || time.Since(s.flushed) > flushWait
}

// flush sends what was gathered. what names it, should it take too long.
func (s *session) flush(what string) error {
	if len(s.out) == 0 {
		return nil
	}
	err := s.conn.SetWriteDeadline(time.Now().Add(s.cfg.NodeTimeout))
	if err == nil {
		_, err = s.conn.Write(s.out)
	}
	s.out = s.out[:0]
	s.flushed = time.Now()
	return s.writeError(err, what)
}

// writeError explains why something could not be sent. A receiver that gives up
// says why and hangs up, so its last line is looked for.
//
// Unlike Swift: which logs only the broken pipe.
func (s *session) writeError(err error, what string) error {
	switch {
	case err == nil:
		return nil
	case ranOut(err):
		return &timeoutError{after: seconds(s.cfg.NodeTimeout, true), what: what, err: err}
	case s.in == nil:
		return err
	case s.acks != nil: // who reads has read the receiver's last words
		return cmp.Or(s.heard(), err)
	}
	for range maxBlank {
		line, readErr := s.readLine("")
		if readErr != nil {
			return err
		}
		if _, ok := wire.ParseError(line); ok {
			return unexpected(line)
		}
	}
	return err
}

// await reads up to a line that must come next; only blank ones may come before.
func (s *session) await(marker, what string) error {
	for range maxBlank {
		line, err := s.readLine(what)
		if err != nil {
			return err
		}
		if string(line) == marker {
			return nil
		}
		if len(line) > 0 {
			return unexpected(line)
		}
	}
	return plainly("Unexpected response: too many blank lines")
}

// readLine reads a line of the response without the white space around it. It
// holds until the next call. Swift: obj/ssync_sender.py readline.
//
// Unlike Swift: a line that is longer than the limit ends the session. Swift takes
// it to pieces and each for a line.
func (s *session) readLine(what string) ([]byte, error) {
	if err := s.due(); err != nil {
		return nil, err
	}
	s.line = s.line[:0]
	for {
		part, err := s.in.ReadSlice('\n')
		s.line = append(s.line, part...)
		var network *net.OpError
		switch {
		case len(s.line) > s.cfg.LineLimit:
			return nil, unexpected(s.line)
		case err == nil, errors.Is(err, io.EOF) && len(s.line) > 0:
			return wire.Strip(s.line), nil
		case errors.Is(err, bufio.ErrBufferFull):
		case ranOut(err):
			return nil, &timeoutError{after: seconds(s.cfg.HTTPTimeout, false), what: what, err: err}
		case errors.As(err, &network):
			return nil, err
		case errors.Is(err, io.EOF): // after the last chunk, which a cut has not
			return nil, earlyDisconnect(errEnded)
		default:
			return nil, earlyDisconnect(err)
		}
	}
}
