//go:build nofaults

package bootstrap

import (
	"errors"
	"testing"

	"understudy/config"
	"understudy/internal/fault"
)

// What is built without faults refuses every plan, also where they are allowed.
func TestFaultsRefused(t *testing.T) {
	for _, test := range []struct {
		plan    string
		allowed bool
		want    error
	}{{"", false, nil}, {"/a/plan", false, errNoFaults}, {"/a/plan", true, errNoFaults}, {"", true, errNoFaults}} {
		t.Setenv(FaultsEnv, test.plan)
		if i, err := ReadFaults(&config.Config{FaultsAllowed: test.allowed}); i != nil || !errors.Is(err, test.want) {
			t.Errorf("%+v: %v %v", test, i, err)
		}
	}
	if _, err := New(Settings{Faults: fault.NewInjector(fault.Plan{}, nil)}); !errors.Is(err, errNoFaults) {
		t.Errorf("an engine with faults: %v", err)
	}
}
