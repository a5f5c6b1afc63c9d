package hashes

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// python runs a script with Debian's Python and the installed Swift.
func python(t *testing.T, script string, args ...string) []byte {
	t.Helper()
	cmd := exec.Command("/usr/bin/python3", append([]string{"-c", script}, args...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("run Swift: %v\n%s", err, stderr.Bytes())
	}
	return out
}

// Swift reads a hashes.pkl of ours, and we read one of Swift's.
func TestSwiftReadsAndWritesHashes(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "hashes.pkl")
	for _, want := range []File{
		{map[string]string{}, true, 1700000000.25},
		{map[string]string{"000": md5a, "abc": "", "fff": md5b}, false, 1700000000.123456},
		allSuffixes(),
	} {
		if err := os.WriteFile(file, want.Encode(), 0o600); err != nil {
			t.Fatal(err)
		}
		out := python(t, `
import json, sys
from swift.obj import diskfile
h = diskfile.read_hashes(sys.argv[1])
print(json.dumps(h))
diskfile.write_hashes(sys.argv[1], h)
print(json.dumps(h['updated']))
`, dir)
		var read map[string]any
		var updated float64
		dec := json.NewDecoder(bytes.NewReader(out))
		if err := dec.Decode(&read); err != nil {
			t.Fatal(err)
		}
		if err := dec.Decode(&updated); err != nil {
			t.Fatal(err)
		}
		if read["valid"] != want.Valid || read["updated"] != want.Updated || len(read) != len(want.Suffixes)+2 {
			t.Errorf("Swift read %d keys, valid %v, updated %v; wrote %d, %v, %v", len(read), read["valid"], read["updated"], len(want.Suffixes)+2, want.Valid, want.Updated)
		}
		for s, h := range want.Suffixes {
			if got, _ := read[s].(string); got != h {
				t.Errorf("Swift read %s: %v, wrote %q", s, read[s], h)
			}
		}
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		want.Updated = updated
		if got := Decode(data); !got.Equal(want) {
			t.Errorf("read what Swift wrote: %d suffixes, valid %v, updated %v", len(got.Suffixes), got.Valid, got.Updated)
		}
	}
}

// The bytes on the wire are Python's, also around its batches of a thousand.
func TestWireIsPythons(t *testing.T) {
	all := EncodeWire(allSuffixes().Suffixes)
	for _, n := range []string{"0", "1", "2", "255", "256", "999", "1000", "1001", "2000", "2001", "4096"} {
		want := python(t, `
import pickle, sys
d = {'%03x' % i: (None if i % 7 == 3 else '%032x' % (i * 3)) for i in range(int(sys.argv[1]))}
sys.stdout.buffer.write(pickle.dumps(d, protocol=2))
`, n)
		m, err := DecodeWire(want)
		if err != nil {
			t.Fatalf("%s suffixes: %v", n, err)
		}
		if got := EncodeWire(m); !bytes.Equal(got, want) {
			t.Errorf("%s suffixes: %d bytes, Python writes %d", n, len(got), len(want))
		}
	}
	if m, err := DecodeWire(all); err != nil || !maps.Equal(m, allSuffixes().Suffixes) {
		t.Errorf("all suffixes: %d, %v", len(m), err)
	}
}
