package pickle

import (
	"fmt"
	"strconv"
)

const opStop = '.'

// opcodes is the whitelist. Names are those of Python's pickletools. Opcodes
// that are named without a function are known and refused.
var opcodes [256]struct {
	name string
	run  func(*decoder) string
}

func allow(op byte, name string, run func(*decoder) string) {
	opcodes[op].name, opcodes[op].run = name, run
}

func init() {
	opcodes[opStop].name = "STOP"
	for op, name := range refused {
		opcodes[op].name = name
	}
	allow(0x80, "PROTO", (*decoder).proto)
	allow('(', "MARK", (*decoder).mark)
	allow('N', "NONE", func(d *decoder) string { return d.value(nil) })
	allow(0x88, "NEWTRUE", func(d *decoder) string { return d.value(true) })
	allow(0x89, "NEWFALSE", func(d *decoder) string { return d.value(false) })
	allow('K', "BININT1", (*decoder).binInt1)
	allow('M', "BININT2", (*decoder).binInt2)
	allow('J', "BININT", (*decoder).binInt)
	allow(0x8a, "LONG1", (*decoder).long1)
	allow('I', "INT", (*decoder).intLine)
	allow('L', "LONG", (*decoder).longLine)
	allow('G', "BINFLOAT", (*decoder).binFloat)
	allow('F', "FLOAT", (*decoder).floatLine)
	allow('X', "BINUNICODE", (*decoder).binUnicode)
	allow('V', "UNICODE", (*decoder).unicodeLine)
	allow('U', "SHORT_BINSTRING", (*decoder).shortBinString)
	allow('T', "BINSTRING", (*decoder).binString)
	allow('S', "STRING", (*decoder).stringLine)
	allow('q', "BINPUT", func(d *decoder) string { return d.withUint(1, (*decoder).put) })
	allow('r', "LONG_BINPUT", func(d *decoder) string { return d.withUint(4, (*decoder).put) })
	allow('p', "PUT", func(d *decoder) string { return d.withLine((*decoder).put) })
	allow('h', "BINGET", func(d *decoder) string { return d.withUint(1, (*decoder).get) })
	allow('j', "LONG_BINGET", func(d *decoder) string { return d.withUint(4, (*decoder).get) })
	allow('g', "GET", func(d *decoder) string { return d.withLine((*decoder).get) })
	allow(')', "EMPTY_TUPLE", func(d *decoder) string { return d.tuple(nil) })
	allow(0x85, "TUPLE1", func(d *decoder) string { return d.tupleN(1) })
	allow(0x86, "TUPLE2", func(d *decoder) string { return d.tupleN(2) })
	allow(0x87, "TUPLE3", func(d *decoder) string { return d.tupleN(3) })
	allow('t', "TUPLE", (*decoder).markedTuple)
	allow('}', "EMPTY_DICT", func(d *decoder) string { return d.push(slot{v: &Dict{}, depth: 1}) })
	allow('d', "DICT", (*decoder).markedDict)
	allow('s', "SETITEM", (*decoder).setItem)
	allow('u', "SETITEMS", (*decoder).markedSetItems)
	allow('c', "GLOBAL", (*decoder).global)
	allow('R', "REDUCE", (*decoder).reduce)
	allow(0x81, "NEWOBJ", (*decoder).newObj)
}

// refused gives names to the errors about what Python would accept.
var refused = map[byte]string{
	'0': "POP", '1': "POP_MARK", '2': "DUP", 'P': "PERSID", 'Q': "BINPERSID", 'a': "APPEND", 'e': "APPENDS",
	'b': "BUILD", 'i': "INST", 'o': "OBJ", 'l': "LIST", ']': "EMPTY_LIST", 0x82: "EXT1", 0x83: "EXT2", 0x84: "EXT4",
	0x8b: "LONG4", 'B': "BINBYTES", 'C': "SHORT_BINBYTES", 0x8c: "SHORT_BINUNICODE", 0x8d: "BINUNICODE8",
	0x8e: "BINBYTES8", 0x8f: "EMPTY_SET", 0x90: "ADDITEMS", 0x91: "FROZENSET", 0x92: "NEWOBJ_EX",
	0x93: "STACK_GLOBAL", 0x94: "MEMOIZE", 0x95: "FRAME", 0x96: "BYTEARRAY8", 0x97: "NEXT_BUFFER", 0x98: "READONLY_BUFFER",
}

func (d *decoder) proto() string {
	v, reason := d.uint(1)
	if reason == "" && v > 2 {
		reason = fmt.Sprintf("protocol %d, only 0 to 2 allowed", v)
	}
	return reason
}

func (d *decoder) mark() string {
	if len(d.marks) >= d.limits.Stack {
		return fmt.Sprintf("more than %d marks", d.limits.Stack)
	}
	d.marks = append(d.marks, len(d.stack))
	return ""
}

func (d *decoder) withUint(n int, f func(*decoder, uint32) string) string {
	v, reason := d.uint(n)
	if reason != "" {
		return reason
	}
	return f(d, v)
}

func (d *decoder) withLine(f func(*decoder, uint32) string) string {
	s, reason := d.line(maxLine)
	if reason != "" {
		return reason
	}
	v, err := strconv.ParseUint(s, 10, 32)
	if err != nil {
		return "memo slot is not a number"
	}
	return f(d, uint32(v))
}

func (d *decoder) tupleN(n int) string {
	if len(d.stack)-d.floor() < n {
		return "stack is empty"
	}
	items := d.stack[len(d.stack)-n:]
	d.stack = d.stack[:len(d.stack)-n]
	return d.tuple(items)
}

func (d *decoder) markedTuple() string {
	items, reason := d.popMark()
	if reason != "" {
		return reason
	}
	return d.tuple(items)
}

func (d *decoder) markedDict() string {
	items, reason := d.popMark()
	if reason != "" {
		return reason
	}
	dict := &Dict{}
	s := slot{v: dict, depth: 1}
	if reason := d.fillDict(dict, &s, items); reason != "" {
		return reason
	}
	return d.push(s)
}

func (d *decoder) markedSetItems() string {
	items, reason := d.popMark()
	if reason != "" {
		return reason
	}
	return d.setItems(items)
}

func (d *decoder) setItem() string {
	if len(d.stack)-d.floor() < 3 {
		return "stack is empty"
	}
	items := d.stack[len(d.stack)-2:]
	d.stack = d.stack[:len(d.stack)-2]
	return d.setItems(items)
}
