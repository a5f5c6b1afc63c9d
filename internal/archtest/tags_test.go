package archtest

import (
	"go/build/constraint"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// vetted are the folders that "make lint" vets with a build tag, by the tag.
func vetted(t *testing.T) map[string][]string {
	t.Helper()
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]string{}
	for line := range strings.Lines(string(makefile)) {
		_, rest, ok := strings.Cut(line, " vet -tags ")
		if !ok {
			continue
		}
		words := strings.Fields(rest)
		for tag := range strings.SplitSeq(words[0], ",") {
			all[tag] = append(all[tag], words[1:]...)
		}
	}
	return all
}

// Every file that is built with a tag of ours is vetted with it. All other files are the
// same with any tag.
func TestTaggedFilesAreVetted(t *testing.T) {
	folders := vetted(t)
	met := map[string]bool{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		first, _, _ := strings.Cut(string(text), "\n")
		if !constraint.IsGoBuild(first) {
			return nil
		}
		expression, err := constraint.Parse(first)
		if err != nil {
			return err
		}
		folder, err := filepath.Rel(root, filepath.Dir(path))
		if err != nil {
			return err
		}
		expression.Eval(func(tag string) bool {
			if folders[tag] != nil {
				met[tag] = true
				if !slices.Contains(folders[tag], "./"+folder) {
					t.Errorf("%s has the tag %s, with which %s is not vetted", path, tag, folder)
				}
			} else if !slices.Contains([]string{"linux", "race", "ignore"}, tag) {
				t.Errorf("%s has the tag %s, with which nothing is vetted", path, tag)
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for tag := range folders {
		if !met[tag] {
			t.Errorf("no file has the tag %s", tag)
		}
	}
}
