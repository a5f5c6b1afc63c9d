package diskfile

import (
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"understudy/internal/swift/timestamp"
)

// vector is one hash directory put through Swift: the hash of its suffix and the
// files left, both null when the suffix directory was removed.
type vector struct {
	ReclaimEverything bool `json:"reclaim_everything"`
	Files             []string
	SuffixHash        *string `json:"suffix_hash"`
	Left              []string
}

func load(t testing.TB) []vector {
	t.Helper()
	data, err := os.ReadFile("testdata/suffix_hash.json")
	if err != nil {
		t.Fatal(err)
	}
	var vs []vector
	if err := json.Unmarshal(data, &vs); err != nil {
		t.Fatal(err)
	}
	if len(vs) != 514 {
		t.Fatalf("%d vectors, want 514", len(vs))
	}
	return vs
}

var now = time.Unix(1_800_000_000, 0)

const week = 7 * 24 * time.Hour

// never is a reclaim age that no file reaches.
const never = time.Duration(1<<63 - 1)

func TestVectors(t *testing.T) {
	var s Set
	for i, v := range load(t) {
		age := never
		if v.ReclaimEverything {
			age = 0
		}
		s.Read(v.Files, now, age)
		if v.SuffixHash == nil {
			if s.Left != 0 {
				t.Errorf("%d %v: %d files left, want none", i, v.Files, s.Left)
			}
			continue
		}
		if s.Left == 0 {
			t.Errorf("%d %v: no file left, want %v", i, v.Files, v.Left)
			continue
		}
		sum := md5.Sum(s.AppendHashText(nil))
		if got := hex.EncodeToString(sum[:]); got != *v.SuffixHash {
			t.Errorf("%d %v: hash %s of %q, want %s", i, v.Files, got, s.AppendHashText(nil), *v.SuffixHash)
		}
		if got := left(&s, v.Files); !slices.Equal(got, v.Left) {
			t.Errorf("%d %v: left %v, want %v", i, v.Files, got, v.Left)
		}
	}
}

// left is what stays of names, sorted.
func left(s *Set, names []string) []string {
	kept := slices.Clone(names)
	for _, gone := range append(slices.Clone(s.Remove), s.Reclaim) {
		if i := slices.Index(kept, gone); gone != "" && i >= 0 {
			kept = slices.Delete(kept, i, i+1)
		}
	}
	slices.Sort(kept)
	return kept
}

func TestParseName(t *testing.T) {
	for name, want := range map[string]string{
		"1700000000.00000.data":               ".data 1700000000.00000",
		"1700000000.data":                     ".data 1700000000.00000",
		"1700000000.00000_1.ts":               ".ts 1700000000.00000_0000000000000001",
		"1700000000.00000.meta":               ".meta 1700000000.00000",
		"1700000000.00000+0.meta":             ".meta 1700000000.00000 1700000000.00000",
		"1700000002.00000-186a0.meta":         ".meta 1700000002.00000 1700000001.00000",
		"1700000002.00000_1+0.meta":           ".meta 1700000002.00000_0000000000000001 1700000002.00000_0000000000000001",
		"1700000000.00000":                    ".00000 1700000000.00000",
		"1700000000":                          " 1700000000.00000",
		".5":                                  " 0000000000.50000",
		".5.abcdef":                           ".abcdef 0000000000.50000",
		"5.":                                  ". 0000000005.00000",
		"1700000000.00000.":                   ". 1700000000.00000",
		"1700000000.00000.durable":            ".durable 1700000000.00000",
		"1700000000.00000#1.data":             "error",
		"1700000000.00000#1#d.data":           "error",
		"1700000000.00000+0.data":             "error",
		"inf.data":                            "error",
		"nan.data":                            "error",
		"-1.data":                             "error",
		"10000000000.data":                    "error",
		".1700000001.00000.data.Ab0_9z":       "error",
		"..5":                                 "error",
		".data":                               "error",
		"":                                    "error",
		".":                                   "error",
		"..":                                  "error",
		"junk":                                "error",
		"1700000000.00000+0+0+0+0.meta":       ".meta 1700000000.00000 1700000000.00000",
		"1700000000.00000-ffffffffffff.meta":  "error",
		"1700000000.00000_g.meta":             "error",
		"\xff\xfe.data":                       "error",
		"1700000000.00000.data.1700000000.ts": "error",
	} {
		got := "error"
		if info, err := ParseName(name); err == nil {
			got = info.Ext + " " + info.Time.Internal()
			if info.HasCType {
				got += " " + info.CType.Internal()
			}
		}
		if got != want {
			t.Errorf("%q is %q, want %q", name, got, want)
		}
	}
}

