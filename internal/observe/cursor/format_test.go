package cursor

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"understudy/messages"
)

// A file with one wrong byte, one byte less or one more is never another cursor.
func TestEveryByteCounts(t *testing.T) {
	want := sample()
	data, err := encode(want)
	if err != nil {
		t.Fatal(err)
	}
	try := func(what string, at int, bad []byte) bool {
		got, err := parse(bad)
		if err == nil && !reflect.DeepEqual(got, want) {
			t.Fatalf("%s at %d makes %+v of %s", what, at, got, bad)
		}
		return err == nil
	}
	same := 0
	for at := range data {
		for b := range 256 {
			bad := bytes.Clone(data)
			bad[at] = byte(b)
			if bad[at] != data[at] && try("another byte", at, bad) {
				same++
			}
		}
		try("a missing byte", at, append(bytes.Clone(data[:at]), data[at+1:]...))
		try("an added byte", at, append(append(bytes.Clone(data[:at]), '1'), data[at:]...))
		if at < len(data)-1 && try("an end", at, data[:at]) {
			t.Errorf("cut at %d it is whole", at)
		}
	}
	// Other white space at the end, and names in capitals.
	if same > 100 {
		t.Errorf("%d wrong bytes of %d do not matter", same, 255*len(data))
	}
}

// The file is one line, and says what it is.
func TestForm(t *testing.T) {
	data, err := encode(messages.Cursor{Begun: sample().Begun, Seed: 7, Stats: messages.Stats{
		FailureNodes: messages.FailureNodes{"10.0.0.1": {"sdb": 1}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"version":1,"crc32":"SUM","cursor":{"Begun":"2026-08-07T06:05:04.000000003Z","Seed":7,"Cycle":0,"Reached":0,"Jobs":0,"Done":0,` +
		`"Stats":{"Attempted":0,"Failure":0,"HashMatch":0,"Remove":0,"Rsync":0,"Success":0,"SuffixCount":0,"SuffixHash":0,"SuffixSync":0,` +
		`"FailureNodes":{"10.0.0.1":{"sdb":1}}}}}` + "\n"
	_, after, _ := bytes.Cut(data, []byte(`"crc32":"`))
	if got := string(data); got != strings.Replace(want, "SUM", string(after[:8]), 1) {
		t.Errorf("%s", got)
	}
}

// Files that are no cursor are errors that name them.
func TestFilesThatAreNoCursors(t *testing.T) {
	dir := t.TempDir()
	good, err := encode(sample())
	if err != nil {
		t.Fatal(err)
	}
	sealed := func(cursor string) string {
		return `{"version":1,"crc32":"` + checksum([]byte(cursor)) + `","cursor":` + cursor + `}`
	}
	for device, content := range map[string]string{
		"empty": "", "text": "hello\n", "null": "null", "list": "[1]", "object": "{}", "binary": "\x80\x00\xff",
		"older":     strings.Replace(string(good), `"version":1`, `"version":0`, 1),
		"newer":     strings.Replace(string(good), `"version":1`, `"version":2`, 1),
		"unsealed":  strings.Replace(string(good), `"crc32":"`, `"crc32":"0`, 1),
		"edited":    strings.Replace(string(good), `"Jobs":4`, `"Jobs":5`, 1),
		"two":       string(good) + string(good),
		"unknown":   sealed(`{"Begun":"2026-08-07T06:05:04Z","Speed":9}`),
		"negative":  sealed(`{"Seed":-1}`),
		"huge":      sealed(`{"Seed":1e300}`),
		"deep":      strings.Repeat(`{"cursor":`, 100_000),
		"oversized": string(good) + strings.Repeat(" ", maxSize),
	} {
		path := filepath.Join(dir, device+".json")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	path := func(name string) string { return filepath.Join(dir, name+".json") }
	for what, err := range map[string]error{
		"a folder": os.Mkdir(path("folder"), 0o755), "a pipe": unix.Mkfifo(path("pipe"), 0o600),
		"a link": os.Symlink(path("good"), path("link")), "a file": os.WriteFile(path("good"), good, 0o600),
	} {
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	d := New(dir)
	for _, name := range names(t, dir) {
		device := strings.TrimSuffix(name, ".json")
		c, err := d.Load(context.Background(), device)
		if device == "good" {
			if err != nil {
				t.Error(err)
			}
			continue
		}
		if err == nil || c != nil || !strings.Contains(err.Error(), path(device)) {
			t.Errorf("%s: %+v, %v", device, c, err)
		}
		// Whatever it is, a new cursor takes its place; but for a folder.
		if err := d.Save(context.Background(), device, sample()); (err != nil) != (device == "folder") {
			t.Errorf("%s: %v", device, err)
		}
	}
}

// What could not be read again is not saved.
func TestSaveRefusesWhatIsTooLarge(t *testing.T) {
	d := New(t.TempDir())
	save(t, d, "sda", sample())
	c := sample()
	devices := map[string]int{}
	for i := range 100_000 {
		devices["device-"+strconv.Itoa(i)] = i
	}
	c.Stats.FailureNodes = messages.FailureNodes{"10.0.0.1": devices}
	if err := d.Save(context.Background(), "sda", c); err == nil {
		t.Error("saved")
	}
	if got := load(t, d, "sda"); !reflect.DeepEqual(*got, sample()) {
		t.Errorf("%+v", got)
	}
}

// FuzzParse: whatever is in the file; what is read is written and read again.
func FuzzParse(f *testing.F) {
	good, err := encode(sample())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(`{"version":1,"crc32":"` + checksum([]byte("{}")) + `","cursor":{}}`))
	f.Add([]byte(`{"version":1,"crc32":"` + checksum([]byte("null")) + `","cursor":null}`))
	f.Add([]byte(`{"version":2}`))
	f.Add([]byte(``))
	f.Fuzz(func(t *testing.T, data []byte) {
		tryParse(t, data)
		// The same with a true checksum, or no input would ever get past it.
		if json.Valid(data) {
			tryParse(t, []byte(`{"version":1,"crc32":"`+checksum(data)+`","cursor":`+string(data)+`}`))
		}
	})
}

func tryParse(t *testing.T, data []byte) {
	c, err := parse(data)
	if err != nil {
		return
	}
	again, err := encode(c)
	if err != nil {
		return // a year that JSON does not know
	}
	got, err := parse(again)
	if err != nil || !got.Begun.Equal(c.Begun) {
		t.Fatalf("%s: %v", again, err)
	}
	got.Begun = c.Begun
	if !reflect.DeepEqual(got, c) {
		t.Fatalf("%+v, was %+v", got, c)
	}
}
