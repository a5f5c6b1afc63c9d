// Command crashpoints ends our programs at points that are drawn from all that a run
// comes by: before or after an operation on the disk, by SIGKILL or by a panic, with or
// without a power cut of the disk. After each the node comes back, and all must be well
// after a few passes: nothing lost, nothing torn, hashes right, no lock held, by Swift's
// own reading. It needs root, Swift's packages, rsync, xfsprogs and FUSE.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"understudy/test/faults/sick"
)

// options are the command line.
type options struct {
	strikes int
	from    uint64
	dir     string
	bug     string
	aim     aim
}

func main() {
	var o options
	flag.IntVar(&o.strikes, "strikes", 100, "how many strikes")
	flag.Uint64Var(&o.from, "from", 1, "the seed of the first pair of nodes")
	flag.StringVar(&o.dir, "dir", os.TempDir(), "folder for the run, on a file system with user xattrs")
	flag.StringVar(&o.bug, "bug", os.Getenv("UNDERSTUDY_BUG"), "a bug of the zoo that the programs have")
	flag.StringVar(&o.aim.method, "method", "", "only this sync_method; else it follows from the seed")
	flag.BoolVar(&o.aim.cuts, "cuts", false, "only power cuts of the node that receives, while it does or right after it")
	flag.Parse()
	os.Exit(sick.Main(&o, needs...))
}

var needs = []string{"/usr/bin/python3", "/usr/bin/rsync", "/usr/bin/swift-object-server", "unshare"}

// Run implements sick.Tests.
func (o *options) Run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	dir, err := os.MkdirTemp(o.dir, "understudy-crash-")
	if err == nil {
		defer os.RemoveAll(dir)
		err = os.Chmod(dir, 0o755)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "crashpoints:", err)
		return 2
	}
	if err := os.Setenv("UNDERSTUDY_BUG", o.bug); err != nil {
		fmt.Fprintln(os.Stderr, "crashpoints:", err)
		return 2
	}
	p, err := build(ctx, dir, o.bug)
	if err != nil {
		fmt.Fprintln(os.Stderr, "crashpoints:", err)
		return 2
	}
	t, err := campaign(ctx, os.Stdout, dir, p, o.aim, o.from, o.strikes)
	fmt.Println(t.String())
	switch {
	case len(t.wrong) > 0:
		return 1
	case err != nil:
		fmt.Fprintln(os.Stderr, "crashpoints:", err)
		return 2
	}
	return 0
}
