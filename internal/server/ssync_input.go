package server

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"time"
)

// timeoutError says that a sender was silent for too long. Context is what was
// waited for, in Swift's words.
type timeoutError struct {
	after   time.Duration
	context string
}

func (e *timeoutError) Error() string { return seconds(e.after, false) + ": " + e.context }

// readError says that what came was cut off or no chunk. The sender is told nothing.
type readError struct{ text string }

func (e *readError) Error() string { return e.text }

// deadliner is the part of an http.ResponseController that bounds reads.
type deadliner interface{ SetReadDeadline(time.Time) error }

// input reads what a sender says: lines, and bodies of known length. Each line and
// each block of a body has its own deadline, however slowly its bytes come. The
// first error is final. Swift: obj/ssync_receiver.py SsyncInputProxy (newer Swift).
type input struct {
	r       *bufio.Reader
	conn    deadliner
	limit   int // bytes of a line
	timeout time.Duration
	err     error
}

func newInput(body io.Reader, conn deadliner, limit int, timeout time.Duration) *input {
	return &input{r: bufio.NewReaderSize(body, max(limit, 4096)), conn: conn, limit: limit, timeout: timeout}
}

// line reads a line with its end; it holds until the next call. At the end of all it
// is empty. A line without an end is an error: what is cut off must not be taken for
// what was meant.
func (in *input) line(context string) ([]byte, error) {
	if in.err != nil {
		return nil, in.err
	}
	if held, _ := in.r.Peek(in.r.Buffered()); bytes.IndexByte(held, '\n') < 0 {
		in.arm()
	}
	line, err := in.r.ReadSlice('\n')
	switch {
	case err == nil && len(line) <= in.limit:
		return line, nil
	case err == io.EOF && len(line) == 0:
		return nil, nil
	case err == nil || err == io.EOF || errors.Is(err, bufio.ErrBufferFull):
		return nil, in.fail(&readError{context + ": missing newline"})
	}
	return nil, in.fail(in.explain(err, context))
}

// block fills p, as much of a body as there is to come.
func (in *input) block(p []byte, context string) error {
	if in.err != nil {
		return in.err
	}
	if in.r.Buffered() < len(p) {
		in.arm()
	}
	if _, err := io.ReadFull(in.r, p); err != nil {
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return in.fail(&readError{"Early termination for " + context})
		}
		return in.fail(in.explain(err, context))
	}
	return nil
}

// arm begins the time of the next read. No error: a connection without deadlines is
// not a peer's.
func (in *input) arm() { _ = in.conn.SetReadDeadline(time.Now().Add(in.timeout)) }

func (in *input) explain(err error, context string) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return &timeoutError{in.timeout, context}
	}
	return &readError{context + ": " + err.Error()}
}

func (in *input) fail(err error) error {
	in.err = err
	return err
}
