package archtest

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const root = "../.."

// Every file that deviates from Swift has a row in docs/compatibility.md, and
// every file that the page names exists.
func TestDeviationsAreDocumented(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(root, "docs/compatibility.md"))
	if err != nil {
		t.Fatal(err)
	}
	marked := 0
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && strings.HasPrefix(d.Name(), ".") && path != root {
			return fs.SkipDir
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		if strings.Contains(string(text), "Unlike Swift") {
			marked++
			if !strings.Contains(string(page), "`"+name+"`") {
				t.Errorf("%s deviates from Swift, but docs/compatibility.md does not name it", name)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if marked < 20 {
		t.Errorf("only %d files with deviations seen", marked)
	}
	for _, m := range regexp.MustCompile("`((?:actors|bootstrap|cmd|config|internal)/[a-z0-9_/.-]+)`").FindAllStringSubmatch(string(page), -1) {
		if _, err := os.Stat(filepath.Join(root, m[1])); err != nil {
			t.Errorf("docs/compatibility.md names %s: %v", m[1], err)
		}
	}
}
