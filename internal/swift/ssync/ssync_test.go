package ssync

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"understudy/internal/swift/metadata"
	"understudy/internal/swift/timestamp"
)

type vector struct {
	Data    string  `json:"ts_data"`
	Meta    *string `json:"ts_meta"`
	CType   *string `json:"ts_ctype"`
	Line    string  `json:"line"`
	Decoded struct {
		Hash    string `json:"object_hash"`
		Data    string `json:"ts_data"`
		Meta    string `json:"ts_meta"`
		CType   string `json:"ts_ctype"`
		Durable bool   `json:"durable"`
	} `json:"decoded"`
}

func vectors(t testing.TB) (all []vector) {
	t.Helper()
	data, err := os.ReadFile("testdata/missing.json")
	if err == nil {
		err = json.Unmarshal(data, &all)
	}
	if err != nil || len(all) < 7 {
		t.Fatalf("read vectors: %d, %v", len(all), err)
	}
	return all
}

func parse(t testing.TB, s *string) timestamp.Timestamp {
	t.Helper()
	if s == nil {
		return timestamp.Timestamp{}
	}
	ts, err := timestamp.Parse(*s)
	if err != nil {
		t.Fatal(err)
	}
	return ts
}

func TestOfferVectors(t *testing.T) {
	for _, v := range vectors(t) {
		o := Offer{Hash: v.Decoded.Hash, Data: parse(t, &v.Data), Meta: parse(t, v.Meta), CType: parse(t, v.CType)}
		if got := string(o.Append(nil)); got != v.Line {
			t.Errorf("offer is %q, want %q", got, v.Line)
		}
		d, err := ParseOffer([]byte(v.Line + "\r\n"))
		if err != nil {
			t.Errorf("%q: %v", v.Line, err)
			continue
		}
		if d.Hash != v.Decoded.Hash || d.Data.Internal() != v.Decoded.Data || d.Meta.Internal() != v.Decoded.Meta ||
			d.CType.Internal() != v.Decoded.CType || d.NotDurable == v.Decoded.Durable {
			t.Errorf("%q is read as %+v", v.Line, d)
		}
	}
}

// What the installed Swift (2.30) makes of the offers and wants that it knows.
func TestAgainstSwift(t *testing.T) {
	const script = `
import json, sys
sys.path.insert(0, '/usr/lib/python3/dist-packages')
from swift.obj.ssync_sender import encode_missing, decode_wanted
from swift.obj.ssync_receiver import decode_missing, encode_wanted
from swift.common.utils import Timestamp
out = []
for q in json.load(sys.stdin):
    if 'want' in q:
        parts = q['want'].split()
        w = decode_wanted(parts[1:])
        out.append('%d%d' % (w.get('data', False), w.get('meta', False)))
        continue
    kw = {k: Timestamp(v) for k, v in q.items() if k.startswith('ts_') and v}
    line = encode_missing(q['hash'], durable=q['durable'], **kw)
    d = decode_missing(line)
    out.append([line.decode(), d['object_hash'], d['ts_data'].internal, d['ts_meta'].internal, d['ts_ctype'].internal, d['durable']])
json.dump(out, sys.stdout)
`
	const t0, t1, t2 = "1700000000.00000", "1700000001.50000", "1699999999.99999"
	type query map[string]any
	var in []query
	var offers []Offer
	for _, meta := range []string{"", t0, t1, t2} {
		for _, ctype := range []string{"", t0, t1, t2} {
			for _, durable := range []bool{true, false} {
				hash := "0123456789abcdef0123456789abcdef"
				in = append(in, query{"hash": hash, "ts_data": t0, "ts_meta": meta, "ts_ctype": ctype, "durable": durable})
				o := Offer{Hash: hash, Data: parse(t, ptr(t0)), NotDurable: !durable}
				if meta != "" {
					o.Meta = parse(t, &meta)
				}
				if ctype != "" {
					o.CType = parse(t, &ctype)
				}
				offers = append(offers, o)
			}
		}
	}
	wants := []string{"h", "h d", "h m", "h dm", "h md", "h x", "h d m", "h dx y"}
	for _, w := range wants {
		in = append(in, query{"want": w})
	}
	request, _ := json.Marshal(in)
	cmd := exec.Command("/usr/bin/python3", "-c", script)
	cmd.Stdin, cmd.Stderr = strings.NewReader(string(request)), os.Stderr
	answer, err := cmd.Output()
	if err != nil {
		t.Fatalf("Swift is needed for this test: %v", err)
	}
	var out []any
	if err := json.Unmarshal(answer, &out); err != nil || len(out) != len(in) {
		t.Fatalf("%d answers, %v", len(out), err)
	}
	for i, o := range offers {
		a := out[i].([]any)
		if got := string(o.Append(nil)); got != a[0] {
			t.Errorf("offer is %q, Swift writes %q", got, a[0])
		}
		d, err := ParseOffer([]byte(a[0].(string)))
		if err != nil || d.Hash != a[1] || d.Data.Internal() != a[2] || d.Meta.Internal() != a[3] || d.CType.Internal() != a[4] || d.NotDurable == a[5] {
			t.Errorf("%q is read as %+v (%v), Swift reads %v", a[0], d, err, a)
		}
	}
	for i, line := range wants {
		w, err := ParseWant([]byte(line))
		got := []byte("00")
		if w.Data {
			got[0] = '1'
		}
		if w.Meta {
			got[1] = '1'
		}
		if err != nil || string(got) != out[len(offers)+i] {
			t.Errorf("want %q is read as %+v (%v), Swift reads %v", line, w, err, out[len(offers)+i])
		}
	}
}

