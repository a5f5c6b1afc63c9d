package config

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// request is one question to testdata/oracle.py, which answers with Swift's code.
type request struct {
	Do            string `json:"do"`
	Path          string `json:"path"`
	Section       string `json:"section,omitempty"`
	CaseSensitive bool   `json:"case_sensitive,omitempty"`
}

type answer struct {
	OK    json.RawMessage `json:"ok"`
	Error string          `json:"error"`
}

// askSwift puts all questions to one Python process. Without Swift the test
// fails: it has nothing to compare with.
func askSwift(t *testing.T, requests []request) []answer {
	t.Helper()
	in, err := json.Marshal(requests)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/usr/bin/python3", "testdata/oracle.py")
	cmd.Stdin = bytes.NewReader(in)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("run Swift's own code with /usr/bin/python3 (install python3-swift): %v\n%s", err, stderr.String())
	}
	var answers []answer
	if err := json.Unmarshal(out, &answers); err != nil {
		t.Fatalf("read the oracle's answers: %v", err)
	}
	if len(answers) != len(requests) {
		t.Fatalf("%d answers to %d questions", len(answers), len(requests))
	}
	return answers
}

// unpack decodes the answer, or returns false when Swift refused.
func (a answer) unpack(t *testing.T, into any) bool {
	t.Helper()
	if a.Error != "" {
		return false
	}
	if err := json.Unmarshal(a.OK, into); err != nil {
		t.Fatal(err)
	}
	return true
}

// writeConf writes a file, or a folder when the text is divided by "-- name --"
// lines, and returns its path.
func writeConf(t *testing.T, text string) string {
	t.Helper()
	dir := t.TempDir()
	if !strings.HasPrefix(text, "-- ") {
		return writeFile(t, dir, "object-server.conf", text)
	}
	dir = filepath.Join(dir, "conf.d")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, part := range strings.Split(text, "-- ")[1:] {
		name, body, _ := strings.Cut(part, " --\n")
		writeFile(t, dir, name, body)
	}
	return dir
}

func writeFile(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// swiftConf writes a swift.conf that is fine.
func swiftConf(t *testing.T) string {
	t.Helper()
	return writeFile(t, t.TempDir(), "swift.conf", "[swift-hash]\nswift_hash_path_suffix = end\n")
}
