// Command bench measures our replicator: against Swift's, on the same tree with the
// same peers, the two programs in turn; and against itself, as the work grows or a
// disk hangs. Ratios are medians of neighbouring runs: the machine may be busy, but it
// is equally busy for both.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"understudy/internal/cluster"
)

type options struct {
	runs   int
	only   string
	base   string
	out    string
	smoke  bool
	full   bool
	render bool
}

func main() {
	var o options
	flag.IntVar(&o.runs, "runs", 7, "runs of each program; long benchmarks take fewer")
	flag.StringVar(&o.only, "only", "", "run only the benchmarks of these names, with commas between them")
	flag.StringVar(&o.base, "base", "/dev/shm", "where the trees are built; a tmpfs takes the disk out")
	flag.StringVar(&o.out, "out", "", "put the results into this page, beside those of other benchmarks that are there")
	flag.BoolVar(&o.smoke, "smoke", false, "tiny trees, one run: only that it works and both end alike")
	flag.BoolVar(&o.full, "full", false, "also B9-1M, a million partitions: some 4 GB of memory for the tree")
	flag.BoolVar(&o.render, "render", false, "measure nothing, write the page of -out again from its results")
	flag.Parse()
	if o.smoke {
		o.runs = 1
	}
	if o.smoke && o.out != "" || o.render && o.out == "" {
		fmt.Fprintln(os.Stderr, "bench: -render needs -out, and what -smoke measures belongs on no page")
		os.Exit(2)
	}
	if err := alone(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	if err := run(o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// alone gives this program a mount namespace of its own, by starting it again there:
// what it mounts is gone when it ends, however it ends, and nobody else holds on to it.
func alone() error {
	const mark = "UNDERSTUDY_BENCH_ALONE"
	if os.Getenv(mark) != "" {
		return nil
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	unshare, err := exec.LookPath("unshare")
	if err != nil {
		return err
	}
	argv := append([]string{unshare, "-m", "--propagation", "private", self}, os.Args[1:]...)
	return syscall.Exec(unshare, argv, append(os.Environ(), mark+"=1"))
}

func run(o options) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	p, err := loadPage(o.out)
	if err != nil {
		return err
	}
	if !o.render {
		if err := measure(ctx, o, p); err != nil {
			return err
		}
	}
	if o.out != "" {
		return p.save(o.out)
	}
	var text strings.Builder
	p.write(&text)
	fmt.Print(text.String())
	return nil
}

// measure runs the benchmarks that are asked for. The results of each are on disk
// before the next begins.
func measure(ctx context.Context, o options, p *page) error {
	todo, err := chosen(o)
	if err != nil {
		return err
	}
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
	for _, b := range todo {
		say("%s: begins", b.name)
		stamp := stampOf(o, b.name)
		e, err := b.measure(ctx, o, ours)
		if err != nil {
			return fmt.Errorf("%s: %w", b.name, err)
		}
		e.Name, e.stamp = b.name, stamp
		if o.smoke {
			e.Goals = nil // the goals are for the whole trees
		}
		p.put(e)
		if o.out == "" {
			continue
		}
		if err := p.save(o.out); err != nil {
			return err
		}
	}
	return nil
}

// work is one benchmark.
type work struct {
	name    string
	measure func(context.Context, options, cluster.Program) (entry, error)
}

// million is the name of the one that runs only when it is asked for.
const million = "B9-1M"

// works are all benchmarks, in the order of the page.
func works(o options) []work {
	var all []work
	for _, b := range benchmarks(o.smoke) {
		all = append(all, work{b.name, b.entry})
	}
	for _, b := range pushes(o.smoke) {
		all = append(all, work{b.name, b.entry})
	}
	return append(all,
		work{"B8", measureMemory},
		work{"B9", measureGrowth},
		work{million, measureMillion},
		work{"B9-100", measureWide},
		work{"B10", measureHang},
		work{"B10-Swift", measureStockHang},
		work{"B10-workers", measureWorkersHang},
		work{"B11", measureFirst},
	)
}

func chosen(o options) ([]work, error) {
	all := works(o)
	if o.only == "" {
		return slices.DeleteFunc(all, func(w work) bool { return w.name == million && !o.full }), nil
	}
	var some []work
	for name := range strings.SplitSeq(o.only, ",") {
		i := slices.IndexFunc(all, func(w work) bool { return w.name == name })
		if i < 0 {
			return nil, fmt.Errorf("there is no benchmark %q", name)
		}
		some = append(some, all[i])
	}
	return some, nil
}

func say(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }
