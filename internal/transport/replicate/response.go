package replicate

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// Bounds of a response's head and of chunked framing.
const (
	maxLine    = 8192 // bytes; also the size of a connection's buffer
	maxHeaders = 128  // lines of one head, and of one trailer
	maxOffer   = 80   // bytes of a lane's name
)

// head is what matters of a response's head.
type head struct {
	status    int
	length    int64 // of the body; -1 when it ends with the connection
	chunked   bool
	keepAlive bool   // the connection is good for another exchange
	lane      string // what X-Understudy-Lane offers
}

// badStatusLine is an answer that is not HTTP.
type badStatusLine struct{ line string }

func (e *badStatusLine) Error() string { return fmt.Sprintf("bad status line %.80q", e.line) }

// readHead reads the head of the final response; informational ones count as
// headers do.
func readHead(r *bufio.Reader) (head, error) {
	lines := 0
	for {
		h, err := readOneHead(r, &lines)
		if err != nil || h.status >= 200 {
			return h, err
		}
		if h.status == 101 {
			return h, errors.New("peer switches protocols")
		}
	}
}

func readOneHead(r *bufio.Reader, lines *int) (head, error) {
	h := head{length: -1}
	line, err := readLine(r)
	if err != nil {
		return h, err
	}
	minor := 0
	if h.status, minor, err = parseStatusLine(line); err != nil {
		return h, err
	}
	h.keepAlive = minor >= 1
	for {
		line, err := readLine(r)
		if err != nil {
			return h, err
		}
		if len(line) == 0 {
			break
		}
		if *lines++; *lines > maxHeaders {
			return h, fmt.Errorf("more than %d response headers", maxHeaders)
		}
		if err := h.header(line); err != nil {
			return h, err
		}
	}
	h.frame()
	return h, nil
}

// frame settles how the body ends.
func (h *head) frame() {
	switch {
	case h.status < 200 || h.status == 204 || h.status == 304:
		h.length, h.chunked = 0, false
	case h.chunked:
		if h.length >= 0 {
			h.keepAlive = false // someone between us and the peer may have counted otherwise
		}
		h.length = -1
	case h.length < 0:
		h.keepAlive = false
	}
}

// readLine reads a line without its end. It is valid until the next read.
func readLine(r *bufio.Reader) ([]byte, error) {
	line, err := r.ReadSlice('\n')
	switch {
	case errors.Is(err, bufio.ErrBufferFull):
		return nil, fmt.Errorf("response line longer than %d bytes", maxLine)
	case errors.Is(err, io.EOF):
		return nil, io.ErrUnexpectedEOF
	case err != nil:
		return nil, err
	}
	line = line[:len(line)-1]
	return bytes.TrimSuffix(line, []byte{'\r'}), nil
}

// parseStatusLine reads "HTTP/1.x NNN" and ignores the words after it.
func parseStatusLine(line []byte) (status, minor int, err error) {
	bad := func() (int, int, error) { return 0, 0, &badStatusLine{string(line)} }
	const form = "HTTP/1.x 200"
	if len(line) < len(form) || string(line[:7]) != "HTTP/1." || line[8] != ' ' {
		return bad()
	}
	if line[7] != '0' && line[7] != '1' {
		return bad()
	}
	if len(line) > len(form) && line[len(form)] != ' ' {
		return bad()
	}
	for _, c := range line[9:12] {
		if c < '0' || c > '9' {
			return bad()
		}
		status = status*10 + int(c-'0')
	}
	if status < 100 {
		return bad()
	}
	return status, int(line[7] - '0'), nil
}

func (h *head) header(line []byte) error {
	name, value, ok := bytes.Cut(line, []byte{':'})
	if !ok || len(name) == 0 || bytes.ContainsAny(name, " \t") {
		return fmt.Errorf("bad response header %.80q", line)
	}
	value = bytes.Trim(value, " \t")
	switch {
	case is(name, "content-length"):
		n, err := strconv.ParseUint(string(value), 10, 62)
		if err != nil || (h.length >= 0 && h.length != int64(n)) {
			return fmt.Errorf("bad content length %.80q", value)
		}
		h.length = int64(n)
	case is(name, "transfer-encoding"):
		if !is(value, "chunked") || h.chunked {
			return fmt.Errorf("unknown transfer encoding %.80q", value)
		}
		h.chunked = true
	case is(name, "x-understudy-lane"):
		h.lane = string(value[:min(len(value), maxOffer)])
	case is(name, "connection"):
		for token := range bytes.SplitSeq(value, []byte{','}) {
			if is(bytes.Trim(token, " \t"), "close") {
				h.keepAlive = false
			}
		}
	}
	return nil
}

// is compares ignoring case. The word is in lower case.
func is(b []byte, word string) bool {
	return len(b) == len(word) && bytes.EqualFold(b, []byte(word))
}

// readBody appends the body to buf, which it returns as it has grown.
func readBody(r *bufio.Reader, h head, buf []byte, limit int64) ([]byte, error) {
	switch {
	case h.chunked:
		return readChunks(r, buf, limit)
	case h.length > limit:
		return buf, errTooLong(limit)
	case h.length >= 0:
		return readN(r, buf, h.length)
	}
	for {
		if int64(len(buf)) > limit {
			return buf, errTooLong(limit)
		}
		if len(buf) == cap(buf) {
			buf = append(buf, 0)[:len(buf)]
		}
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if errors.Is(err, io.EOF) {
			return buf, nil
		}
		if err != nil {
			return buf, err
		}
	}
}

func errTooLong(limit int64) error { return fmt.Errorf("response body longer than %d bytes", limit) }

// readN appends n bytes. Memory grows with what has come, not with what was
// announced.
func readN(r *bufio.Reader, buf []byte, n int64) ([]byte, error) {
	for n > 0 {
		step := int(min(n, 32<<10))
		start := len(buf)
		buf = append(buf, make([]byte, step)...)
		got, err := io.ReadFull(r, buf[start:])
		if err != nil {
			buf = buf[:start+got]
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return buf, err
		}
		n -= int64(step)
	}
	return buf, nil
}

func readChunks(r *bufio.Reader, buf []byte, limit int64) ([]byte, error) {
	for {
		line, err := readLine(r)
		if err != nil {
			return buf, err
		}
		size, _, _ := bytes.Cut(line, []byte{';'})
		size = bytes.TrimRight(size, " \t")
		n, err := strconv.ParseUint(string(size), 16, 62)
		if err != nil || len(size) > 16 {
			return buf, fmt.Errorf("bad chunk size %.80q", line)
		}
		if n == 0 {
			return buf, readTrailer(r)
		}
		if int64(len(buf))+int64(n) > limit {
			return buf, errTooLong(limit)
		}
		if buf, err = readN(r, buf, int64(n)); err != nil {
			return buf, err
		}
		if line, err = readLine(r); err != nil {
			return buf, err
		}
		if len(line) != 0 {
			return buf, fmt.Errorf("chunk is longer than its size")
		}
	}
}

func readTrailer(r *bufio.Reader) error {
	for range maxHeaders {
		line, err := readLine(r)
		if err != nil || len(line) == 0 {
			return err
		}
	}
	return fmt.Errorf("more than %d trailers", maxHeaders)
}
