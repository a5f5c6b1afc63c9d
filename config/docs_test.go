package config

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"slices"
	"testing"

	"understudy/internal/swift/policy"
)

var update = flag.Bool("update", false, "rewrite docs/config.md")

const docs = "../docs/config.md"

// docs/config.md says what the table says.
func TestDocs(t *testing.T) {
	want := Markdown()
	if *update {
		if err := os.WriteFile(docs, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(docs)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is out of date: go test ./config -run TestDocs -update", docs)
	}
}

// The parts of the table that the code does not check by using them.
func TestTable(t *testing.T) {
	seen := map[string]bool{}
	var policyKeys []string
	for _, o := range Table() {
		for scope := Replicator; scope <= SwiftPolicy; scope <<= 1 {
			key := fmt.Sprintf("%d %s", scope, o.Name)
			if o.Scope&scope != 0 && seen[key] {
				t.Errorf("%s is there twice for one scope", o.Name)
			}
			seen[key] = seen[key] || o.Scope&scope != 0
		}
		if (o.Default == "") == (o.Unset == "") {
			t.Errorf("%s: one of Default and Unset must be given", o.Name)
		}
		if o.Meaning == "" || o.Group == "" {
			t.Errorf("%s: no meaning or group", o.Name)
		}
		if o.Scope == SwiftPolicy {
			policyKeys = append(policyKeys, o.Name)
		}
		if o.field != nil && o.Default != "" {
			if _, err := o.read(&Config{}, o.Default); err != nil {
				t.Errorf("%s: default %q: %v", o.Name, o.Default, err)
			}
		}
	}
	common, ec := policy.Options()
	if known := append(common, ec...); !slices.Equal(policyKeys, known) {
		t.Errorf("policy keys of the table %q, of package policy %q", policyKeys, known)
	}
}
