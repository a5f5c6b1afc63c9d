// Swift-object-replicator is a drop-in for the program of that name in OpenStack
// Swift: the same arguments, configuration, log lines, recon file and exit status.
package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"

	"understudy/internal/process"
)

// The main goroutine stays on the main thread and only waits for signals: were
// that thread stuck in a call on a dead disk, no signal would ever be seen.
func init() { runtime.LockOSThread() }

func main() {
	process.SmallRegistry()
	args, err := ParseArgs(os.Args)
	if err == nil {
		err = run(args)
	}
	var stop *Stop
	switch {
	case errors.As(err, &stop):
		fmt.Fprint(os.Stdout, stop.Stdout)
		fmt.Fprint(os.Stderr, stop.Stderr)
		os.Exit(stop.Status)
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
