package main

import (
	"strings"
	"testing"

	"understudy/internal/manual"
)

// The manual page has every option that the program has.
func TestManual(t *testing.T) {
	page := strings.ReplaceAll(manual.Replicator, `\-`, "-")
	for _, o := range options {
		if !strings.Contains(page, `\fB`+o.short+`\fR`) || !strings.Contains(page, `\fB`+o.long+`\fR`) {
			t.Errorf("%s, %s is not in the page", o.short, o.long)
		}
	}
}
