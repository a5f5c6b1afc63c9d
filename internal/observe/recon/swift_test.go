package recon

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
)

//go:embed testdata/dump.py
var dumpScript string

func python(t *testing.T, input any, args ...string) []byte {
	t.Helper()
	stdin, err := json.Marshal(input)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/usr/bin/python3", append([]string{"-c", dumpScript}, args...)...)
	cmd.Stdin = bytes.NewReader(stdin)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("run Swift: %v\n%s", err, stderr.String())
	}
	return out
}

// reconCase is a file and the updates that it sees.
type reconCase struct {
	start   string // "-" is no file
	updates []string
}

const passEntries = `{"replication_stats": {"attempted": 3, "failure": 0, "failure_nodes": {"10.0.0.1": {"sdb": 2}}, "hashmatch": 3},
"replication_time": 0.25, "replication_last": 1700000000.123456, "object_replication_time": 0.25, "object_replication_last": 1700000000.123456}`

func reconCases() []reconCase {
	pass := []string{passEntries, `{"replication_stats": {"attempted": 4, "failure_nodes": {}}, "replication_time": 100.0}`}
	cases := []reconCase{
		{"-", pass},
		{"", pass},
		{"\n", pass},
		{"{}", pass},
		{"not json\n", pass},
		{`{"half": `, pass},
		{"{\"auditor\": [1, 2.50, -0, -0.0, 1E5, 1e-7, 1e400, -1e400, NaN, 12345678901234567890123], \"replication_stats\": {\"old\": 1}}\nsecond line\n", pass},
		{`{"replication_stats": 7, "replication_time": {"a": 1}}`, pass},
		{"\xef\xbb\xbf{\"bom\": 1}", pass},
		{`{"dup": 1, "dup": 2, "a": {"dup": 1, "dup": {}}}`, pass},
		{`{"\ud800": 1, "\udc00\ud800": "\ud83d\ude00", "\uD83D\uDE00x": 2, "é": "\u00e9\u0000\u007f\b\f\/\"\\"}`, pass},
		{"{\"caf\xc3\xa9\": \"\xf0\x9f\x98\x80\", \"\xed\xa0\x80\": 1}", pass},
		{"{\"bad\": \"\xff\"}", pass},
		{"{\"control\": \"\x01\"}", pass},
		{`{"escape": "\x41"}`, pass},
		{`{"escape": "\u00g1"}`, pass},
		{`{"number": 01}`, pass},
		{`{"number": 1.}`, pass},
		{`{"number": .5}`, pass},
		{`{"number": 1e}`, pass},
		{`{"number": +1}`, pass},
		{`{"trailing": [1,]}`, pass},
		{`{"trailing": 1,}`, pass},
		{`{"a": 1} x`, pass},
		{" \t{ \"a\" :\r[ ] , \"b\":{ } } \r\n", pass},
		{`[1, 2]`, pass},
		{`"text"`, pass},
		{`null`, pass},
		{`{"n": ` + strings.Repeat("1", 4300) + `}`, pass},
		{`{"n": ` + strings.Repeat("1", 4301) + `}`, pass},
		{`{"n": ` + strings.Repeat("[", 400) + strings.Repeat("]", 400) + `}`, pass},
		{`{"n": ` + strings.Repeat("[", 100000), pass},
		{`{"a": {"x": 1, "y": {"z": 1}}, "b": 1}`, []string{`{"a": {}}`, `{"b": {}}`, `{"nope": {}}`, `{}`}},
		{`{"a": {"x": 1, "y": {"z": 1}}, "b": 1}`, []string{`{"a": {"x": {}}}`, `{"a": {"y": {"z": {}}}}`, `{"a": {"y": {}}}`, `{"b": {"gone": {}}}`, `{"c": {"gone": {}}}`}},
		{`{}`, []string{`{"a": null, "b": true, "c": [{}, []], "d": "x"}`, `{"a": {"b": null, "c": [], "d": false}}`}},
		{`{}`, []string{`{"object_replication_per_disk": {"sda": {"replication_stats": {"attempted": 1}}, "sdb": {}}}`, `{"object_replication_per_disk": {"sda": {}, "sdc": {"x": 1}}}`}},
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		c := reconCase{start: randomObject(r, 0)}
		if r.IntN(6) == 0 { // a file with one wrong byte
			i := r.IntN(len(c.start))
			c.start = c.start[:i] + string(rune(r.IntN(127))) + c.start[i+1:]
		}
		for range 4 {
			c.updates = append(c.updates, randomObject(r, 0))
		}
		cases = append(cases, c)
	}
	return cases
}

func randomObject(r *rand.Rand, depth int) string {
	var items []string
	for range r.IntN(4) {
		items = append(items, fmt.Sprintf("%q: %s", "ab"[:1+r.IntN(2)], randomValue(r, depth+1)))
	}
	return "{" + strings.Join(items, ", ") + "}"
}

