package lab

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sort"
	"strconv"
	"strings"
	"time"
)

// Sight is what a process has: goroutines by who began them, descriptors by what they
// are of, children, locks, threads that hang in the kernel.
type Sight map[string]int

// Look looks at this process.
func Look() Sight {
	s := Sight{}
	stacks := make([]byte, 64<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	for _, one := range bytes.Split(stacks, []byte("\n\n")) {
		s["goroutine "+origin(string(one))]++
	}
	pid := strconv.Itoa(os.Getpid())
	names, _ := filepath.Glob("/proc/self/fd/*")
	for _, name := range names {
		if target, err := os.Readlink(name); err == nil {
			s["descriptor of "+kindOf(target)]++
		}
	}
	children, _ := filepath.Glob("/proc/self/task/*/children")
	for _, name := range children {
		pids, _ := os.ReadFile(name)
		s["child process"] += len(strings.Fields(string(pids)))
	}
	stats, _ := filepath.Glob("/proc/self/task/*/stat")
	for _, name := range stats {
		stat, _ := os.ReadFile(name)
		if _, state, ok := bytes.Cut(stat, []byte(") ")); ok && state[0] == 'D' {
			s["thread that hangs"]++
		}
	}
	locks, _ := os.ReadFile("/proc/locks")
	for line := range strings.Lines(string(locks)) {
		if f := strings.Fields(line); len(f) > 4 && f[4] == pid {
			s["lock"]++
		}
	}
	return s
}

// origin names a goroutine by what began it.
func origin(stack string) string {
	_, by, ok := strings.Cut(stack, "created by ")
	if !ok {
		return "main"
	}
	by, _, _ = strings.Cut(by, "\n")
	by, _, _ = strings.Cut(by, " in goroutine")
	return by
}

// kindOf names what a descriptor is of: sockets and pipes have numbers of their own.
func kindOf(target string) string {
	kind, _, _ := strings.Cut(target, ":[")
	return kind
}

// Leaks tells what there is more of than before, once all that was on its way out had
// time to go.
func (s Sight) Leaks(patience time.Duration) (found []string) {
	deadline := time.Now().Add(patience)
	for {
		found = s.more(Look())
		if len(found) == 0 || time.Now().After(deadline) {
			return found
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func (s Sight) more(now Sight) (found []string) {
	for what, n := range now {
		if strings.Contains(what, "anon_inode") || quiet[what] {
			continue // the runtime's own
		}
		if more := n - s[what]; more > 0 {
			found = append(found, fmt.Sprintf("%d more: %s", more, what))
		}
	}
	sort.Strings(found)
	return found
}

// quiet are goroutines that the runtime and libraries keep for the whole life of a process,
// and the actor library's throttle of dead letters, which ends within a second.
var quiet = map[string]bool{
	"goroutine runtime.gcenable": true, "goroutine runtime.init.0": true, "goroutine os/signal.Notify.func1.1": true,
	"goroutine github.com/asynkron/protoactor-go/actor.NewDeadLetter.NewThrottle.func4": true,
	"goroutine runtime.runFinalizers": true, "goroutine runtime.ensureSigM": true, "goroutine runtime.createfing": true,
}
