package main

import (
	"os"
	"strings"
	"testing"
)

// The nodes of the show are processes of the test's own program.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && strings.HasPrefix(os.Args[1], "{") {
		main()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// Real processes, sockets, certificates and engines: three members, a kill -9, a rejoin.
func TestShow(t *testing.T) {
	var out strings.Builder
	if err := run(t.Context(), nil, &out); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	want := `three nodes:
  n1 is healthy, 2 device(s)
  n2 is healthy, 2 device(s)
  n3 is healthy, 2 device(s)
n2 was killed:
  n1 is healthy, 2 device(s)
  n3 is healthy, 2 device(s)
n2 is back:
  n1 is healthy, 2 device(s)
  n2 is healthy, 2 device(s)
  n3 is healthy, 2 device(s)
`
	if out.String() != want {
		t.Errorf("got:\n%s", out.String())
	}
}
