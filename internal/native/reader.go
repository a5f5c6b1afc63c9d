package native

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// errShort says that a body ends too early.
var errShort = errors.New("it is truncated")

// reader reads a body. After an error it returns zeros.
type reader struct {
	b   []byte
	err error
}

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf(format, args...)
	}
}

func (r *reader) left() int { return len(r.b) }

// bytes are the next n; they belong to the body.
func (r *reader) bytes(n int) []byte {
	if r.err == nil && len(r.b) < n {
		r.err = errShort
	}
	if r.err != nil {
		return make([]byte, n)
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

func (r *reader) uint8() int     { return int(r.bytes(1)[0]) }
func (r *reader) uint16() uint16 { return binary.BigEndian.Uint16(r.bytes(2)) }
func (r *reader) uint32() uint32 { return binary.BigEndian.Uint32(r.bytes(4)) }
func (r *reader) uint64() uint64 { return binary.BigEndian.Uint64(r.bytes(8)) }

// head reads the mark and the version that every body begins with.
func (r *reader) head(mark string) {
	if string(r.bytes(len(mark))) != mark && r.err == nil {
		r.fail("it does not begin with %s", mark)
	}
	if v := r.uint8(); v != Version && r.err == nil {
		r.fail("version %d, this node speaks %d", v, Version)
	}
}

// end is the error of the whole, if there was one or something is left over.
func (r *reader) end() error {
	if r.err == nil && len(r.b) > 0 {
		r.fail("%d bytes too many", len(r.b))
	}
	return r.err
}
