package bench

import (
	"cmp"
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// profile is where ours spends its time in one benchmark.
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
	// Some versions complain about lost symbols of the kernel on stderr: that is no error.
	cmd := exec.CommandContext(ctx, "perf", "report", "-i", data, "--children", "--stdio", "-q", "-g", "none",
		"-F", "overhead_children,overhead,sym", "-t", fieldMark, "--percent-limit", "0.5")
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("read a profile: %w", err)
	}
	return &profile{now(), r.version, topFrames(string(out))}, nil
}

const fieldMark = "\t"

// roots are where every stack begins, the engine's own among them, and the doors to
// the kernel: they say nothing.
var roots = regexp.MustCompile(`^(0x)?[0-9a-f]+$|^\[unknown\]$|^runtime\.(goexit|mcall|mstart|main|systemstack|rt0_go|park_m|schedule)|` +
	`^understudy/(bootstrap\.\(\*crew\)\.Go|actors\.(\(\*errand\)|shielded))|` +
	`^(_start|_rt0|entry_SYSCALL|do_syscall_64|x64_sys_call|__x64_sys_|ret_from_fork|.*[sS]yscall6?\b|.*Syscall)`)

// topFrames reads perf's table: share with callees, own share, "[.] symbol".
func topFrames(report string) []frame {
	var all []frame
	for line := range strings.Lines(report) {
		columns := strings.Split(strings.TrimSpace(line), fieldMark)
		if len(columns) != 3 {
			continue
		}
		cum, errAll := percent(columns[0])
		self, errSelf := percent(columns[1])
		_, name, ok := strings.Cut(columns[2], "] ")
		if name = strings.TrimSpace(name); errAll != nil || errSelf != nil || !ok || roots.MatchString(name) {
			continue
		}
		all = append(all, frame{name, cum, self})
	}
	slices.SortStableFunc(all, func(a, b frame) int { return cmp.Compare(b.All, a.All) })
	all = withoutPassers(all)
	return all[:min(len(all), framesKept)]
}

// withoutPassers leaves out what only calls the next: chains of them say the same ten
// times.
func withoutPassers(sorted []frame) (kept []frame) {
	for i, f := range sorted {
		if i+1 < len(sorted) && f.Self < 1 && sorted[i+1].All > 0.93*f.All {
			continue
		}
		kept = append(kept, f)
	}
	return kept
}

func percent(s string) (float64, error) {
	return strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(s), "%"), 64)
}