func TestIsRsyncTemp(t *testing.T) {
	for name, want := range map[string]bool{
		".1700000001.00000.data.Ab0_9z": true,
		"..abcdef":                      true,
		".x.abcdef":                     true,
		".abcdef":                       false,
		"x.abcdef":                      false,
		".x.abcde":                      false,
		".x.abcdefg":                    false,
		".x.abc-ef":                     false,
		".x.abcde\xff":                  false,
		"":                              false,
		".":                             false,
	} {
		if got := IsRsyncTemp(name); got != want {
			t.Errorf("%q: %v, want %v", name, got, want)
		}
	}
}

// At exactly the reclaim age a tombstone stays; a unit of 10 µs later it goes.
func TestReclaimIsStrict(t *testing.T) {
	const age = 1000 * time.Second
	names := []string{"1700000000.00000.ts"}
	var s Set
	for _, c := range []struct {
		later time.Duration
		gone  bool
	}{{-time.Second, false}, {0, false}, {10 * time.Microsecond, true}} {
		s.Read(names, time.Unix(1_700_001_000, 0).Add(c.later), age)
		if gone := s.Left == 0; gone != c.gone || gone != (s.Reclaim == names[0]) || gone == (s.TS != nil) || len(s.Remove) > 0 {
			t.Errorf("%v after the reclaim age: gone %v, reclaim %q, want gone %v", c.later, gone, s.Reclaim, c.gone)
		}
	}
}

// What a tombstone buries is removed before the tombstone itself.
func TestTombstoneGoesLast(t *testing.T) {
	var s Set
	s.Read([]string{"1700000002.00000.ts", "1700000001.00000.data", "1700000001.00000.ts"}, now, 0)
	if s.Reclaim != "1700000002.00000.ts" || len(s.Remove) != 2 || slices.Contains(s.Remove, s.Reclaim) || s.Left != 0 {
		t.Errorf("remove %v, then %q, left %d", s.Remove, s.Reclaim, s.Left)
	}
}

func TestSetIsForgotten(t *testing.T) {
	var s Set
	s.Read([]string{"1.data", "2+0.meta", "0.ts", "junk"}, now, never)
	s.Read(nil, now, 0)
	if s.Data != nil || s.Meta != nil || s.CType != nil || s.TS != nil || len(s.Remove) != 0 || s.Reclaim != "" || len(s.Unexpected) != 0 || s.Left != 0 {
		t.Errorf("%+v is not empty", s)
	}
	if text := s.AppendHashText(nil); len(text) != 0 {
		t.Errorf("text %q", text)
	}
}

func FuzzParseName(f *testing.F) {
	for _, v := range load(f) {
		for _, name := range v.Files {
			f.Add(name)
		}
	}
	f.Fuzz(func(t *testing.T, name string) {
		info, err := ParseName(name)
		if err != nil {
			return
		}
		if IsRsyncTemp(name) && (info.Ext == extData || info.Ext == extMeta || info.Ext == extTS) {
			t.Fatalf("rsync temporary file %q passes for %s", name, info.Ext)
		}
		if !strings.HasSuffix(name, info.Ext) || info.Name != name || (info.HasCType && info.Ext != extMeta) {
			t.Fatalf("%q: %+v", name, info)
		}
	})
}

