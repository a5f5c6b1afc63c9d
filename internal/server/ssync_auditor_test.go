package server_test

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"understudy/internal/server/swifttest"
	"understudy/internal/swift/metadata"
)

// Swift's object auditor and swift-object-info read every file that we have written,
// and find nothing wrong with it.
func TestSwiftReadsWhatIsWritten(t *testing.T) {
	root := t.TempDir()
	if err := os.Mkdir(filepath.Join(root, "sda1"), 0o755); err != nil {
		t.Fatal(err)
	}
	ours := ssyncServer(t, root, io.Discard, nil)
	s := tell(t, ours, "/sda1/7", false, nil, begin,
		putReq("/a/c/plain", "body"), putReq("/a/c/zero", ""), putReq("/a/c/large", strings.Repeat("0123456789", 50_000)),
		putReq("/a/c/caf%C3%A9", "x", "X-Object-Meta-Caf\xc3\xa9: voil\xc3\xa0"), putReq("/a/%00c/%00o", "nul"),
		putReq("/a/c/posted", "x"), subreq("POST", "/a/c/posted", "X-Timestamp: "+at1, "X-Object-Meta-Color: red", "Content-Type: text/x", "Content-Type-Timestamp: "+at1),
		subreq("POST", "/a/c/posted", "X-Timestamp: "+at2, "X-Object-Meta-Color: blue"),
		putReq("/a/c/expired", "x", "X-Delete-At: 1600000000"), putReq("/a/c/offset", "x", "X-Timestamp: "+at0+"_0000000000000001"),
		subreq("DELETE", "/a/c/gone", "X-Timestamp: "+at0), end)
	if !strings.HasSuffix(s.body, end) {
		t.Fatalf("%+v", s)
	}
	var names []string
	paths, err := filepath.Glob(filepath.Join(root, "sda1/objects/7/???/*/*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		if strings.HasSuffix(path, ".data") {
			names = append(names, path)
		}
	}
	if len(paths) != 10 || len(names) != 8 {
		t.Fatalf("written: %q", paths)
	}
	in, err := json.Marshal(map[string]any{"root": root, "cache": t.TempDir(), "data": names})
	if err != nil {
		t.Fatal(err)
	}
	out := swifttest.Python(t, "testdata/audit.py", bytes.NewReader(in))
	var got struct {
		Passes, Quarantines, Errors int
		Log, Info                   []string
	}
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	// The directory with the tombstone counts, too.
	if got.Quarantines != 0 || got.Errors != 0 || got.Passes != len(names)+1 || len(got.Log) > 0 {
		t.Errorf("the auditor: %+v", got)
	}
	if len(got.Info) != len(names) {
		t.Fatalf("swift-object-info: %q", got.Info)
	}
	for i, text := range got.Info {
		if !strings.Contains(text, "(valid)") || strings.Contains(strings.ToLower(text), "warning") || strings.Contains(text, "rror") {
			t.Errorf("swift-object-info %s:\n%s", names[i], text)
		}
	}
	if _, err := os.Stat(filepath.Join(root, "sda1/quarantined")); !os.IsNotExist(err) {
		t.Errorf("quarantined: %v", err)
	}
}

// A letter of UTF-8 that ends in 0xa0 stays whole at the end of a value.
func TestValueEndsInLetter(t *testing.T) {
	p := newPair(t, nil, nil)
	p.same("put", "/sda1/7", false, nil, begin, putReq("/a/c/o", "x", "X-Object-Meta-Word: voil\xc3\xa0"), end)
	read := func(root string) string {
		paths, _ := filepath.Glob(filepath.Join(root, "sda1/objects/7/???/*/*"))
		if len(paths) != 1 {
			t.Fatalf("%q", paths)
		}
		m, err := metadata.ReadPath(paths[0])
		if err != nil {
			t.Fatal(err)
		}
		word, _ := m.Get("X-Object-Meta-Word")
		return word
	}
	if got := read(p.ourRoot); got != "voil\xc3\xa0" {
		t.Errorf("ours: %q", got)
	}
	if got := read(p.theirRoot); got != "voil\xc3" {
		t.Errorf("Swift has another word now: %q", got)
	}
}
