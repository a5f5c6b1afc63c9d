package bootstrap_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Every test that docs/swift-tests.md names exists, no test of Swift's is there
// twice, and each has a test of ours or a reason; and every behaviour
// that is tested here is on the page.
func TestBehaviourPage(t *testing.T) {
	data, err := os.ReadFile("../docs/swift-tests.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(data)
	sources := map[string]string{}
	reference := regexp.MustCompile("`([a-z][A-Za-z0-9_/.-]+\\.go):([A-Z][A-Za-z0-9]*)`")
	for _, m := range reference.FindAllStringSubmatch(page, -1) {
		file, name := m[1], m[2]
		if _, known := sources[file]; !known {
			text, err := os.ReadFile(filepath.Join("..", file))
			if err != nil {
				t.Errorf("the page names %s: %v", file, err)
			}
			sources[file] = string(text)
		}
		if !strings.Contains(sources[file], "\nfunc "+name+"(") {
			t.Errorf("%s has no %s", file, name)
		}
	}
	rows, seen := 0, map[string]bool{}
	for line := range strings.Lines(page) {
		cells := strings.Split(strings.Trim(line, "| \n"), " | ")
		if !strings.HasPrefix(line, "| test_") && !strings.HasPrefix(line, "| TestSender") {
			continue
		}
		rows++
		if seen[cells[0]] {
			t.Errorf("%s is there twice", cells[0])
		}
		seen[cells[0]] = true
		ours := strings.TrimSuffix(cells[1], " |")
		if reason := len(cells) > 2 && cells[2] != ""; ours == "—" && !reason || ours != "—" && !reference.MatchString(ours) {
			t.Errorf("%s: neither a test nor a reason", cells[0])
		}
	}
	if rows < 200 {
		t.Errorf("only %d tests of Swift's", rows)
	}
	files, err := filepath.Glob("behaviour_*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`\nfunc (TestBehaviour\w+)\(`).FindAllStringSubmatch(string(text), -1) {
			if name := "`bootstrap/" + file + ":" + m[1] + "`"; m[1] != "TestBehaviourPage" && !strings.Contains(page, name) {
				t.Errorf("docs/swift-tests.md does not name %s", name)
			}
		}
	}
}