func ptr(s string) *string { return &s }

func TestParseOfferLoosely(t *testing.T) {
	const hash = "0123456789abcdef0123456789abcdef"
	for line, meta := range map[string]string{
		hash + " 1700000000.00000 future:1,m:186a0,odd":    "1700000001.00000",
		hash + " 1700000000.00000 m%3A186a0":               "1700000001.00000",
		hash + "\t1700000000.00000_3   m:-1 more words":    "1699999999.99999",
		hash + " 1700000000.00000_0000000000000003 m:0__2": "1700000000.00000_0000000000000002",
	} {
		if o, err := ParseOffer([]byte(line)); err != nil || o.Meta.Internal() != meta || o.Hash != hash {
			t.Errorf("%q is read as %+v, %v", line, o, err)
		}
	}
	for _, line := range []string{
		"", hash, hash + " x", hash + " 1700000000.00000 m:x", hash + " 1700000000.00000 m:1:2", hash + " 1700000000.00000 m:",
		hash + " 1700000000.00000 m:-ffffffffffffffff", hash + " 1700000000.00000 m:1__x", hash + " 0000000000.00000 m:-1",
		hash + " 9999999999.99999 m:1", "h\xe9sh 1700000000.00000",
	} {
		if o, err := ParseOffer([]byte(line)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%q is read as %+v, %v", line, o, err)
		}
	}
}

func TestPlain(t *testing.T) {
	at := func(raw int64, offset uint64) timestamp.Timestamp {
		return timestamp.Timestamp{Raw: raw, Offset: offset}
	}
	for _, c := range []struct {
		in, out Offer
		lossy   bool
	}{
		{Offer{Data: at(5, 1)}, Offer{Data: at(5, 1)}, false},
		{Offer{Data: at(5, 1), Meta: at(5, 1)}, Offer{Data: at(5, 1), Meta: at(5, 1)}, false},
		{Offer{Data: at(5, 1), Meta: at(6, 0)}, Offer{Data: at(5, 1), Meta: at(6, 0)}, false},
		{Offer{Data: at(5, 0), Meta: at(6, 2)}, Offer{Data: at(5, 0), Meta: at(6, 0)}, true},
		{Offer{Data: at(5, 0), Meta: at(6, 0), CType: at(7, 1)}, Offer{Data: at(5, 0), Meta: at(6, 0), CType: at(7, 0)}, true},
	} {
		if out, lossy := c.in.Plain(); out != c.out || lossy != c.lossy {
			t.Errorf("%+v is %+v, %v without offsets", c.in, out, lossy)
		}
	}
}

func TestWant(t *testing.T) {
	for _, c := range []struct {
		line string
		want Want
	}{
		{"abc dm", Want{Hash: "abc", Data: true, Meta: true}},
		{"abc d", Want{Hash: "abc", Data: true}},
		{"abc m", Want{Hash: "abc", Meta: true}},
		{"abc", Want{Hash: "abc", Data: true, Legacy: true}},
	} {
		if got := string(c.want.Append(nil)); got != c.line {
			t.Errorf("%+v is written %q", c.want, got)
		}
		if got, err := ParseWant([]byte(c.line + "\r\n")); err != nil || got != c.want {
			t.Errorf("%q is read as %+v, %v", c.line, got, err)
		}
	}
	for _, line := range []string{"", " \r\n", "a\xff d"} {
		if w, err := ParseWant([]byte(line)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%q is read as %+v, %v", line, w, err)
		}
	}
}

func TestErrorLine(t *testing.T) {
	const line = `:ERROR: 500 b'ERROR: With :UPDATES: 1 failures to 0 successes'`
	e, ok := ParseError([]byte(line))
	if !ok || e.Code != 500 || string(e.Append(nil)) != line {
		t.Errorf("%q is read as %+v, %v", line, e, ok)
	}
	for _, other := range []string{"", ":ERROR:", ":ERROR: x y", ":ERROR: -1 y", MissingStart, " :ERROR: 0 ''"} {
		if e, ok := ParseError([]byte(other)); ok {
			t.Errorf("%q is read as %+v", other, e)
		}
	}
}

