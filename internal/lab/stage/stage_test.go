package stage

import (
	"os"
	"testing"

	"understudy/internal/scenario"
)

func run(t *testing.T, text string) *Result {
	t.Helper()
	s, err := scenario.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	r, err := Run(t.Context(), s, Options{Dir: t.TempDir(), Seed: 1, Tell: func(e Event) { t.Logf("%7.3f %-3s %s", e.At.Seconds(), e.Node, e.What) }})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestFile(t *testing.T) {
	name := os.Getenv("SCENARIO")
	if name == "" {
		t.Skip("no SCENARIO")
	}
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	r := run(t, string(text))
	for _, p := range r.Problems {
		t.Log(p)
	}
	for _, c := range r.Checks {
		t.Logf("%v %s: %d", c.Held, c.Expect, c.Got)
	}
	t.Log(r.Coverage, r.Elapsed)
}
