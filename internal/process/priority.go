package process

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"
)

// Priority holds nice_priority, ionice_class and ionice_priority.
type Priority struct {
	Nice       *int   // nil: unchanged
	IOClass    string // IOPRIO_CLASS_RT, _BE or _IDLE; empty: unchanged, IOPriority is not used
	IOPriority int    // 0 (first) to 7
}

const (
	niceWarning   = "WARNING: Unable to modify scheduling priority of process. Keeping unchanged! Check logs for more info. "
	ioniceWarning = "WARNING: Unable to modify I/O scheduling class and priority of process. Keeping unchanged! Check logs for more info."
)

// From linux/ioprio.h.
const (
	ioprioWhoProcess = 1
	ioprioClassShift = 13
	ioprioMaxLevel   = 7
)

var ioClasses = map[string]int{"IOPRIO_CLASS_RT": 1, "IOPRIO_CLASS_BE": 2, "IOPRIO_CLASS_IDLE": 3}

// SetPriority gives every thread of the process the priorities that p asks for.
// What cannot be set is left, with Swift's warning on stdout and a line in the
// log: it never stops the daemon.
//
// Swift: common/utils.py modify_priority.
func SetPriority(l zerolog.Logger, stdout io.Writer, p Priority) {
	if p.Nice != nil {
		if err := setNice(*p.Nice); err != nil {
			fmt.Fprintln(stdout, niceWarning)
			l.Error().Bool("swift", true).Msgf("Unable to modify nice priority: %v", err)
		} else {
			l.Debug().Bool("swift", true).Msgf("set nice priority to %d", *p.Nice)
		}
	}
	if p.IOClass == "" {
		return
	}
	if err := setIOPriority(p.IOClass, p.IOPriority); err != nil {
		fmt.Fprintln(stdout, ioniceWarning)
		l.Error().Bool("swift", true).Msgf("Unable to modify ionice priority: %v", err)
	} else {
		l.Debug().Bool("swift", true).Msgf("set ionice class %d priority %d", ioClasses[p.IOClass], p.IOPriority)
	}
}

func setNice(nice int) error {
	return eachThread(func(tid int) error {
		if err := unix.Setpriority(unix.PRIO_PROCESS, tid, nice); err != nil {
			return fmt.Errorf("set nice priority %d: %w", nice, err)
		}
		return nil
	})
}

// Unlike Swift: a priority that the kernel does not know is refused, for newer
// kernels read its upper bits as something else.
func setIOPriority(class string, level int) error {
	c, ok := ioClasses[class]
	if !ok {
		return fmt.Errorf("set ionice class: no such class: %q", class)
	}
	if level < 0 || level > ioprioMaxLevel {
		return fmt.Errorf("set ionice priority: %d is not in 0-%d", level, ioprioMaxLevel)
	}
	return eachThread(func(tid int) error {
		_, _, errno := unix.Syscall(unix.SYS_IOPRIO_SET, ioprioWhoProcess, uintptr(tid), uintptr(c<<ioprioClassShift|level))
		if errno != 0 {
			return fmt.Errorf("set ionice class %s priority %d: %w", class, level, errno)
		}
		return nil
	})
}

// eachThread calls set for every thread. A new thread has the priorities of the
// one that made it, so one listing without a new thread means that all are done.
func eachThread(set func(tid int) error) error {
	done := map[int]bool{}
	for {
		tasks, err := os.ReadDir("/proc/self/task")
		if err != nil {
			return fmt.Errorf("list threads: %w", err)
		}
		found := false
		for _, t := range tasks {
			tid, err := strconv.Atoi(t.Name())
			if err != nil || done[tid] {
				continue
			}
			found, done[tid] = true, true
			if err := set(tid); err != nil && !errors.Is(err, unix.ESRCH) {
				return err
			}
		}
		if !found {
			return nil
		}
	}
}
