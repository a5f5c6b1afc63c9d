package metadata

import (
	"encoding/json"
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"
)

type vector struct {
	Writer   string
	Metadata map[string]string // as Python sees it: header values have one character for each byte
	Raw      []byte            `json:"xattr_b64"`
	Checksum string
}

func vectors(t testing.TB) []vector {
	t.Helper()
	raw, err := os.ReadFile("testdata/xattr_metadata.json")
	if err != nil {
		t.Fatal(err)
	}
	var list []vector
	if err := json.Unmarshal(raw, &list); err != nil {
		t.Fatal(err)
	}
	if len(list) != 3 {
		t.Fatalf("%d vectors, want 3", len(list))
	}
	return list
}

func TestDecodeVectors(t *testing.T) {
	for _, v := range vectors(t) {
		m, err := Decode(v.Raw)
		if err != nil {
			t.Fatalf("%s: %v", v.Writer, err)
		}
		if len(m) != len(v.Metadata) {
			t.Errorf("%s: %d items, want %d", v.Writer, len(m), len(v.Metadata))
		}
		for _, p := range m {
			got := widen(p.Value)
			if p.Name == nameKey {
				got = p.Value
			}
			if want := v.Metadata[p.Name]; got != want {
				t.Errorf("%s: %s is %q, want %q", v.Writer, p.Name, got, want)
			}
		}
		if got := Checksum(v.Raw); got != v.Checksum {
			t.Errorf("%s: checksum %s, want %s", v.Writer, got, v.Checksum)
		}
		if got := Encode(m); v.Writer == "py3" && string(got) != string(v.Raw) {
			t.Errorf("encoded %q, want %q", got, v.Raw)
		}
		if again, err := Decode(Encode(m)); err != nil || !reflect.DeepEqual(again, m) {
			t.Errorf("%s: after writing and reading: %v, %v", v.Writer, again, err)
		}
	}
}

func TestDecode(t *testing.T) {
	py3 := func(pairs ...string) string { // key and value as Python 3 keeps them in its dict
		w := Metadata{}
		for i := 0; i < len(pairs); i += 2 {
			w = append(w, Pair{pairs[i], pairs[i+1]})
		}
		return string(Encode(w))
	}
	tests := []struct {
		name, in string
		want     Metadata
	}{
		{"empty", "\x80\x02}.", Metadata{}},
		{"Python 2 keeps header bytes", "\x80\x02}(U\x04nameU\x06/a/c/\xe9U\x01aU\x02\xff\x00u.", Metadata{{"name", "/a/c/\xe9"}, {"a", "\xff\x00"}}},
		{"header bytes of Python 3", py3("name", "/a/c/☃", "X-Object-Meta-A", "caf\xc3\xa9", "b", "\xff"), Metadata{{"name", "/a/c/☃"}, {"X-Object-Meta-A", "caf\xc3\xa9"}, {"b", "\xff"}}},
		{"text", "\x80\x02}(X\x04\x00\x00\x00nameX\x06\x00\x00\x00/a/c/oX\x01\x00\x00\x00aX\x02\x00\x00\x00\xc3\xa9u.", Metadata{{"name", "/a/c/o"}, {"a", "\xe9"}}},
		{"text beyond Latin-1", "\x80\x02}X\x01\x00\x00\x00aX\x03\x00\x00\x00\xe2\x98\x83s.", Metadata{{"a", "☃"}}},
		{"a number", "\x80\x02}U\x0eContent-LengthK\x05s.", Metadata{{"Content-Length", "5"}}},
		{"last value in first place", "\x80\x02}(U\x01aU\x01xU\x01bU\x01yU\x01aU\x01zu.", Metadata{{"a", "z"}, {"b", "y"}}},
	}
	for _, tt := range tests {
		got, err := Decode([]byte(tt.in))
		if err != nil || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: got %q, %v; want %q", tt.name, got, err, tt.want)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"", "ends without STOP"},
		{"\x80\x02N.", "not a dict"},
		{"\x80\x02}NU\x01as.", "a key is <nil>"},
		{"\x80\x02}U\x01aNs.", `value of "a" is <nil>`},
		{"\x80\x02}U\x01a}s.", `value of "a" is *pickle.Dict`},
		{"\x80\x02}U\x04nameK\x05s.", `value of "name" is int64`},
		{"\x80\x02}cos\nsystem\n)R.", "global os.system not allowed"},
	} {
		if _, err := Decode([]byte(tt.in)); !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: %v, want %q", tt.in, err, tt.want)
		}
	}
}

func TestGet(t *testing.T) {
	m := Metadata{{"X-Timestamp", "1"}, {"ETag", "e"}}
	if v, ok := m.Get("Etag"); v != "e" || !ok {
		t.Errorf("Etag: %q, %v", v, ok)
	}
	if v, ok := m.Get("ETag2"); v != "" || ok {
		t.Errorf("ETag2: %q, %v", v, ok)
	}
}

func FuzzDecode(f *testing.F) {
	for _, v := range vectors(f) {
		f.Add(v.Raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := Decode(raw)
		if err != nil {
			if !errors.Is(err, ErrCorrupt) {
				t.Errorf("%v does not say that it is corrupt", err)
			}
			return
		}
		again, err := Decode(Encode(m))
		if err != nil || !reflect.DeepEqual(again, m) {
			t.Errorf("%q became %q, %v", m, again, err)
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	raw := vectors(b)[0].Raw
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Decode(raw); err != nil {
			b.Fatal(err)
		}
	}
}
