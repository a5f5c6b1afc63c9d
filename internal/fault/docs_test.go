package fault

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const docs = "../../docs/experiments.md"

// usage is a verb as the reference writes it.
func (v Verb) usage() string {
	words := []string{v.Name}
	for _, a := range v.Args {
		word := strings.ToUpper(a.Name)
		if a.Kind == KindWord {
			word = strings.Join(a.Choice, "/")
		}
		if a.Optional {
			word = "[" + word + "]"
		}
		words = append(words, word)
	}
	for _, a := range v.Named {
		word := "N"
		if a.Kind == KindWord {
			word = strings.Join(a.Choice, "/")
		}
		words = append(words, "["+a.Name+"="+word+"]")
	}
	return strings.Join(words, " ")
}

// rows are the lines of the reference, made from the language itself.
func rows() (all []string) {
	for _, p := range Places {
		all = append(all, fmt.Sprintf("**`%s`** – keys `%s`", p.Place, strings.Join(p.Keys, "` `")))
		for _, v := range p.Verbs {
			at := ""
			if v.Ops != nil {
				at = "at " + strings.Join(v.Ops, ", ")
			}
			all = append(all, strings.TrimRight(fmt.Sprintf("| `%s` | %s | %s |", v.usage(), v.Tells, at), " "))
		}
	}
	return all
}

// The reference has each place, key and verb, and each of its examples is a plan.
func TestDocs(t *testing.T) {
	data, err := os.ReadFile(docs)
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	for _, row := range rows() {
		if !strings.Contains(text, row) {
			t.Errorf("%s has no line\n%s", docs, row)
		}
	}
	for _, op := range slices.Concat(DiskOps, inbound, []string{RsyncOp}, RsyncPaths) {
		if !strings.Contains(text, "`"+op+"`") {
			t.Errorf("the operation %s is not in %s", op, docs)
		}
	}
	examples := regexp.MustCompile("(?s)```faults\n(.*?)```").FindAllStringSubmatch(text, -1)
	if len(examples) < 3 {
		t.Fatalf("only %d examples", len(examples))
	}
	for _, e := range examples {
		if p, err := Parse(e[1]); err != nil || len(p.Faults) == 0 {
			t.Errorf("%v in\n%s", err, e[1])
		}
	}
}
