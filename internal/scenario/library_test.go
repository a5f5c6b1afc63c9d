package scenario

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Every file of the library can be read, tells something, and is written as String
// writes it, but for comments.
func TestLibraryReads(t *testing.T) {
	files, err := filepath.Glob("library/*" + Ending)
	if err != nil || len(files) < 20 || len(files) != len(Library()) {
		t.Fatalf("%d files, %d scenarios, %v", len(files), len(Library()), err)
	}
	for _, file := range files {
		s, err := Named(strings.TrimSuffix(filepath.Base(file), Ending))
		if err != nil {
			t.Error(err)
			continue
		}
		if len(s.Story) == 0 || len(s.Title) > 56 || len(s.Name) > 20 {
			t.Errorf("%s: no story, or a title that is too long to be listed", s.Name)
		}
		again, err := Parse(s.String())
		if err != nil || !again.Equal(s) {
			t.Errorf("%s is not read again as it is printed: %v", s.Name, err)
		}
	}
	if _, err := Named("../parse"); err == nil {
		t.Error("a file outside of the library is taken")
	}
}

// The scenarios of the reference can be read, and it knows every step and every
// expectation.
func TestReference(t *testing.T) {
	text, err := os.ReadFile("../../docs/experiments.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	blocks := strings.Split(page, "```scenario\n")[1:]
	if len(blocks) == 0 {
		t.Error("no example")
	}
	for _, b := range blocks {
		example, _, _ := strings.Cut(b, "```")
		if _, err := Parse(example); err != nil {
			t.Errorf("example: %v", err)
		}
	}
	for _, word := range append(Verbs(), counts()...) {
		if !strings.Contains(page, "`"+word) {
			t.Errorf("docs/experiments.md does not explain %s", word)
		}
	}
	for _, s := range Library() {
		if !strings.Contains(page, s.Title) {
			t.Errorf("docs/experiments.md does not list %s", s.Name)
		}
	}
}