func randomValue(r *rand.Rand, depth int) string {
	switch n := r.IntN(10); {
	case n < 5 && depth < 4:
		return randomObject(r, depth)
	case n == 5 && depth < 4:
		return "[" + randomValue(r, depth+1) + "]"
	case n == 6:
		return strconv.FormatFloat(r.NormFloat64()*math.Pow(10, float64(r.IntN(40)-20)), 'e', -1, 64)
	case n == 7:
		return []string{"null", "true", "false", `"x"`, `"\u00fc"`}[r.IntN(5)]
	}
	return strconv.Itoa(r.IntN(100))
}

// TestAsSwift applies the same updates to the same files, Swift's way and ours.
func TestAsSwift(t *testing.T) {
	cases := reconCases()
	var input [][2]any
	for _, c := range cases {
		var start any
		if c.start != "-" {
			start = latin1(c.start)
		}
		input = append(input, [2]any{start, c.updates})
	}
	var want [][][2]any
	if err := json.Unmarshal(python(t, input, "cases"), &want); err != nil || len(want) != len(cases) {
		t.Fatalf("read Swift's answers: %v, %d of %d", err, len(want), len(cases))
	}
	dir := t.TempDir()
	cache := New(dir)
	path := filepath.Join(dir, FileName)
	for i, c := range cases {
		_ = os.Remove(path)
		if c.start != "-" {
			mustWrite(t, path, c.start)
		}
		for j, update := range c.updates {
			err := cache.Update(t.Context(), goEntries(t, update))
			data, _ := os.ReadFile(path)
			if ok, text := want[i][j][0].(bool), want[i][j][1].(string); ok != (err == nil) || text != latin1(string(data)) {
				t.Errorf("file %.200q, update %s\nours  %.500s (%v)\nSwift %.500s (success: %v)", c.start, update, data, err, text, ok)
			}
		}
	}
	onlyTheCache(t, dir)
}

func latin1(s string) string {
	runes := make([]rune, len(s))
	for i := range len(s) {
		runes[i] = rune(s[i])
	}
	return string(runes)
}

// goEntries makes Go values of JSON: int64 and float64 for numbers.
func goEntries(t *testing.T, text string) map[string]any {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var entries map[string]any
	if err := d.Decode(&entries); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return goValue(entries).(map[string]any)
}

func goValue(v any) any {
	switch v := v.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		f, _ := v.Float64()
		return f
	case []any:
		for i := range v {
			v[i] = goValue(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = goValue(v[k])
		}
	}
	return v
}

func mustWrite(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// onlyTheCache checks that no temporary file is left.
func onlyTheCache(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 || entries[0].Name() != FileName {
		t.Errorf("the directory holds %v, %v", entries, err)
	}
}

// Floats print as in Python, whatever their bits.
func TestFloatsAsPython(t *testing.T) {
	floats := []float64{0, math.Copysign(0, -1), 1, 3, 0.1, 1e15, 1e16, 9999999999999998, 1e-4, 1e-5, 123456.789, 1e22, 1e100, 5e-324, math.MaxFloat64, math.Inf(1), math.Inf(-1), math.NaN(), 1700000000.1234567}
	r := rand.New(rand.NewPCG(3, 4))
	for range 3000 {
		floats = append(floats, math.Float64frombits(r.Uint64()), r.NormFloat64()*math.Pow(10, float64(r.IntN(24)-6)))
	}
	var bits []string
	for _, f := range floats {
		bits = append(bits, fmt.Sprintf("%016x", math.Float64bits(f)))
	}
	var want []string
	if err := json.Unmarshal(python(t, bits, "floats"), &want); err != nil || len(want) != len(floats) {
		t.Fatal(err, len(want))
	}
	for i, f := range floats {
		if got := pyFloat(f); string(got) != want[i] {
			t.Errorf("%x prints as %s, in Python as %s", bits[i], got, want[i])
		}
	}
}

// Swift's daemons and we write at the same time, and no entry is lost.
func TestWritersTogether(t *testing.T) {
	const writers, count = 3, 40
	dir := t.TempDir()
	path := filepath.Join(dir, FileName)
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			out, err := exec.Command("/usr/bin/python3", "-c", dumpScript, "write", path, fmt.Sprintf("py%d_", w), strconv.Itoa(count)).CombinedOutput()
			if err != nil {
				t.Errorf("run Swift: %v\n%s", err, out)
			}
		})
		all.Go(func() {
			cache := New(dir)
			for i := range count {
				name := fmt.Sprintf("go%d_%d", w, i)
				for {
					err := cache.Update(context.Background(), map[string]any{
						name: map[string]int{"n": i}, "shared": map[string]float64{name: float64(i)},
					})
					if err == nil {
						break
					}
					if !errors.Is(err, ErrLocked) {
						t.Errorf("update: %v", err)
						return
					}
				}
			}
		})
	}
	all.Wait()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var held map[string]map[string]float64
	if err := json.Unmarshal(data, &held); err != nil {
		t.Fatal(err)
	}
	for w := range writers {
		for i := range count {
			for _, name := range []string{fmt.Sprintf("py%d_%d", w, i), fmt.Sprintf("go%d_%d", w, i)} {
				_, shared := held["shared"][name]
				if held[name]["n"] != float64(i) || held[name] == nil || !shared {
					t.Errorf("%s is lost", name)
				}
			}
		}
	}
	onlyTheCache(t, dir)
}
