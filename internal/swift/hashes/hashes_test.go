package hashes

import (
	"encoding/json"
	"maps"
	"math"
	"os"
	"strings"
	"testing"
)

const (
	md5a = "d41d8cd98f00b204e9800998ecf8427e"
	md5b = "00112233445566778899aabbccddeeff"
)

// vectors are pickles made by Swift's Python with what is in them.
func vectors(t testing.TB) [][]byte {
	t.Helper()
	raw, err := os.ReadFile("testdata/hashes_pkl.json")
	if err != nil {
		t.Fatal(err)
	}
	var list []struct {
		Obj any
		B64 []byte
	}
	if err := json.Unmarshal(raw, &list); err != nil {
		t.Fatal(err)
	}
	var out [][]byte
	for _, v := range list {
		out = append(out, v.B64)
	}
	if len(out) != 5 {
		t.Fatalf("%d vectors, want 5", len(out))
	}
	return out
}

func TestDecode(t *testing.T) {
	v := vectors(t)
	none := map[string]string{}
	tests := []struct {
		name string
		in   string
		want File
	}{
		{"written by Swift", string(v[0]), File{map[string]string{"a83": md5a, "b11": ""}, true, 1700000000.25}},
		{"legacy", string(v[1]), File{map[string]string{"a83": md5a}, true, -1}},
		{"None", string(v[2]), File{none, false, -1}},
		{"empty dict", string(v[3]), File{none, true, -1}},
		{"of an erasure coding policy", string(v[4]), File{none, false, -1}},
		{"zero bytes", "", File{none, false, -1}},
		{"truncated", string(v[0][:40]), File{none, false, -1}},
		{"text", "hello", File{none, false, -1}},
		{"Python 2", "\x80\x02}q\x01(U\x03a83q\x02U\x20" + md5a + "q\x03U\x05validq\x04\x88U\x07updatedq\x05GA\xd9T\xfc@\x10\x00\x00u.", File{map[string]string{"a83": md5a}, true, 1700000000.25}},
		{"Python 2, protocol 0", "(dp1\nS'a83'\np2\nS'" + md5a + "'\np3\nsS'valid'\np4\nI01\nsS'updated'\np5\nF1700000000.25\ns.", File{map[string]string{"a83": md5a}, true, 1700000000.25}},
		{"key in capitals", "\x80\x02}(U\x03A83NU\x05valid\x88u.", File{none, false, 0}},
		{"junk key", "\x80\x02}(U\x03a83NU\x03xyzNu.", File{none, false, 0}},
		{"key is a number", "\x80\x02}(U\x03a83NK\x05Nu.", File{none, false, 0}},
		{"last value counts", "\x80\x02}(U\x03a83NU\x03a83U\x20" + md5a + "u.", File{map[string]string{"a83": md5a}, true, -1}},
		{"not valid", "\x80\x02}(U\x05valid\x89U\x03a83Nu.", File{map[string]string{"a83": ""}, false, -1}},
		{"valid is None", "\x80\x02}U\x05validNs.", File{none, false, -1}},
		{"updated is a whole number", "\x80\x02}U\x07updatedK\x07s.", File{none, true, 7}},
		{"updated is not a number", "\x80\x02}U\x07updatedG\x7f\xf8\x00\x00\x00\x00\x00\x00s.", File{none, true, -1}},
		{"value is no hash", "\x80\x02}(U\x03a83U\x03abcU\x05valid\x88u.", File{none, false, -1}},
		{"empty value is None", "\x80\x02}U\x03a83U\x00s.", File{map[string]string{"a83": ""}, true, -1}},
		{"a call", "\x80\x02cos\nsystem\nU\x02ls\x85R.", File{none, false, -1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := Decode([]byte(tt.in))
			if !got.Equal(tt.want) || got.Suffixes == nil {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

func TestEncodeDecode(t *testing.T) {
	for _, f := range []File{
		{map[string]string{}, true, 1},
		{map[string]string{"000": md5a, "fff": "", "abc": md5b}, false, 1700000000.123456},
		allSuffixes(),
	} {
		if got := Decode(f.Encode()); !got.Equal(f) {
			t.Errorf("%d suffixes: not the same after writing and reading", len(f.Suffixes))
		}
	}
}

func allSuffixes() File {
	f := File{Suffixes: map[string]string{}, Valid: true, Updated: 1700000000.5}
	const hex = "0123456789abcdef"
	for i := range maxSuffixes {
		f.Suffixes[string([]byte{hex[i>>8], hex[i>>4&15], hex[i&15]})] = md5a
	}
	return f
}

func TestEqual(t *testing.T) {
	a := File{map[string]string{"abc": md5a}, true, 5}
	for name, b := range map[string]File{
		"hash":    {map[string]string{"abc": md5b}, true, 5},
		"none":    {map[string]string{"abc": ""}, true, 5},
		"more":    {map[string]string{"abc": md5a, "abd": ""}, true, 5},
		"other":   {map[string]string{"abd": md5a}, true, 5},
		"valid":   {map[string]string{"abc": md5a}, false, 5},
		"updated": {map[string]string{"abc": md5a}, true, math.Nextafter(5, 6)},
	} {
		if a.Equal(b) || b.Equal(a) {
			t.Errorf("%s: equal", name)
		}
	}
	if !a.Equal(File{maps.Clone(a.Suffixes), true, 5}) {
		t.Error("not equal to itself")
	}
}

func TestParseInvalid(t *testing.T) {
	tests := []struct {
		in    string
		want  string
		lines int
	}{
		{"", "", 0},
		{"abc\n", "abc", 1},
		{"abc", "abc", 1},
		{"abc\ndef\nabc\n", "abc def", 3},
		{"\n", "", 1},
		{"ABC\nxyz\nab\nabcd\n\x00\xff\n", "", 5},
		{" abc \t\r\ndef\r123\n", "abc def 123", 3},
		{"ab\nc\n", "", 2},
		{"000\nfff\n", "000 fff", 2},
	}
	for _, tt := range tests {
		got, lines := ParseInvalid([]byte(tt.in))
		if strings.Join(got, " ") != tt.want || lines != tt.lines {
			t.Errorf("%q: got %q and %d lines, want %q and %d", tt.in, got, lines, tt.want, tt.lines)
		}
	}
	var b []byte
	for _, s := range []string{"abc", "def"} {
		b = AppendInvalid(b, s)
	}
	if string(b) != "abc\ndef\n" {
		t.Errorf("AppendInvalid wrote %q", b)
	}
}

func TestWire(t *testing.T) {
	one := "\x80\x02}q\x00X\x03\x00\x00\x00a83q\x01X\x20\x00\x00\x00" + md5a + "q\x02s."
	for _, tt := range []struct {
		body string
		want map[string]string
	}{
		{"\x80\x02}q\x00.", map[string]string{}},
		{one, map[string]string{"a83": md5a}},
		{string(allWire()), allSuffixes().Suffixes},
		{"\x80\x02}q\x00X\x03\x00\x00\x00a83q\x01Ns.", map[string]string{"a83": ""}},
	} {
		got, err := DecodeWire([]byte(tt.body))
		if err != nil || !maps.Equal(got, tt.want) {
			t.Errorf("%.60q: got %v, %v", tt.body, got, err)
		}
		if again := string(EncodeWire(tt.want)); again != tt.body {
			t.Errorf("encode %.60v: got %.60q, want %.60q", tt.want, again, tt.body)
		}
	}
	py2 := "\x80\x02}q\x01U\x03a83q\x02U\x20" + md5a + "q\x03s."
	if got, err := DecodeWire([]byte(py2)); err != nil || got["a83"] != md5a {
		t.Errorf("Python 2: got %v, %v", got, err)
	}
}

func allWire() []byte { return EncodeWire(allSuffixes().Suffixes) }

func TestWireRefuses(t *testing.T) {
	v := vectors(t)
	for _, tt := range []struct{ body, want string }{
		{WireNone, "<nil> instead of a dict"},
		{string(v[0]), `"valid" is not a suffix`},
		{string(v[4]), "value of a43 is neither"},
		{"\x80\x02}(U\x03a83U\x00u.", "value of a83 is neither"},
		{"\x80\x02}(U\x03a83U\x20" + strings.ToUpper(md5a) + "u.", "value of a83 is neither"},
		{"\x80\x02}(U\x02a8Nu.", `"a8" is not a suffix`},
		{"\x80\x02}(" + strings.Repeat("U\x03abcN", 4097) + "u.", "4097 suffixes, more than 4096"},
		{"\x80\x02}(U\x03a83N", "ends without STOP"},
		{strings.Repeat("N", MaxWire+1), "more than 524288"},
		{"cposix\nsystem\n(S'id'\ntR.", "global posix.system not allowed"},
	} {
		got, err := DecodeWire([]byte(tt.body))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%.60q: got %v, %v; want an error with %q", tt.body, got, err, tt.want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, v := range vectors(f) {
		f.Add(v)
	}
	f.Add([]byte("(dp1\nS'a83'\np2\nNsS'valid'\np4\nI01\ns."))
	f.Fuzz(func(t *testing.T, data []byte) {
		file := Decode(data)
		if !Decode(file.Encode()).Equal(file) {
			t.Errorf("%+v is not the same after writing and reading", file)
		}
		for s, h := range file.Suffixes {
			if !ValidSuffix(s) || (h != "" && len(h) != 32) {
				t.Errorf("read %q: %q", s, h)
			}
		}
		if m, err := DecodeWire(data); err == nil {
			again, err := DecodeWire(EncodeWire(m))
			if err != nil || !maps.Equal(again, m) {
				t.Errorf("%v became %v, %v", m, again, err)
			}
		}
	})
}

func FuzzParseInvalid(f *testing.F) {
	f.Add([]byte("abc\nxyz\r\n\rdef"))
	f.Fuzz(func(t *testing.T, data []byte) {
		suffixes, lines := ParseInvalid(data)
		if len(suffixes) > lines || (lines == 0) != (len(data) == 0) {
			t.Errorf("%d suffixes in %d lines", len(suffixes), lines)
		}
		for _, s := range suffixes {
			if !ValidSuffix(s) {
				t.Errorf("read %q", s)
			}
		}
	})
}

func BenchmarkDecodeWire(b *testing.B) {
	small := EncodeWire(map[string]string{"a83": md5a, "b11": md5b, "c00": md5a, "d00": md5b})
	for name, body := range map[string][]byte{"4": small, "4096": allWire()} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := DecodeWire(body); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
