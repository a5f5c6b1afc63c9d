//go:build !nofaults

package bootstrap

import (
	"strings"
	"testing"

	"understudy/internal/fault"
	"understudy/internal/observe/status"
)

// An operator is told of what does not end with the plan, and of nothing else.
func TestPlansThatMayStall(t *testing.T) {
	for plan, want := range map[string]bool{
		"actor : drop nth=1":                                    true,
		"actor message=*Job* : drop":                            true,
		"actor kind=budget message=AskSlots : drop p=0.1":       true,
		"actor kind=partition|recorder message=answer : drop":   true,
		"actor kind=recorder : drop":                            true,
		"actor kind=recorder message=JobDone|answer : drop":     false,
		"actor kind=budget message=ReturnSlots : drop":          false,
		"actor message=SlotGranted : duplicate":                 false,
		"actor kind=device message=StartPass : restart times=1": false,
		"disk : hang": false,
	} {
		e := liveEngine(fault.NewInjector(fault.Plan{}, nil))
		done, err := e.Do(t.Context(), status.ApplyFaults{Plan: plan})
		e.Close()
		if err != nil || strings.Contains(done.Message, stallWarning) != want {
			t.Errorf("%s: %v %v, want %v", plan, done, err, want)
		}
	}
}
