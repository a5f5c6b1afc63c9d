package fault

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// errnos are the names of the error numbers.
var errnos = func() map[string]unix.Errno {
	m := map[string]unix.Errno{}
	for e := unix.Errno(1); e < 134; e++ {
		if name := unix.ErrnoName(e); name != "" {
			m[name] = e
		}
	}
	return m
}()

func (a Arg) check(value string) error {
	number := func(least, most int64, what string) error {
		if n, err := strconv.ParseInt(value, 10, 64); err != nil || n < least || n > most {
			return fmt.Errorf("%s %q is no %s", a.Name, value, what)
		}
		return nil
	}
	switch a.Kind {
	case KindErrno:
		if _, ok := errnos[value]; !ok {
			return fmt.Errorf("%q is no name of an error number like EIO", value)
		}
	case KindDuration:
		_, err := span(a.Name, value)
		return err
	case KindShift:
		if d, err := time.ParseDuration(value); err != nil || d == 0 || d.Abs() > longest {
			return fmt.Errorf("%s %q is no duration like -192h", a.Name, value)
		}
	case KindCount:
		return number(0, 1<<40, "whole number up to 2^40")
	case KindRate:
		return number(1, 1<<40, "whole number from 1 to 2^40")
	case KindStatus:
		return number(100, 599, "HTTP status")
	case KindExit:
		return number(0, 255, "exit code from 0 to 255")
	case KindWord:
		if !slices.Contains(a.Choice, value) {
			return fmt.Errorf("%s %q is none of %s", a.Name, value, strings.Join(a.Choice, " "))
		}
	}
	return nil
}

// Word is the i-th argument without a name, "" when there is none.
func (a Action) Word(i int) string {
	if i >= len(a.Arg) || strings.Contains(a.Arg[i], "=") {
		return ""
	}
	return a.Arg[i]
}

// Named is the argument of this name, "" when there is none.
func (a Action) Named(name string) string {
	for _, arg := range a.Arg {
		if key, value, ok := strings.Cut(arg, "="); ok && key == name {
			return value
		}
	}
	return ""
}

// Errno is the first argument as an error number; EIO when it is none.
func (a Action) Errno() unix.Errno {
	if e, ok := errnos[a.Word(0)]; ok {
		return e
	}
	return unix.EIO
}

// Duration is the first argument as a duration.
func (a Action) Duration() time.Duration {
	d, _ := time.ParseDuration(a.Word(0)) // Parse has seen it
	return d
}

// Int is the first argument as a number.
func (a Action) Int() int64 { return integer(a.Word(0), 0) }

// NamedInt is a named argument as a number, or what is there without it.
func (a Action) NamedInt(name string, without int64) int64 { return integer(a.Named(name), without) }

func integer(s string, without int64) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return without
	}
	return n
}

// Done tells whether an action of a process waits until the call is done.
func (a Action) Done() bool { return slices.Contains(a.Arg, "done") }
