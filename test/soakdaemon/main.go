// Command soakdaemon lets our daemon live on four nodes for half an hour while disks
// and peers fall ill and operators do what they do: freeze, kill, unmount, fill,
// restart, reload, change rings. Clients write all the while. In the end everything is
// well again, and must settle: nothing lost, nothing brought back, all copies alike,
// all disks in service, and the one daemon that was never restarted no larger than it
// was. It needs root, Swift's packages, rsync and xfsprogs. UNDERSTUDY_BIN names
// another program to put to the test.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"syscall"

	"understudy/test/faults/sick"
)

// options are the command line.
type options struct {
	minutes float64
	seed    uint64
	dir     string
	keep    bool
	race    bool
	seeds   int
	apart   bool
	destroy bool
	stock   bool
}

func main() {
	var o options
	flag.Float64Var(&o.minutes, "minutes", 30, "how long the troubles last")
	flag.Uint64Var(&o.seed, "seed", 0, "what all choices follow from; 0 draws one")
	flag.StringVar(&o.dir, "dir", os.TempDir(), "folder for the run, on a file system with user xattrs")
	flag.BoolVar(&o.keep, "keep", false, "keep the cluster's folder even if all was well")
	flag.BoolVar(&o.race, "race", false, "build our replicator with the race detector")
	flag.IntVar(&o.seeds, "seeds", 1, "how many runs, each with the next seed")
	flag.BoolVar(&o.apart, "apart", false, "in a network of its own, in which nodes are cut off, too")
	flag.BoolVar(&o.destroy, "destroy", false, "disks of the first nodes are destroyed, too; what counts as written is then on another node's")
	flag.BoolVar(&o.stock, "stock", false, "Swift's own replicator is at work on the last node, until the end of the troubles")
	flag.Parse()
	// Inside the mount namespace this program runs once more, with these arguments.
	inside := sick.Main
	if o.apart {
		inside = sick.MainApart
	}
	os.Exit(inside(&o, "/usr/bin/swift-object-server", "/usr/bin/python3", "/usr/bin/rsync", "unshare", "sync"))
}

// Run implements sick.Tests. The exit status is 0 if all was well, 1 if not, and 2 if
// the soak itself came to nothing.
func (o *options) Run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ok, err := o.all(ctx)
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, "soakdaemon:", err)
		return 2
	case !ok:
		return 1
	}
	return 0
}

// all goes through the seeds. One that is not well does not end it.
func (o *options) all(ctx context.Context) (ok bool, err error) {
	if flag.NArg() > 0 || o.minutes <= 0 || o.seeds < 1 {
		return false, errors.New("usage: soakdaemon [flags]; -minutes and -seeds are more than 0")
	}
	if o.seed == 0 {
		o.seed = rand.Uint64N(1 << 32)
	}
	ok = true
	for range o.seeds {
		well, err := o.run(ctx)
		if err != nil {
			return false, fmt.Errorf("seed %d: %w", o.seed, err)
		}
		ok = ok && well
		o.seed++
	}
	return ok, nil
}

func (o *options) run(ctx context.Context) (ok bool, err error) {
	s, err := newSoak(ctx, *o)
	if err != nil {
		return false, err
	}
	defer func() {
		err = errors.Join(err, s.close(ok && err == nil && !o.keep))
	}()
	if err := s.live(ctx); err != nil {
		return false, err
	}
	if err := s.settle(ctx); err != nil {
		return false, err
	}
	return s.verdict(ctx)
}
