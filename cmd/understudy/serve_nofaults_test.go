//go:build nofaults

package main

import "testing"

// Not of the default suite, for it is another program:
// go test -tags nofaults -run Faults ./cmd/understudy
func TestServeBuiltWithoutFaults(t *testing.T) { refusesPlan(t, "built without faults (tag nofaults)") }
