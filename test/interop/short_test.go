package interop

import "testing"

// shortly leaves a variant of a test out under -short, as "make test" runs them, unless
// it is among those that stay. "make interop" runs all.
func shortly(t *testing.T, stays bool) {
	t.Helper()
	if testing.Short() && !stays {
		t.Skip("left to make interop")
	}
}
