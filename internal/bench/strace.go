package bench

import (
	"bufio"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// calls are how often one run has made each system call.
type calls map[string]int

func (c calls) total() (n int) {
	for _, count := range c {
		n += count
	}
	return n
}

// waits are the calls with which threads wait for each other and for the clock. There
// are the more of them the slower a program is made by being watched.
var waits = []string{"futex", "nanosleep", "clock_nanosleep", "epoll_wait", "epoll_pwait", "sched_yield", "restart_syscall"}

// work are the others.
func (c calls) work() calls {
	c = maps.Clone(c)
	maps.DeleteFunc(c, func(name string, _ int) bool { return slices.Contains(waits, name) })
	return c
}

// parseCalls reads the table of strace -c: share, seconds, µs a call, calls, errors (may
// be blank), name.
func parseCalls(text string) (calls, error) {
	found := calls{}
	for lines := bufio.NewScanner(strings.NewReader(text)); lines.Scan(); {
		words := strings.Fields(lines.Text())
		if len(words) < 5 || len(words) > 6 {
			continue
		}
		name := words[len(words)-1]
		n, err := strconv.Atoi(words[3])
		if err != nil || name == "total" {
			continue // the heading, the line below it, the sum
		}
		found[name] += n
	}
	if len(found) == 0 {
		return nil, errors.New("read what strace has counted: no system call is in it")
	}
	return found, nil
}
