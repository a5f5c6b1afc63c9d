// Command soak lets replicators loose on random clusters, seed after seed: stock
// object servers and rsync daemons, trees in all states that a history of requests
// and accidents can leave them in, and a judge that knows from the history what
// must exist in the end. It needs root. UNDERSTUDY_BIN names another program to
// put to the test than ours.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"syscall"
	"time"

	"understudy/internal/cluster"
	"understudy/test/interop"
)

// options are the command line.
type options struct {
	seeds    int
	from     uint64
	method   string
	stock    bool
	parallel int
	template interop.Seed
	bed      interop.Bed
}

func main() {
	var o options
	flag.IntVar(&o.seeds, "seeds", 100, "how many seeds")
	flag.Uint64Var(&o.from, "from", 1, "the first seed")
	flag.StringVar(&o.method, "method", "both", "sync method: rsync, ssync or both")
	flag.BoolVar(&o.stock, "stock", false, "run Swift's replicator on a copy of each tree, and compare")
	flag.IntVar(&o.parallel, "parallel", runtime.NumCPU(), "seeds at the same time")
	flag.BoolVar(&o.template.Own, "own", false, "our own servers and engines in this process instead of Swift's servers; rsync only")
	flag.BoolVar(&o.template.Small, "small", false, "fewer nodes and objects")
	flag.BoolVar(&o.template.Torn, "torn", false, "with files that a power cut has emptied; only losses count")
	flag.BoolVar(&o.template.Kill, "kill", false, "kill -9 our replicators in the middle of passes")
	flag.BoolVar(&o.template.Restart, "restart", false, "restart the servers between rounds")
	flag.StringVar(&o.template.Servers, "servers", "", "object servers: ours, or mixed for ours on every other node; Swift's if empty")
	flag.StringVar(&o.bed.Base, "dir", "", "folder for the clusters, on a file system with user xattrs")
	flag.BoolVar(&o.bed.Keep, "keep", false, "keep the folders of seeds that fail")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	ok, err := o.run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(2)
	}
	if !ok {
		os.Exit(1)
	}
}

func (o *options) methods() ([]string, error) {
	switch o.method {
	case "both":
		return []string{"rsync", "ssync"}, nil
	case "rsync", "ssync":
		return []string{o.method}, nil
	}
	return nil, fmt.Errorf("-method is rsync, ssync or both, not %q", o.method)
}

// run runs all seeds. It tells whether all was well.
func (o *options) run(ctx context.Context) (ok bool, err error) {
	methods, err := o.methods()
	if err != nil {
		return false, err
	}
	if flag.NArg() > 0 || o.seeds < 1 || o.parallel < 1 {
		return false, errors.New("usage: soak [flags]; -seeds and -parallel are at least 1")
	}
	if !slices.Contains([]string{"", "ours", "mixed"}, o.template.Servers) {
		return false, fmt.Errorf("-servers is ours or mixed, not %q", o.template.Servers)
	}
	if o.template.Own && (o.method != "rsync" || o.stock || o.template.Kill || o.template.Restart) {
		return false, errors.New("-own takes -method rsync, and none of -stock, -kill and -restart")
	}
	ours, done, err := o.prepare(ctx)
	if err != nil {
		return false, err
	}
	defer done()
	begun := time.Now()
	t := o.all(ctx, methods, ours)
	t.print(time.Since(begun))
	return len(t.failed) == 0, ctx.Err()
}

// prepare builds our replicator and starts what starts Swift's programs.
func (o *options) prepare(ctx context.Context) (ours cluster.Program, done func(), err error) {
	ours = cluster.Program{Name: "ours"}
	if o.template.Own {
		return ours, func() {}, nil
	}
	bin, err := os.MkdirTemp("", "understudy-soak-")
	if err != nil {
		return ours, nil, err
	}
	if err = os.Chmod(bin, 0o755); err == nil {
		ours, err = cluster.Ours(ctx, bin, false)
	}
	if err == nil {
		o.bed.Server, err = cluster.OurServer(ctx, bin, false)
	}
	if err == nil {
		o.bed.Forker, err = cluster.StartForker()
	}
	if err != nil {
		return ours, nil, errors.Join(err, os.RemoveAll(bin))
	}
	return ours, func() {
		o.bed.Forker.Close()
		if err := os.RemoveAll(bin); err != nil {
			fmt.Fprintln(os.Stderr, "soak:", err)
		}
	}, nil
}
