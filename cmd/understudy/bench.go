package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"understudy/internal/bench"
)

// benchmarks is one run of the benchmarks.
type benchmarks struct {
	bench.Options
	render bool
}

func newBench() *cobra.Command {
	b := &benchmarks{}
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure our replicator beside Swift's",
		Long: `Measure our replicator beside Swift's: both programs in turn, on the same tree,
with the same peers. Some benchmarks measure ours alone, as the work grows or a
disk hangs. With --out the results go into a page, and those of benchmarks that
are not measured now stay in it; without it they are printed.

It needs root and Swift's own object server and replicator (Debian's packages
swift-object, python3-swift and rsync), B12 also strace, --profile also perf.
Our replicator is the swift-object-replicator beside this program, or else it is
built from the module in the current folder.

Benchmarks: ` + strings.Join(bench.Names(), ", ") + `.
Exit codes: 0 measured, 1 something is missing or the programs did not end alike,
2 bad command line. A goal that is missed is no error.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := b.check(); err != nil {
				return usageError{err}
			}
			b.Progress = cmd.ErrOrStderr()
			return b.run(cmd.Context(), cmd.OutOrStdout())
		},
	}
	f := cmd.Flags()
	f.IntVar(&b.Runs, "runs", bench.DefaultRuns, "runs of each program; long benchmarks take fewer")
	f.StringSliceVar(&b.Only, "only", nil, "run only the benchmarks of these `NAMES`, with commas between them")
	f.StringVar(&b.Base, "base", bench.DefaultBase, "build the trees in `DIR`; a tmpfs takes the disk out")
	f.StringVar(&b.Out, "out", "", "put the results into this `PAGE`.md, with PAGE.json and plots beside it")
	f.StringVar(&b.Replicator, "replicator", "", "measure the replicator at `PATH` as ours")
	f.BoolVar(&b.Smoke, "smoke", false, "tiny trees, one run: only that it works and both end alike")
	f.BoolVar(&b.Full, "full", false, "also B9-1M, a million partitions: some 4 GB of memory for the tree")
	f.BoolVar(&b.Profile, "profile", false, "run ours once more under perf, for the benchmarks B1 to B7")
	f.BoolVar(&b.render, "render", false, "measure nothing, write the page of --out again from its results")
	return cmd
}

func (b *benchmarks) check() error {
	if b.render && b.Out == "" {
		return errors.New("--render needs --out")
	}
	return b.Check()
}

func (b *benchmarks) run(ctx context.Context, out io.Writer) error {
	if b.render {
		return bench.Render(b.Out)
	}
	if err := b.Missing(); err != nil {
		return err
	}
	if err := bench.Alone(); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := bench.Run(ctx, b.Options, out)
	if ctx.Err() != nil {
		return errors.New("interrupted")
	}
	return err
}
