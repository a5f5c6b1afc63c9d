package pickle

import (
	"strings"
	"unicode/utf8"
)

// global is one of the names that a pickle may mention. It never leaves the
// decoder.
type global int

const (
	codecsEncode global = iota
	reconstructor
	headerKeyDict
	dictType
	bytesType
)

// globals is the whitelist of names. The copy_reg and __builtin__ spellings are
// Python 2's, which Python 3 also writes below protocol 3.
var globals = map[string]global{
	"_codecs encode":                       codecsEncode,
	"copy_reg _reconstructor":              reconstructor,
	"copyreg _reconstructor":               reconstructor,
	"__builtin__ dict":                     dictType,
	"builtins dict":                        dictType,
	"__builtin__ bytes":                    bytesType,
	"builtins bytes":                       bytesType,
	headerKeyDictModule + " HeaderKeyDict": headerKeyDict,
}

const headerKeyDictModule = "swift.common.header_key_dict"

func (d *decoder) global() string {
	module, reason := d.line(maxLine)
	if reason != "" {
		return reason
	}
	name, reason := d.line(maxLine)
	if reason != "" {
		return reason
	}
	g, ok := globals[module+" "+name]
	if !ok {
		return "global " + strings.ToValidUTF8(module+"."+name, "?") + " not allowed"
	}
	return d.push(slot{v: g, inner: true})
}

// call takes the arguments and what they go to off the stack.
func (d *decoder) call() (global, slot, string) {
	args, reason := d.pop()
	if reason != "" {
		return 0, args, reason
	}
	f, reason := d.pop()
	if reason != "" {
		return 0, args, reason
	}
	g, ok := f.v.(global)
	if !ok {
		return 0, args, "call of a value"
	}
	if _, ok := args.v.(Tuple); !ok {
		return 0, args, "arguments are not a tuple"
	}
	return g, args, ""
}

func (d *decoder) reduce() string {
	g, args, reason := d.call()
	if reason != "" {
		return reason
	}
	t := args.v.(Tuple)
	switch {
	case g == codecsEncode && len(t) == 2:
		return d.encodeLatin1(t)
	case g == bytesType && len(t) == 0:
		return d.value(Bytes(""))
	case (g == dictType || g == headerKeyDict) && len(t) == 0:
		return d.push(slot{v: &Dict{}, depth: 1})
	case g == reconstructor && len(t) == 3 && isDictType(t[0]) && t[1] == any(dictType):
		if dict, ok := t[2].(*Dict); ok {
			return d.push(slot{v: dict, depth: args.depth - 1})
		}
	}
	return "call with arguments that are not allowed"
}

// newObj makes a dict of an allowed class: protocol 2 of copy_reg.
func (d *decoder) newObj() string {
	g, args, reason := d.call()
	if reason != "" {
		return reason
	}
	if !isDictType(g) || len(args.v.(Tuple)) != 0 {
		return "object with arguments that are not allowed"
	}
	return d.push(slot{v: &Dict{}, depth: 1})
}

func isDictType(v any) bool { return v == any(dictType) || v == any(headerKeyDict) }

// encodeLatin1 is _codecs.encode(text, 'latin1'): how Python 3 writes bytes at
// protocol 2.
func (d *decoder) encodeLatin1(args Tuple) string {
	text, ok := args[0].(Text)
	if !ok || args[1] != any(Text("latin1")) {
		return "only text can be encoded, and only to latin1"
	}
	if reason := d.spend(len(text)); reason != "" {
		return reason
	}
	s, ok := narrow(string(text))
	if !ok {
		return "text is not Latin-1"
	}
	return d.value(Bytes(s))
}

// narrow turns characters below 256 into bytes.
func narrow(s string) (string, bool) {
	ascii := 0
	for ascii < len(s) && s[ascii] < utf8.RuneSelf {
		ascii++
	}
	if ascii == len(s) {
		return s, true
	}
	out := append(make([]byte, 0, len(s)), s[:ascii]...)
	for _, r := range s[ascii:] {
		if r > 0xff {
			return "", false
		}
		out = append(out, byte(r))
	}
	return string(out), true
}
