package pickle

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Decode reads one pickle. Bytes after its end are ignored, as Python does.
func Decode(data []byte, limits Limits) (any, error) {
	if len(data) > limits.Size {
		return nil, fmt.Errorf("read pickle: %d bytes, more than %d", len(data), limits.Size)
	}
	d := decoder{in: string(data), limits: limits}
	v, reason := d.run()
	if reason != "" {
		return nil, &Error{Offset: d.start, Op: d.opName(), Reason: reason}
	}
	return v, nil
}

// slot is one value of the stack with what must be known of it when it is put
// into a container.
type slot struct {
	v     any
	depth int  // of containers; 0 for atoms
	inner bool // is or holds a global, which may not leave the decoder
}

// decoder is the state of one reading. Its methods answer a reason when the
// pickle is refused, and the empty string when all is well.
type decoder struct {
	in     string
	pos    int // next byte
	start  int // of the opcode at work
	limits Limits
	stack  []slot
	marks  []int // stack heights
	memo   []slot
	held   []bool // which memo slots are set
	items  int    // put into containers so far
	work   int
}

func (d *decoder) run() (any, string) {
	for {
		d.start = d.pos
		if d.pos >= len(d.in) {
			return nil, "pickle ends without STOP"
		}
		op := d.in[d.pos]
		d.pos++
		if op == opStop {
			return d.stop()
		}
		f := opcodes[op].run
		if f == nil {
			return nil, "opcode not allowed"
		}
		if reason := f(d); reason != "" {
			return nil, reason
		}
	}
}

func (d *decoder) stop() (any, string) {
	s, reason := d.pop()
	if reason != "" {
		return nil, reason
	}
	if s.inner {
		return nil, "a global is not a value"
	}
	return s.v, ""
}

func (d *decoder) opName() string {
	if d.start >= len(d.in) {
		return "end of data"
	}
	op := d.in[d.start]
	if n := opcodes[op].name; n != "" {
		return n
	}
	return fmt.Sprintf("opcode 0x%02x", op)
}

func (d *decoder) push(s slot) string {
	if len(d.stack) >= d.limits.Stack {
		return fmt.Sprintf("more than %d values on the stack", d.limits.Stack)
	}
	if s.depth > d.limits.Depth {
		return fmt.Sprintf("nested deeper than %d", d.limits.Depth)
	}
	d.stack = append(d.stack, s)
	return ""
}

func (d *decoder) value(v any) string { return d.push(slot{v: v}) }

// floor is the stack height below which values belong to an open mark.
func (d *decoder) floor() int {
	if n := len(d.marks); n > 0 {
		return d.marks[n-1]
	}
	return 0
}

func (d *decoder) pop() (slot, string) {
	n := len(d.stack)
	if n <= d.floor() {
		return slot{}, "stack is empty"
	}
	s := d.stack[n-1]
	d.stack = d.stack[:n-1]
	return s, ""
}

// popMark takes everything above the last mark. The slice is valid until the
// next push.
func (d *decoder) popMark() ([]slot, string) {
	n := len(d.marks)
	if n == 0 {
		return nil, "no mark"
	}
	items := d.stack[d.marks[n-1]:]
	d.stack = d.stack[:d.marks[n-1]]
	d.marks = d.marks[:n-1]
	return items, ""
}

func (d *decoder) take(n int) (string, string) {
	if n < 0 || n > len(d.in)-d.pos {
		return "", fmt.Sprintf("%d bytes wanted, %d left", n, len(d.in)-d.pos)
	}
	s := d.in[d.pos : d.pos+n]
	d.pos += n
	return s, ""
}

// maxLine bounds an argument that ends with a newline, other than a string's.
const maxLine = 64

func (d *decoder) line(limit int) (string, string) {
	rest := d.in[d.pos:]
	for i := 0; i < len(rest) && i <= limit; i++ {
		if rest[i] == '\n' {
			d.pos += i + 1
			return rest[:i], ""
		}
	}
	return "", "argument without newline"
}

func (d *decoder) uint(n int) (uint32, string) {
	s, reason := d.take(n)
	if reason != "" {
		return 0, reason
	}
	var v uint32
	for i := n - 1; i >= 0; i-- {
		v = v<<8 | uint32(s[i])
	}
	return v, ""
}

// spend counts work that the size of the pickle does not bound.
func (d *decoder) spend(n int) string {
	d.work += n
	if d.work > d.limits.Work {
		return fmt.Sprintf("calls handle more than %d bytes", d.limits.Work)
	}
	return ""
}

// fill counts items that go into containers.
func (d *decoder) fill(n int) string {
	d.items += n
	if d.items > d.limits.Stack {
		return fmt.Sprintf("more than %d items in containers", d.limits.Stack)
	}
	return ""
}

func (d *decoder) put(i uint32) string {
	if int64(i) >= int64(d.limits.Memo) {
		return fmt.Sprintf("memo slot %d, only %d allowed", i, d.limits.Memo)
	}
	n := len(d.stack)
	if n <= d.floor() {
		return "stack is empty"
	}
	for len(d.memo) <= int(i) {
		d.memo = append(d.memo, slot{})
		d.held = append(d.held, false)
	}
	d.memo[i], d.held[i] = d.stack[n-1], true
	return ""
}

// get refuses containers: Swift never shares one, and without sharing a value
// can be neither cyclic nor larger than its pickle.
func (d *decoder) get(i uint32) string {
	if int64(i) >= int64(len(d.memo)) || !d.held[i] {
		return fmt.Sprintf("memo slot %d is empty", i)
	}
	s := d.memo[i]
	switch s.v.(type) {
	case *Dict, Tuple:
		return "a container is used twice"
	}
	return d.push(s)
}

func (d *decoder) tuple(items []slot) string {
	if reason := d.fill(len(items)); reason != "" {
		return reason
	}
	t, s := make(Tuple, len(items)), slot{depth: 1}
	for i, it := range items {
		t[i] = it.v
		s.depth = max(s.depth, it.depth+1)
		s.inner = s.inner || it.inner
	}
	s.v = t
	return d.push(s)
}

// setItems puts keys and values into the dict on top of the stack.
func (d *decoder) setItems(items []slot) string {
	n := len(d.stack)
	if n <= d.floor() {
		return "stack is empty"
	}
	top := &d.stack[n-1]
	dict, ok := top.v.(*Dict)
	if !ok {
		return "not a dict"
	}
	return d.fillDict(dict, top, items)
}

func (d *decoder) fillDict(dict *Dict, s *slot, items []slot) string {
	if len(items)%2 != 0 {
		return "a key without a value"
	}
	if reason := d.fill(len(items)); reason != "" {
		return reason
	}
	if dict.Pairs == nil {
		dict.Pairs = make([]Pair, 0, len(items)/2)
	}
	for i := 0; i < len(items); i += 2 {
		k, v := items[i], items[i+1]
		if k.depth > 0 || k.inner {
			return "a container or global is no key here"
		}
		if v.inner {
			return "a global is not a value"
		}
		if s.depth = max(s.depth, v.depth+1); s.depth > d.limits.Depth {
			return fmt.Sprintf("nested deeper than %d", d.limits.Depth)
		}
		dict.Pairs = append(dict.Pairs, Pair{Key: k.v, Value: v.v})
	}
	return ""
}

func (d *decoder) float() (float64, string) {
	s, reason := d.take(8)
	if reason != "" {
		return 0, reason
	}
	return math.Float64frombits(binary.BigEndian.Uint64([]byte(s))), ""
}
