package main

import (
	"bytes"
	"cmp"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const root = "../.."

// The names in the sources are those of the table, and each has a row in the document.
func TestTableIsWhole(t *testing.T) {
	want := map[string]bool{}
	doc, err := os.ReadFile(filepath.Join(root, "docs/experiments.md"))
	if err != nil {
		t.Fatal(err)
	}
	seeds := map[string]string{}
	for _, s := range inSimulation {
		seeds[s.name] = strconv.FormatUint(s.seed, 10)
	}
	for _, b := range bugs {
		want[b.name] = true
		row := "| `" + b.name + "` | " + b.does + " | `" + b.test + "` in " + b.pkg + " | " + cmp.Or(seeds[b.name], "–") + " |"
		if !strings.Contains(string(doc), row) {
			t.Errorf("docs/experiments.md lacks the row\n%s", row)
		}
	}
	if got := planted(t); !maps.Equal(got, want) {
		t.Errorf("the sources have %v, the table has %v", slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
	}
}

// planted are the bugs that the sources ask for.
func planted(t *testing.T) map[string]bool {
	t.Helper()
	found := map[string]bool{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) != 1 {
				return true
			}
			f, ok := call.Fun.(*ast.SelectorExpr)
			if !ok || f.Sel.Name != "Bug" {
				return true
			}
			if x, ok := f.X.(*ast.Ident); !ok || x.Name != "zoo" {
				return true
			}
			name, ok := call.Args[0].(*ast.BasicLit)
			if !ok {
				t.Errorf("%s: a bug whose name is no plain text", path)
				return true
			}
			text, err := strconv.Unquote(name.Value)
			if err != nil {
				t.Errorf("%s: %v", path, err)
			}
			found[text] = true
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// A program that is built as usual has nothing of the zoo; one with the tag has all of
// it, so that this test would see it.
func TestShippedProgramHasNoBug(t *testing.T) {
	for _, tag := range []string{"", "bugzoo"} {
		program := filepath.Join(t.TempDir(), "program")
		out, err := exec.Command("go", "build", "-tags", tag, "-o", program, root+"/cmd/understudy").CombinedOutput()
		if err != nil {
			t.Fatalf("go build: %v\n%s", err, out)
		}
		binary, err := os.ReadFile(program)
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range append(names(), "UNDERSTUDY_BUG", "internal/zoo") {
			if got, want := bytes.Contains(binary, []byte(text)), tag != ""; got != want {
				t.Errorf("built with the tag %q it contains %q: %v", tag, text, got)
			}
		}
	}
}

func names() (all []string) {
	for _, b := range bugs {
		all = append(all, b.name)
	}
	return all
}
