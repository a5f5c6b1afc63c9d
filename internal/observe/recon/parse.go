package recon

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
)

// maxDigits is the longest integer that Python reads.
const maxDigits = 4300

var errTooDeep = errors.New("nested too deep")

// parse reads one JSON text as Python's json.loads does: NaN and Infinity are
// numbers, the last of equal keys counts, lone surrogates are kept.
func parse(data []byte) (value, error) {
	p := &parser{s: string(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")))}
	if !validText(p.s) {
		return nil, errors.New("not UTF-8")
	}
	v, err := p.value(0)
	if err != nil {
		return nil, err
	}
	if p.space(); p.i != len(p.s) {
		return nil, p.bad("the end")
	}
	return v, nil
}

type parser struct {
	s string
	i int
}

func (p *parser) bad(want string) error { return fmt.Errorf("expected %s at byte %d", want, p.i) }

func (p *parser) space() {
	for p.i < len(p.s) && strings.IndexByte(" \t\n\r", p.s[p.i]) >= 0 {
		p.i++
	}
}

// accept steps over a word if it comes next.
func (p *parser) accept(word string) bool {
	if !strings.HasPrefix(p.s[p.i:], word) {
		return false
	}
	p.i += len(word)
	return true
}

func (p *parser) value(depth int) (value, error) {
	if depth > maxDepth {
		return nil, errTooDeep
	}
	p.space()
	switch {
	case p.accept(`"`):
		s, err := p.text()
		return text(s), err
	case p.accept("{"):
		return p.object(depth)
	case p.accept("["):
		return p.list(depth)
	case p.accept("null"):
		return nil, nil
	case p.accept("true"):
		return true, nil
	case p.accept("false"):
		return false, nil
	case p.accept("NaN"):
		return number("NaN"), nil
	case p.accept("Infinity"):
		return number("Infinity"), nil
	case p.accept("-Infinity"):
		return number("-Infinity"), nil
	}
	return p.number()
}

func (p *parser) object(depth int) (value, error) {
	o := object{}
	if p.space(); p.accept("}") {
		return o, nil
	}
	for {
		if p.space(); !p.accept(`"`) {
			return nil, p.bad("a key")
		}
		key, err := p.text()
		if err != nil {
			return nil, err
		}
		if p.space(); !p.accept(":") {
			return nil, p.bad("a colon")
		}
		if o[key], err = p.value(depth + 1); err != nil {
			return nil, err
		}
		if p.space(); p.accept("}") {
			return o, nil
		}
		if !p.accept(",") {
			return nil, p.bad("a comma")
		}
	}
}

func (p *parser) list(depth int) (value, error) {
	l := list{}
	if p.space(); p.accept("]") {
		return l, nil
	}
	for {
		v, err := p.value(depth + 1)
		if err != nil {
			return nil, err
		}
		l = append(l, v)
		if p.space(); p.accept("]") {
			return l, nil
		}
		if !p.accept(",") {
			return nil, p.bad("a comma")
		}
	}
}

func (p *parser) number() (value, error) {
	begin := p.i
	p.accept("-")
	digits := p.digits()
	if digits == 0 || digits > 1 && p.s[p.i-digits] == '0' {
		return nil, p.bad("a value")
	}
	whole := true
	if mark := p.i; p.accept(".") {
		if p.digits() == 0 {
			p.i = mark // Python stops here, and then finds more than it expected
			return nil, p.bad("the end")
		}
		whole = false
	}
	if mark := p.i; p.accept("e") || p.accept("E") {
		_ = p.accept("+") || p.accept("-")
		if p.digits() == 0 {
			p.i = mark
			return nil, p.bad("the end")
		}
		whole = false
	}
	written := p.s[begin:p.i]
	switch {
	case !whole:
		f, _ := strconv.ParseFloat(written, 64) // out of range is infinite, as in Python
		return pyFloat(f), nil
	case digits > maxDigits:
		return nil, p.bad("a shorter number")
	case written == "-0":
		return number("0"), nil
	}
	return number(written), nil
}

func (p *parser) digits() int {
	begin := p.i
	for p.i < len(p.s) && p.s[p.i] >= '0' && p.s[p.i] <= '9' {
		p.i++
	}
	return p.i - begin
}

// text reads a string after its opening quote.
func (p *parser) text() (string, error) {
	var b []byte
	for p.i < len(p.s) {
		c := p.s[p.i]
		switch {
		case c == '"':
			p.i++
			return string(b), nil
		case c < ' ':
			return "", p.bad("no control character")
		case c != '\\':
			b = append(b, c)
			p.i++
			continue
		}
		r, err := p.escape()
		if err != nil {
			return "", err
		}
		b = appendRune(b, r)
	}
	return "", p.bad("a closing quote")
}

func (p *parser) escape() (rune, error) {
	p.i++ // the backslash
	if r, ok := p.hex(); ok {
		if mark := p.i; utf16.IsSurrogate(r) && p.accept(`\`) {
			if low, ok := p.hex(); ok {
				if pair := utf16.DecodeRune(r, low); pair != '\uFFFD' {
					return pair, nil
				}
			}
			p.i = mark
		}
		return r, nil
	}
	const letters, meant = `"\/bfnrt`, "\"\\/\b\f\n\r\t"
	if p.i < len(p.s) {
		if n := strings.IndexByte(letters, p.s[p.i]); n >= 0 {
			p.i++
			return rune(meant[n]), nil
		}
	}
	return 0, p.bad("an escape")
}

// hex reads a u and four hex digits.
func (p *parser) hex() (rune, bool) {
	if len(p.s)-p.i < 5 || p.s[p.i] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(p.s[p.i+1:p.i+5], 16, 16)
	if err != nil {
		return 0, false
	}
	p.i += 5
	return rune(n), true
}
