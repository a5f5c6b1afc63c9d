package bootstrap

import (
	"errors"
	"testing"

	"understudy/internal/observe/status"
)

// An engine whose disks or rings are its host's does not tell of others.
func TestDryRunOfForeignParts(t *testing.T) {
	for name, parts := range map[string]Parts{"store": {Store: localDisks{}}, "placement": {Placement: &Placement{}}} {
		e := &Engine{settings: Settings{Parts: parts}}
		var refused *status.Refusal
		if _, err := e.DryRun(t.Context(), status.DryRun{}); !errors.As(err, &refused) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
