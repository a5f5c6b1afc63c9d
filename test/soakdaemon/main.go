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
}

func main() {
	var o options
	flag.Float64Var(&o.minutes, "minutes", 30, "how long the troubles last")
	flag.Uint64Var(&o.seed, "seed", 0, "what all choices follow from; 0 draws one")
	flag.StringVar(&o.dir, "dir", os.TempDir(), "folder for the run, on a file system with user xattrs")
	flag.BoolVar(&o.keep, "keep", false, "keep the cluster's folder even if all was well")
	flag.BoolVar(&o.race, "race", false, "build our replicator with the race detector")
	flag.Parse()
	// Inside the mount namespace this program runs once more, with these arguments.
	os.Exit(sick.Main(&o, "/usr/bin/swift-object-server", "/usr/bin/python3", "/usr/bin/rsync", "unshare", "sync"))
}

// Run implements sick.Tests. The exit status is 0 if all was well, 1 if not, and 2 if
// the soak itself came to nothing.
func (o *options) Run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ok, err := o.run(ctx)
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, "soakdaemon:", err)
		return 2
	case !ok:
		return 1
	}
	return 0
}

func (o *options) run(ctx context.Context) (ok bool, err error) {
	if flag.NArg() > 0 || o.minutes <= 0 {
		return false, errors.New("usage: soakdaemon [flags]; -minutes is more than 0")
	}
	if o.seed == 0 {
		o.seed = rand.Uint64N(1 << 32)
	}
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