func TestRepr(t *testing.T) {
	for line, want := range map[string]string{
		":ERROR: 0 'no'":   `":ERROR: 0 'no'"`,
		"a\"'\\\t":         `'a"\'\\\t'`,
		"caf\xc3\xa9 'q'":  `b"caf\xc3\xa9 'q'"`,
		"\x00\xff\r\n~":    `b'\x00\xff\r\n~'`,
		"both \xff ' and ": `b"both \xff ' and "`,
	} {
		if got := Repr([]byte(line)); got != want {
			t.Errorf("repr of %q is %s, want %s", line, got, want)
		}
	}
}

func TestSubrequest(t *testing.T) {
	s := Subrequest{Method: "PUT", Path: "/a b/c%/\u2603\n", Headers: metadata.Metadata{
		{Name: "X-Timestamp", Value: "1"}, {Name: "ETag", Value: ""}, {Name: "Content-Type", Value: "caf\xc3\xa9; \xff"}, {Name: "a", Value: "b: c"},
	}}
	const want = "PUT /a%20b/c%25/%E2%98%83%0A\r\nContent-Type: caf\xc3\xa9; \xff\r\nETag: \r\nX-Timestamp: 1\r\na: b: c\r\n\r\n"
	if got, err := s.Append(nil); err != nil || string(got) != want {
		t.Errorf("%q, %v", got, err)
	}
	method, path, err := ParseRequest([]byte("PUT /a%20b/c%25/%E2%98%83%0A\r\n"))
	if err != nil || method != s.Method || path != s.Path {
		t.Errorf("%q %q %v", method, path, err)
	}
	if n, v, err := ParseHeader([]byte("A-b :  b: c \r\n")); err != nil || n != "a-b" || v != "b: c" {
		t.Errorf("%q %q %v", n, v, err)
	}
	for _, p := range []metadata.Pair{{Name: "a", Value: "b\r\nDELETE /x"}, {Name: "a\nb"}, {Name: "a:b"}, {Name: ""}, {Name: "a", Value: "\r"}} {
		if got, err := (Subrequest{Method: "POST", Path: "/a/c/o", Headers: metadata.Metadata{p}}).Append(nil); err == nil {
			t.Errorf("%+v is written as %q", p, got)
		}
	}
	for _, line := range []string{"", "PUT", "PUT x", "GET /a", "put /a", "PUT  /a"} {
		if m, p, err := ParseRequest([]byte(line)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%q is read as %q %q, %v", line, m, p, err)
		}
	}
	if _, _, err := ParseHeader([]byte("no colon")); !errors.Is(err, ErrMalformed) {
		t.Error(err)
	}
}

func TestObjectRequests(t *testing.T) {
	data := timestamp.Timestamp{Raw: 170000000000000, Offset: 10}
	o := &Object{
		Entry: Entry{Offer: Offer{Data: data}}, Name: "/a/c/o", Size: 3,
		DataMeta: metadata.Metadata{{Name: "name", Value: "/a/c/o"}, {Name: "Content-Length", Value: " 3"}, {Name: "X-Timestamp", Value: "t"}},
		PostMeta: metadata.Metadata{{Name: "name", Value: "/a/c/o"}, {Name: "X-Object-Meta-A", Value: "b"}},
	}
	for _, c := range []struct {
		r    Subrequest
		want string
	}{
		{o.Put(), "PUT /a/c/o\r\nContent-Length: 3\r\nX-Timestamp: t\r\n\r\n"},
		{o.Post(), "POST /a/c/o\r\nX-Object-Meta-A: b\r\n\r\n"},
		{o.Delete(), "DELETE /a/c/o\r\nX-Timestamp: 1700000000.00000_000000000000000a\r\n\r\n"},
	} {
		if got, err := c.r.Append(nil); err != nil || string(got) != c.want {
			t.Errorf("%q, %v, want %q", got, err, c.want)
		}
	}
	if err := o.Close(); err != nil {
		t.Error(err)
	}
}

func TestValidHash(t *testing.T) {
	for name, want := range map[string]bool{
		"0123456789abcdef0123456789abcdef": true, "0123456789ABCDEF0123456789abcdef": false, "": false,
		"0123456789abcdef0123456789abcde": false, "0123456789abcdef0123456789abcdeg": false,
	} {
		if ValidHash(name) != want {
			t.Errorf("ValidHash(%q) is %v", name, !want)
		}
	}
}
