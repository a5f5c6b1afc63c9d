// Command bench measures our replicator against Swift's: the same tree, the same
// stock peers, the two programs in turn. Every figure is the median of the ratios of
// neighbouring runs; the machine may be busy, but it is equally busy for both.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"understudy/test/interop/cluster"
)

type options struct {
	runs  int
	only  string
	base  string
	out   string
	smoke bool
}

func main() {
	var o options
	flag.IntVar(&o.runs, "runs", 7, "runs of each program")
	flag.StringVar(&o.only, "only", "", "run only the benchmark of this name (B1, B3, B4, B6, B7)")
	flag.StringVar(&o.base, "base", "/dev/shm", "where the trees are built; a tmpfs takes the disk out")
	flag.StringVar(&o.out, "out", "", "also write the report to this file")
	flag.BoolVar(&o.smoke, "smoke", false, "tiny trees, one run: only that it works and both end alike")
	flag.Parse()
	if o.smoke {
		o.runs = 1
	}
	if err := run(o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(o options) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	bin, err := os.MkdirTemp("", "understudy-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(bin)
	if err := os.Chmod(bin, 0o755); err != nil {
		return err
	}
	ours, err := cluster.Ours(ctx, bin, false)
	if err != nil {
		return err
	}
	r := report{started: time.Now(), options: o, machine: thisMachine()}
	for _, b := range benchmarks(o.smoke) {
		if o.only != "" && o.only != b.name {
			continue
		}
		result, err := b.measure(ctx, o, ours)
		if err != nil {
			return fmt.Errorf("%s: %w", b.name, err)
		}
		r.results = append(r.results, result)
	}
	for _, b := range pushes(o.smoke) {
		if o.only != "" && o.only != b.name {
			continue
		}
		result, err := b.measure(ctx, o, ours)
		if err != nil {
			return fmt.Errorf("%s: %w", b.name, err)
		}
		r.pushes = append(r.pushes, result)
	}
	var text strings.Builder
	r.write(&text)
	fmt.Print(text.String())
	if o.out == "" {
		return nil
	}
	if err := os.WriteFile(o.out, []byte(text.String()), 0o644); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}
