package main

import (
	"bytes"
	"strings"
	"testing"

	"understudy/config"
)

// Every format names every option; the text fits a terminal.
func TestConfigReference(t *testing.T) {
	for _, format := range []string{"text", "man", "markdown"} {
		var out bytes.Buffer
		if err := run([]string{"config", "reference", "--format", format}, &out, &out); err != nil {
			t.Fatal(err)
		}
		for _, o := range config.Table() {
			name := o.Name
			if format == "man" {
				name = roff(name)
			}
			if !strings.Contains(out.String(), name) {
				t.Errorf("%s: %s is missing", format, o.Name)
			}
		}
		if format == "text" {
			fitsTerminal(t, out.String())
		}
	}
	if err := run([]string{"config", "reference", "--format", "pdf"}, &bytes.Buffer{}, &bytes.Buffer{}); exitCode(err) != exitUsage {
		t.Error(err)
	}
}
