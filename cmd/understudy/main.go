// Understudy replicates the objects of an OpenStack Swift storage node. This
// command looks at it and at its configuration.
package main

import (
	"fmt"
	"os"

	"understudy/internal/process"
)

func main() {
	process.SmallRegistry()
	err := run(os.Args[1:], os.Stdout, os.Stderr)
	if err != nil && err.Error() != "" {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(exitCode(err))
}
