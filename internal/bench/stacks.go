package bench

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
)

// silent are functions that say nothing: where every stack begins, the engine's own
// roots among them, the doors to the kernel, and what has no name.
var silent = regexp.MustCompile(`^\[unknown\]$|` +
	`^runtime\.(goexit|mcall|mstart|main$|systemstack|rt0_go|park_m|schedule$)|` +
	`^understudy/(bootstrap\.\(\*crew\)\.Go|actors\.(\(\*errand\)|shielded))|` +
	`^(_start|_rt0|entry_SYSCALL|do_syscall|x64_sys_call|ret_from_fork|syscall\.|(internal/)?runtime/(internal/)?syscall)`)

// passing is the share of a function's samples with which one callee makes it no more
// than a way there.
const passing = 0.93

// parseStacks reads what perf script prints with -F ip,sym: for each sample the
// functions from the innermost out, a line each, and an empty line. Silent ones are
// left out.
func parseStacks(text string) (stacks [][]string) {
	var stack []string
	end := func() {
		if len(stack) > 0 {
			stacks = append(stacks, stack)
		}
		stack = nil
	}
	for line := range strings.Lines(text) {
		_, name, ok := strings.Cut(strings.TrimSpace(line), " ")
		if !ok {
			end()
			continue
		}
		if name = strings.TrimSuffix(name, ".abi0"); !silent.MatchString(name) {
			stack = append(stack, name)
		}
	}
	end()
	return stacks
}

// tally is what the stacks tell of one function.
type tally struct {
	all, self int            // samples
	callees   map[string]int // samples by the function that it has called
}

// topFrames are the functions in most stacks, but for those that one callee takes
// nearly all of, and whose part in them is thus its.
func topFrames(stacks [][]string) []frame {
	found := map[string]*tally{}
	for _, stack := range stacks {
		seen := map[string]bool{}
		for i, name := range stack {
			t := found[name]
			if t == nil {
				t = &tally{callees: map[string]int{}}
				found[name] = t
			}
			if i == 0 {
				t.self++
			}
			if seen[name] {
				continue // it has called itself
			}
			seen[name] = true
			t.all++
			if i > 0 {
				t.callees[stack[i-1]]++
			}
		}
	}
	percent := func(n int) float64 { return 100 * float64(n) / float64(len(stacks)) }
	var frames []frame
	for name, t := range found {
		if !t.passes() {
			frames = append(frames, frame{name, percent(t.all), percent(t.self)})
		}
	}
	slices.SortFunc(frames, func(a, b frame) int {
		return cmp.Or(cmp.Compare(b.All, a.All), strings.Compare(a.Func, b.Func))
	})
	return frames[:min(len(frames), framesKept)]
}

func (t *tally) passes() bool {
	for _, n := range t.callees {
		if float64(n) >= passing*float64(t.all) {
			return true
		}
	}
	return false
}
