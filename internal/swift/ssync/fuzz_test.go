package ssync

import (
	"bytes"
	"testing"
)

// FuzzParseOffer: what is read is written and read again as the same.
func FuzzParseOffer(f *testing.F) {
	for _, v := range vectors(f) {
		f.Add([]byte(v.Line))
	}
	f.Add([]byte("a%41%4 1_4 m:-1__ffffffffffffffff,t:0,durable:no,:x"))
	f.Fuzz(func(t *testing.T, line []byte) {
		o, err := ParseOffer(line)
		if err != nil {
			return
		}
		if o.Data.Raw < 0 || o.Meta.Raw < 0 || o.CType.Raw < 0 || o.Meta.Raw >= maxRaw {
			t.Fatalf("%q is read as %+v", line, o)
		}
		if o.Hash == "" || o.Meta.IsZero() || o.CType.IsZero() || o.Meta == o.Data {
			return // an epoch counts as none, and a content type needs metadata
		}
		text := o.Append(nil)
		again, err := ParseOffer(text)
		if err != nil || again != o {
			t.Fatalf("%q is %+v, written %q, read %+v, %v", line, o, text, again, err)
		}
	})
}

func FuzzParseWant(f *testing.F) {
	for _, line := range []string{"0123456789abcdef0123456789abcdef dm\r\n", "h", "h d m", "%zz%41 x"} {
		f.Add([]byte(line))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		w, err := ParseWant(line)
		if err != nil || w.Hash == "" {
			return
		}
		if !w.Data && !w.Meta {
			t.Fatalf("%q wants nothing", line)
		}
		if again, err := ParseWant(w.Append(nil)); err != nil || again != w {
			t.Fatalf("%q is %+v, then %+v, %v", line, w, again, err)
		}
	})
}

// FuzzParseLine: the rest of what a peer can say.
func FuzzParseLine(f *testing.F) {
	for _, line := range []string{":ERROR: 0 'x'", ":ERROR: 500 b'x'", "PUT /a/c/o", "DELETE /%00", "A: b", ":", MissingStart} {
		f.Add([]byte(line))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		if e, ok := ParseError(line); ok {
			if again, ok := ParseError(e.Append(nil)); !ok || again != e {
				t.Fatalf("%q is %+v, then %+v", line, e, again)
			}
		}
		if method, path, err := ParseRequest(line); err == nil {
			head, err := Subrequest{Method: method, Path: path}.Append(nil)
			if err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			first, _, _ := bytes.Cut(head, []byte("\r\n"))
			if m, p, err := ParseRequest(first); err != nil || m != method || p != path {
				t.Fatalf("%q is %q %q, then %q %q, %v", line, method, path, m, p, err)
			}
		}
		_, _, _ = ParseHeader(line)
		_ = Repr(line)
	})
}
