package pickle

import (
	"encoding/binary"
	"math"
)

// Writer writes one pickle of protocol 2, byte for byte as CPython 3 does for
// the same calls: same memo numbers, same batches.
type Writer struct {
	buf    []byte
	memo   uint32 // next memo slot
	encode int64  // slots of what is written once and then fetched; -1 when not yet written
	latin1 int64
	bytes  int64
	short  map[string]uint32 // slots of bytes objects of length 0 and 1, which CPython keeps only once
}

// NewWriter starts a pickle at the end of buf.
func NewWriter(buf []byte) *Writer {
	return &Writer{buf: append(buf, 0x80, 2), encode: -1, latin1: -1, bytes: -1}
}

// Finish ends the pickle and returns the buffer with it.
func (w *Writer) Finish() []byte { return append(w.buf, opStop) }

// batch is how many items CPython puts between a mark and its SETITEMS.
const batch = 1000

// Dict writes a dict of n items; item writes key and value of one. After each
// full batch CPython opens another, even when nothing is left for it.
func (w *Writer) Dict(n int, item func(i int)) {
	w.buf = append(w.buf, '}')
	w.put()
	if n == 1 {
		item(0)
		w.buf = append(w.buf, 's')
		return
	}
	for i, open := 0, n > 0; open; {
		w.buf = append(w.buf, '(')
		end := min(i+batch, n)
		open = end-i == batch
		for ; i < end; i++ {
			item(i)
		}
		w.buf = append(w.buf, 'u')
	}
}

// Text writes a str. Each call is a str object of its own.
func (w *Writer) Text(s string) {
	w.buf = append(w.buf, 'X')
	w.buf = binary.LittleEndian.AppendUint32(w.buf, uint32(len(s)))
	w.buf = append(w.buf, s...)
	w.put()
}

// None writes None.
func (w *Writer) None() { w.buf = append(w.buf, 'N') }

// Bool writes True or False.
func (w *Writer) Bool(b bool) {
	if b {
		w.buf = append(w.buf, 0x88)
		return
	}
	w.buf = append(w.buf, 0x89)
}

// Float writes a float.
func (w *Writer) Float(f float64) {
	w.buf = binary.BigEndian.AppendUint64(append(w.buf, 'G'), math.Float64bits(f))
}

// Bytes writes a bytes object, which protocol 2 can only express as a call.
func (w *Writer) Bytes(s string) {
	if len(s) > 1 {
		w.encoded(s)
		return
	}
	if slot, ok := w.short[s]; ok {
		w.get(slot)
		return
	}
	if s == "" {
		w.global(&w.bytes, "__builtin__\nbytes\n")
		w.buf = append(w.buf, ')', 'R')
		w.put()
	} else {
		w.encoded(s)
	}
	if w.short == nil {
		w.short = map[string]uint32{}
	}
	w.short[s] = w.memo - 1
}

// encoded writes _codecs.encode(text, 'latin1').
func (w *Writer) encoded(s string) {
	w.global(&w.encode, "_codecs\nencode\n")
	w.latinText(s)
	if w.latin1 < 0 {
		w.latin1 = int64(w.memo)
		w.Text("latin1")
	} else {
		w.get(uint32(w.latin1))
	}
	w.buf = append(w.buf, 0x86)
	w.put()
	w.buf = append(w.buf, 'R')
	w.put()
}

// latinText writes a str with one character for each byte.
func (w *Writer) latinText(s string) {
	w.buf = append(w.buf, 'X', 0, 0, 0, 0)
	start := len(w.buf)
	for i := range len(s) {
		if c := s[i]; c < 0x80 {
			w.buf = append(w.buf, c)
		} else {
			w.buf = append(w.buf, 0xc0|c>>6, 0x80|c&0x3f)
		}
	}
	binary.LittleEndian.PutUint32(w.buf[start-4:], uint32(len(w.buf)-start))
	w.put()
}

func (w *Writer) global(slot *int64, name string) {
	if *slot >= 0 {
		w.get(uint32(*slot))
		return
	}
	*slot = int64(w.memo)
	w.buf = append(append(w.buf, 'c'), name...)
	w.put()
}

func (w *Writer) put() {
	if w.memo < 256 {
		w.buf = append(w.buf, 'q', byte(w.memo))
	} else {
		w.buf = binary.LittleEndian.AppendUint32(append(w.buf, 'r'), w.memo)
	}
	w.memo++
}

func (w *Writer) get(slot uint32) {
	if slot < 256 {
		w.buf = append(w.buf, 'h', byte(slot))
	} else {
		w.buf = binary.LittleEndian.AppendUint32(append(w.buf, 'j'), slot)
	}
}
