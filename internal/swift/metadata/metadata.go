// Package metadata reads and writes the metadata of an object file: a pickled
// dict in extended attributes, as Swift's object server keeps it.
//
// Names and values are raw header bytes, whatever version of Python wrote them.
package metadata

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"

	"understudy/internal/swift/pickle"
)

// Pair is one item: a header's name and its value as raw bytes, or "name" and
// the path of the object.
type Pair struct{ Name, Value string }

// Metadata is the items in the order in which they were written.
type Metadata []Pair

// MaxSize bounds pickled metadata, in bytes. Swift's own limits allow a header
// count and header size that stay well below it.
const MaxSize = 4 << 20

var limits = pickle.Limits{Size: MaxSize, Depth: 4, Stack: 1 << 16, Memo: 1 << 16, Work: 2 * MaxSize}

// ErrCorrupt is wrapped by every error about metadata that is there but is not
// what a Swift writes.
var ErrCorrupt = errors.New("metadata is corrupt")

// Get returns the value of a name, ignoring ASCII case as Swift does.
func (m Metadata) Get(name string) (string, bool) {
	for _, p := range m {
		if equalFold(p.Name, name) {
			return p.Value, true
		}
	}
	return "", false
}

func equalFold(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}

// nameKey is the one item that is no header.
const nameKey = "name"

// Decode reads pickled metadata. Errors wrap ErrCorrupt.
//
// Python 2 stored header bytes as they were. Python 3 sees a header as text with
// one character for each byte and stores that text in UTF-8, except for "name".
// Swift: obj/diskfile.py _decode_metadata.
func Decode(raw []byte) (Metadata, error) {
	v, err := pickle.Decode(raw, limits)
	if err != nil {
		return nil, fmt.Errorf("decode metadata: %w: %w", ErrCorrupt, err)
	}
	dict, ok := v.(*pickle.Dict)
	if !ok {
		return nil, fmt.Errorf("decode metadata: %w: not a dict", ErrCorrupt)
	}
	python3 := writtenByPython3(raw)
	m := make(Metadata, 0, len(dict.Pairs))
	seen := make(map[string]int, len(dict.Pairs))
	for _, p := range dict.Pairs {
		name, ok := header(p.Key, python3)
		if !ok {
			return nil, fmt.Errorf("decode metadata: %w: a key is %T", ErrCorrupt, p.Key)
		}
		value, ok := header(p.Value, python3)
		if name == nameKey {
			value, ok = plain(p.Value)
		}
		if !ok {
			return nil, fmt.Errorf("decode metadata: %w: value of %q is %T", ErrCorrupt, name, p.Value)
		}
		if i, again := seen[name]; again {
			m[i].Value = value
			continue
		}
		seen[name] = len(m)
		m = append(m, Pair{Name: name, Value: value})
	}
	return m, nil
}

// writtenByPython3 tells which Python wrote the pickle: only Python 3 has to call
// a codec to write bytes at protocol 2, and the first key comes early.
func writtenByPython3(raw []byte) bool {
	return bytes.Contains(raw[:min(len(raw), 32)], []byte("_codecs\nencode"))
}

// header turns a stored key or value into header bytes.
func header(v any, python3 bool) (string, bool) {
	switch v := v.(type) {
	case pickle.Bytes:
		if python3 {
			return narrow(string(v)), true
		}
		return string(v), true
	case pickle.Text:
		return narrow(string(v)), true
	case int64:
		return strconv.FormatInt(v, 10), true
	}
	return "", false
}

func plain(v any) (string, bool) {
	switch v := v.(type) {
	case pickle.Bytes:
		return string(v), true
	case pickle.Text:
		return string(v), true
	}
	return "", false
}

// narrow turns UTF-8 of characters below 256 into one byte for each. What is
// not such text cannot have come from a header by way of Python 3, so it is left
// as it is.
func narrow(s string) string {
	ascii := true
	for i := range len(s) {
		ascii = ascii && s[i] < utf8.RuneSelf
	}
	if ascii {
		return s
	}
	out := make([]byte, 0, len(s))
	for _, r := range s {
		if r > 0xff { // also what is not UTF-8
			return s
		}
		out = append(out, byte(r))
	}
	return string(out)
}

func widen(s string) string {
	n := 0
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			n++
		}
	}
	if n == 0 {
		return s
	}
	out := make([]byte, 0, len(s)+n)
	for i := range len(s) {
		out = utf8.AppendRune(out, rune(s[i]))
	}
	return string(out)
}

// Encode writes metadata as Swift on Python 3 does, byte for byte. Names must
// not repeat. Swift: obj/diskfile.py write_metadata.
func Encode(m Metadata) []byte {
	size := 64
	for _, p := range m {
		size += len(p.Name) + len(p.Value) + 48
	}
	w := pickle.NewWriter(make([]byte, 0, size))
	w.Dict(len(m), func(i int) {
		w.Bytes(widen(m[i].Name))
		if m[i].Name == nameKey {
			w.Bytes(m[i].Value)
			return
		}
		w.Bytes(widen(m[i].Value))
	})
	return w.Finish()
}
