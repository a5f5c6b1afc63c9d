// Understudy replicates the objects of an OpenStack Swift storage node. This
// command looks at it and at its configuration.
package main

import (
	"fmt"
	"os"
	"runtime"

	"understudy/internal/process"
)

// The main goroutine stays on the main thread: while "serve" runs it only waits for
// signals, which nobody would see were that thread stuck on a dead disk.
func init() { runtime.LockOSThread() }

func main() {
	process.SmallRegistry()
	err := run(os.Args[1:], os.Stdout, os.Stderr)
	if err != nil && err.Error() != "" {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(exitCode(err))
}