// FuzzRead puts any names, separated by slashes, through the rules and holds the
// result to what must be true of it whatever the rules are.
func FuzzRead(f *testing.F) {
	for i, v := range load(f) {
		f.Add(strings.Join(v.Files, "/"), int64(i%3)*1_700_000_001)
	}
	f.Fuzz(func(t *testing.T, joined string, age int64) {
		names := strings.Split(joined, "/")
		slices.Sort(names)
		names = slices.Compact(names)
		if len(names) > 50 {
			return
		}
		reclaim := time.Duration(min(max(age, 0), int64(never/time.Second))) * time.Second
		var s Set
		s.Read(names, now, reclaim)
		check(t, &s, names, reclaim)

		text, kept := string(s.AppendHashText(nil)), left(&s, names)
		rand.New(rand.NewPCG(1, 2)).Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
		var again Set
		again.Read(names, now, reclaim)
		if got := left(&again, names); string(again.AppendHashText(nil)) != text || !slices.Equal(got, kept) {
			t.Fatalf("order matters: %v and %v", kept, got)
		}
		again.Read(kept, now, reclaim)
		if got := left(&again, kept); string(again.AppendHashText(nil)) != text || !slices.Equal(got, kept) {
			t.Fatalf("not settled: %v and %v, %q and %q", kept, got, text, again.AppendHashText(nil))
		}
	})
}

// check holds the invariants of a cleanup.
func check(t *testing.T, s *Set, names []string, reclaim time.Duration) {
	t.Helper()
	if want := len(left(s, names)); s.Left != want {
		t.Fatalf("left %d, want %d", s.Left, want)
	}
	var newest timestamp.Timestamp // of .data and .ts
	for _, name := range names {
		info, err := ParseName(name)
		if err == nil && (info.Ext == extData || info.Ext == extTS) && info.Time.Compare(newest) > 0 {
			newest = info.Time
		}
	}
	for _, name := range append(slices.Clone(s.Remove), s.Reclaim) {
		if name == "" {
			continue
		}
		info, err := ParseName(name)
		if err != nil {
			t.Fatalf("removes %q, which it does not understand", name)
		}
		old := now.Sub(info.Time.Time()) > reclaim-time.Millisecond
		if info.Ext == extData && info.Time.Compare(newest) >= 0 && (s.TS == nil || s.TS.Time != newest) && s.Reclaim == "" {
			t.Fatalf("removes the newest data %q", name)
		}
		if name == s.Reclaim && !old {
			t.Fatalf("reclaims %q early", name)
		}
	}
	if s.Data != nil && s.TS != nil || s.Meta != nil && s.Data == nil || s.CType != nil && s.Meta == nil {
		t.Fatalf("impossible object: %+v", s)
	}
}

func benchmarkRead(b *testing.B, names ...string) {
	var s Set
	room := make([]byte, 0, 256)
	b.ReportAllocs()
	for b.Loop() {
		s.Read(names, now, week)
		room = s.AppendHashText(room[:0])
	}
	if len(room) == 0 {
		b.Fatal("no text")
	}
}

func BenchmarkReadData(b *testing.B) { benchmarkRead(b, "1790000000.12345.data") }

func BenchmarkReadDataMetas(b *testing.B) {
	benchmarkRead(b, "1790000000.12345.data", "1790000003.00000.meta", "1790000002.00000+0.meta", "1780000000.00000.ts")
}

func ExampleSet() {
	var s Set
	s.Read([]string{"1700000000.00000.data", "1700000002.00000-186a0.meta", "1600000000.00000.ts"}, now, week)
	fmt.Printf("%s\nremove %v\n", s.AppendHashText(nil), s.Remove)
	// Output:
	// 1700000002.00000.meta1700000000.00000.data1700000001.00000_ctype
	// remove [1600000000.00000.ts]
}
