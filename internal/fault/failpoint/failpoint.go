// Package failpoint ends the process at a point that a fault plan names: a disk
// operation that is about to be done, or is done.
package failpoint

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"understudy/internal/fault"
)

// Reach asks the injector about a point (Place Process) and dies as it says. What is
// returned is called when the operation is done; it may die then.
func Reach(i *fault.Injector, e *fault.Event) (done func()) {
	h, ok := i.At(e)
	switch {
	case !ok:
		return nothing
	case h.Done():
		where := e.Op + " of " + e.Path
		return func() { die(h, where) }
	}
	die(h, e.Op+" of "+e.Path)
	return nothing
}

func nothing() {}

func die(h fault.Hit, where string) {
	switch h.Verb {
	case "exit":
		os.Exit(int(h.Int()))
	case "panic":
		panic(fmt.Sprintf("fault plan: panic at %s", where))
	default:
		_ = unix.Kill(os.Getpid(), unix.SIGKILL)
		select {} // the signal is on its way; nothing more is done here
	}
}
