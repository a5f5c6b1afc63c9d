package bench

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
)

// profile is where ours spends its CPU time in one benchmark.
type profile struct {
	Measured string  `json:"measured"`
	Version  string  `json:"version"`
	Frames   []frame `json:"frames"`
}

// frame is one function of a CPU profile.
type frame struct {
	Func string  `json:"func"`
	All  float64 `json:"all"` // percent of the samples, with what it calls
	Self float64 `json:"self"`
}

// framesKept is how many functions of a profile go onto the page.
const framesKept = 10

// profiled runs something once more under perf, when profiles are asked for, and
// returns the functions that take the most time with what they call.
func (r rig) profiled(ctx context.Context, once func(under []string) error) (*profile, error) {
	if !r.Profile {
		return nil, nil
	}
	data := filepath.Join(r.folder, "perf.data")
	if err := once([]string{"perf", "record", "-q", "-g", "-F", "1999", "-o", data, "--"}); err != nil {
		return nil, fmt.Errorf("profile: %w", err)
	}
	// What perf says on stderr is about symbols that it does not know: that is no error.
	out, err := exec.CommandContext(ctx, "perf", "script", "-i", data, "--no-inline", "-F", "ip,sym").Output()
	if err != nil {
		return nil, fmt.Errorf("read a profile: %w", err)
	}
	stacks := parseStacks(string(out))
	if len(stacks) == 0 {
		return nil, fmt.Errorf("read a profile: perf has recorded nothing")
	}
	return &profile{now(), r.version, topFrames(stacks)}, nil
}
