package timestamp

import (
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// vectors were written by Swift itself.
type vectors struct {
	Timestamps []struct {
		In, Normal, Internal, Short string
		Raw                         int64
		Offset                      uint64
	}
	Decode []struct {
		In  string
		Out [3]*string
	} `json:"decode_timestamps"`
}

func load(t testing.TB) vectors {
	t.Helper()
	data, err := os.ReadFile("testdata/timestamps_and_wire.json")
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	if len(v.Timestamps) < 10 || len(v.Decode) < 7 {
		t.Fatalf("vectors are incomplete: %d and %d", len(v.Timestamps), len(v.Decode))
	}
	return v
}

func TestVectors(t *testing.T) {
	for _, v := range load(t).Timestamps {
		got, err := Parse(v.In)
		if err != nil {
			t.Errorf("Parse(%q): %v", v.In, err)
			continue
		}
		if want := (Timestamp{v.Raw, v.Offset}); got != want {
			t.Errorf("Parse(%q) = %+v, want %+v", v.In, got, want)
		}
		for _, c := range []struct{ form, got, want string }{
			{"normal", got.Normal(), v.Normal},
			{"internal", got.Internal(), v.Internal},
			{"short", got.Short(), v.Short},
		} {
			if c.got != c.want {
				t.Errorf("%q as %s is %q, want %q", v.In, c.form, c.got, c.want)
			}
		}
	}
}

func TestDecodeVectors(t *testing.T) {
	for _, v := range load(t).Decode {
		got, err := Decode(v.In)
		if err != nil {
			t.Errorf("Decode(%q): %v", v.In, err)
			continue
		}
		for i, ts := range []Timestamp{got.T1, got.T2, got.T3} {
			switch want := v.Out[i]; {
			case want == nil:
				if got.N > i || !ts.IsZero() {
					t.Errorf("Decode(%q): part %d is %s, want none", v.In, i+1, ts)
				}
			case got.N <= i || ts.Internal() != *want:
				t.Errorf("Decode(%q): part %d is %s (of %d), want %s", v.In, i+1, ts, got.N, *want)
			}
		}
	}
}

func TestParsePythonFloats(t *testing.T) {
	for in, want := range map[string]string{
		" 5\n":                   "0000000005.00000",
		"+5":                     "0000000005.00000",
		".5":                     "0000000000.50000",
		"5.":                     "0000000005.00000",
		"5_":                     "0000000005.00000",
		"1E+3":                   "0000001000.00000",
		"1e-400":                 "0000000000.00000",
		"9999999999.999999":      "10000000000.00000",
		"00000000001700000000":   "1700000000.00000",
		"1700000000.00000_0":     "1700000000.00000",
		"1_ffffffffffffffff":     "0000000001.00000_ffffffffffffffff",
		"1_00000000000000Ab":     "0000000001.00000_00000000000000ab",
		"1700000000.000005":      "1700000000.00001", // the double lies above the half
		"1700000000.123455":      "1700000000.12346",
		"1700000000.12345678901": "1700000000.12346",
	} {
		got, err := Parse(in)
		if err != nil || got.Internal() != want {
			t.Errorf("Parse(%q) = %s, %v, want %s", in, got, err, want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, in := range []string{
		"", " ", "_", "_1", "-1", "-0", "-0.0", "nan", "inf", "Infinity", "1e10", "10000000000", "1e999", "0x10", "1p3", "1e", "e5",
		".", "+", "1 2", "1_2_3", "1_g", "1_+1", "1_-1", "1_ 1", "1_0x1", "1_00000000000000001", "1700000000.00000#1", "１", "1\x00",
		strings.Repeat("9", 4000),
	} {
		if got, err := Parse(in); !errors.Is(err, ErrInvalid) || got != (Timestamp{}) {
			t.Errorf("Parse(%.20q) = %s, %v, want an error", in, got, err)
		}
	}
	for _, in := range []string{
		"", "+1", "-1", "1+", "1-", "1+-", "1+g", "1+0x1", "1+1_0", "1-ffffff", "9999999999.99999+1", "1+0+", "1+fffffffffffffffff", "5-7a121",
	} {
		if got, err := Decode(in); !errors.Is(err, ErrInvalid) || got != (Decoded{}) {
			t.Errorf("Decode(%q) = %+v, %v, want an error", in, got, err)
		}
	}
}

func TestDecodeEdges(t *testing.T) {
	for in, want := range map[string]string{
		"5-7a120":                      "0000000000.00000", // back to the epoch exactly
		"1700000000.00000_1+0":         "1700000000.00000_0000000000000001",
		"1700000000.00000_1+1":         "1700000000.00001",
		"1700000000.00000+00000000a":   "1700000000.00010",
		"1700000000.00000+1+2+rubbish": "1700000000.00001",
		// Swift counts from round(6467987583.110705 / 1e-5), not from the name it would write.
		"6467987583.110705+1": "6467987583.11071",
	} {
		got, err := Decode(in)
		if err != nil || got.N < 2 || got.T2.Internal() != want {
			t.Errorf("Decode(%q) = %+v, %v, want %s second", in, got, err, want)
		}
	}
}

func TestEncode(t *testing.T) {
	t1, _ := Parse("1402464680.00000_a1")
	t2, _ := Parse("1402464677.04188")
	for _, c := range []struct {
		t1   Timestamp
		t2   *Timestamp
		want string
	}{
		{t1, nil, "1402464680.00000_a1"},
		{t1, &t1, "1402464680.00000_a1+0"},
		{t1, &t2, "1402464680.00000_a1-48384"},
		{t2, &t1, "1402464677.04188+48384"},
	} {
		if got := Encode(c.t1, c.t2); got != c.want {
			t.Errorf("Encode(%s, %v) = %s, want %s", c.t1, c.t2, got, c.want)
		}
	}
}

func TestCompareIsTextOrder(t *testing.T) {
	var all []Timestamp
	for _, s := range []string{"0", "0_1", "1", "1_f", "1.00001", "1700000000", "1700000000_1", "9999999999.99999", "9999999999.999999", "9999999999.999999_2"} {
		ts, err := Parse(s)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, ts)
	}
	for _, a := range all {
		for _, b := range all {
			if got, want := a.Compare(b), strings.Compare(a.Internal(), b.Internal()); got != want {
				t.Errorf("%s compared with %s: %d, want %d", a, b, got, want)
			}
		}
	}
}

func TestFromTime(t *testing.T) {
	for _, c := range []struct {
		in   time.Time
		want string
	}{
		{time.Unix(1700000000, 0), "1700000000.00000"},
		{time.Unix(1700000000, 5_000), "1700000000.00000"},  // half, even below
		{time.Unix(1700000000, 15_000), "1700000000.00002"}, // half, even above
		{time.Unix(1700000000, 15_001), "1700000000.00002"},
		{time.Unix(1700000000, 999_999_999), "1700000001.00000"},
		{time.Unix(0, 0), "0000000000.00000"},
	} {
		got, err := FromTime(c.in)
		if err != nil || got.Normal() != c.want {
			t.Errorf("FromTime(%v) = %s, %v, want %s", c.in, got, err, c.want)
		}
	}
	for _, in := range []time.Time{time.Unix(-1, 0), {}, time.Unix(1e10, 0), time.Unix(9999999999, 999_999_999)} {
		if got, err := FromTime(in); err == nil {
			t.Errorf("FromTime(%v) = %s, want an error", in, got)
		}
	}
	ts, _ := Parse("1700000000.12345_7")
	if back, err := FromTime(ts.Time()); err != nil || back.Raw != ts.Raw {
		t.Errorf("time and back: %s, %v", back, err)
	}
	if ts.Seconds() != 1700000000.12345 {
		t.Errorf("Seconds() = %v", ts.Seconds())
	}
}

func TestAppendInternalAllocatesNothing(t *testing.T) {
	ts := Timestamp{Raw: 170000000012345, Offset: 3}
	room := make([]byte, 0, 64)
	if n := testing.AllocsPerRun(100, func() {
		room = ts.AppendInternal(room[:0])
		if _, err := Parse("1700000000.12345_3"); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzParse(f *testing.F) {
	v := load(f)
	for _, ts := range v.Timestamps {
		f.Add(ts.In)
	}
	for _, d := range v.Decode {
		f.Add(d.In)
	}
	f.Add("1e-5_ffffffffffffffff")
	f.Fuzz(func(t *testing.T, s string) {
		if ts, err := Parse(s); err == nil {
			if ts.Raw < 0 || ts.Raw > limit {
				t.Fatalf("Parse(%q) out of range: %d", s, ts.Raw)
			}
			for _, form := range []string{ts.Internal(), ts.Short()} {
				// The one value above 9999999999.99999 cannot be read back, in Swift neither.
				if back, err := Parse(form); ts.Raw < limit && (err != nil || back != ts) {
					t.Fatalf("%q became %q became %v, %v", s, form, back, err)
				}
			}
		}
		d, err := Decode(s)
		if err != nil {
			return
		}
		if d.N < 1 || d.N > 3 {
			t.Fatalf("Decode(%q): %d parts", s, d.N)
		}
		if d.N == 2 && d.T1.Raw < limit && d.T1.Internal() == d.T1.Normal() {
			again, err := Decode(Encode(d.T1, &d.T2))
			if err != nil || !slices.Contains([]int64{-1, 0, 1}, again.T2.Raw-d.T2.Raw) {
				t.Fatalf("%q: %+v became %+v, %v", s, d, again, err)
			}
		}
	})
}
