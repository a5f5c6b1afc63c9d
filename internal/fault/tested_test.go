package fault

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// Each verb of each place has a test beside the seam that does it, which looks at what
// came of it; here only that none has been forgotten.
func TestEachVerbHasATest(t *testing.T) {
	var text []byte
	for _, pattern := range []string{"*/*_test.go", "../../bootstrap/faults*_test.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %d files: %v", pattern, len(files), err)
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			text = append(text, data...)
		}
	}
	for _, p := range Places {
		for _, v := range p.Verbs {
			if !regexp.MustCompile(`(\b|\\n)` + string(p.Place) + `( [a-z]+=[^ "` + "`" + `]+)* : ` + v.Name + `\b`).Match(text) {
				t.Errorf("no test has a plan with %s : %s", p.Place, v.Name)
			}
		}
	}
}
