package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"

	"understudy/internal/lab"
	"understudy/internal/lab/stage"
	"understudy/internal/scenario"
)

func newLab() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "lab",
		Short: "Break a small cluster on purpose and see whether anything is lost",
		Long: `Run experiments on a small cluster: scenarios.

A scenario is a text file that tells what the cluster is, what lies on its disks,
what goes wrong, what is done, and what must hold in the end. Many come with the
program. docs/experiments.md is the reference of their language.
Exit codes: 0 fine, 1 it did not work, 2 bad command line.`,
		RunE: help,
	}
	cmd.AddCommand(newLabRun(), newLabList(), newLabShow(), newLabNode())
	return cmd
}

// newLabNode is what "lab run --processes" starts for each node.
func newLabNode() *cobra.Command {
	return &cobra.Command{
		Use:    "node DIR NAME",
		Short:  "Be one node of a scenario",
		Long:   "Be one node of a scenario. It is started by \"lab run --processes\" and reads its orders from standard input.\nExit codes: 0 its orders ended, 1 it did not work, 2 bad command line.",
		Args:   cobra.ExactArgs(2),
		Hidden: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			node, err := lab.NewInside(args[0], args[1], cmd.OutOrStdout())
			if err != nil {
				return err
			}
			return node.Serve(cmd.Context(), cmd.InOrStdin())
		},
	}
}

func newLabList() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the scenarios of the library",
		Long:  "List the scenarios that come with the program: name and title.\nExit codes: 0 fine, 1 it did not work, 2 bad command line.",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			for _, s := range scenario.Library() {
				fmt.Fprintf(cmd.OutOrStdout(), "%-22s %s\n", s.Name, s.Title)
			}
			return nil
		},
	}
}

func newLabShow() *cobra.Command {
	return &cobra.Command{
		Use:   "show NAME",
		Short: "Print a scenario of the library",
		Long:  "Print the file of a scenario that comes with the program.\nExit codes: 0 fine, 1 it did not work, 2 there is no such scenario.",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := scenario.Text(args[0])
			if err != nil {
				return usageError{err}
			}
			_, err = io.WriteString(cmd.OutOrStdout(), text)
			return err
		},
		ValidArgsFunction: scenarioNames,
	}
}

func scenarioNames(*cobra.Command, []string, string) (names []string, _ cobra.ShellCompDirective) {
	for _, s := range scenario.Library() {
		names = append(names, s.Name+"\t"+s.Title)
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// labRun is one command "lab run".
type labRun struct {
	seed    uint64
	repeat  int
	shrink  bool
	json    bool
	keep    bool
	verbose bool
	apart   bool // each node is a process of its own, in a network of its own
	// loopback leaves the nodes' processes in the network of the host.
	loopback bool
	dir      string
}

func newLabRun() *cobra.Command {
	l := &labRun{}
	cmd := &cobra.Command{
		Use:   "run FILE|NAME",
		Short: "Run a scenario and judge what has become of the data",
		Long: `Run a scenario: build the cluster that it tells of in a temporary folder, inject its
faults, take its steps, and judge every disk by what was written.

All nodes run in this process, or, with --processes, each in one of its own, with real
files, sockets and, for rsync, processes. The time line and the verdict are printed. It
needs no root, and no Swift; only --processes puts each node into a network namespace,
which needs root (or "unshare --user --map-root-user") and the program ip, unless
--loopback is given.
Exit codes: 0 all that is expected holds, 1 it does not, 2 the scenario is bad, or there
can be no network namespaces here.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if l.repeat < 1 || l.shrink && l.json {
				return usageError{errors.New("--repeat is 1 or more; --shrink and --json exclude each other")}
			}
			s, err := scenarioOf(args[0])
			if err != nil {
				return usageError{err}
			}
			if l.loopback && !l.apart {
				return usageError{errors.New("--loopback goes with --processes")}
			}
			if stage.NeedsProcesses(s) && !l.apart {
				return usageError{fmt.Errorf("%s: its faults end processes: use --processes", s.Name)}
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
			defer stop()
			return l.run(ctx, cmd.OutOrStdout(), s)
		},
		ValidArgsFunction: func(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
			names, _ := scenarioNames(cmd, args, begun)
			return names, cobra.ShellCompDirectiveDefault
		},
	}
	cmd.Flags().Uint64Var(&l.seed, "seed", 1, "draws names, contents, places and chances; of the first run")
	cmd.Flags().IntVar(&l.repeat, "repeat", 1, "run it so often, each time with the next seed")
	cmd.Flags().BoolVar(&l.shrink, "shrink", false, "make a scenario that fails smaller while it fails, and print it")
	cmd.Flags().BoolVar(&l.json, "json", false, "print the results as JSON, one line a run")
	cmd.Flags().BoolVar(&l.keep, "keep", false, "keep the folders of runs that did not hold")
	cmd.Flags().BoolVarP(&l.verbose, "verbose", "v", false, "print the time line of each of several runs")
	cmd.Flags().BoolVar(&l.apart, "processes", false, "make each node a process in a network of its own, that can be killed, stopped and cut off")
	cmd.Flags().BoolVar(&l.loopback, "loopback", false, "with --processes: leave the nodes in the network of this machine, which needs no root")
	cmd.Flags().StringVar(&l.dir, "dir", "", "make the folders in `DIR` (default $TMPDIR or /tmp)")
	return cmd
}

// scenarioOf reads a file, or takes a scenario of the library.
func scenarioOf(arg string) (*scenario.Scenario, error) {
	text, err := os.ReadFile(arg)
	if errors.Is(err, os.ErrNotExist) && filepath.Base(arg) == arg && filepath.Ext(arg) == "" {
		return scenario.Named(arg)
	}
	if err != nil {
		return nil, fmt.Errorf("read scenario: %w", err)
	}
	s, err := scenario.Parse(string(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", arg, err)
	}
	s.Name = arg
	return s, nil
}

// run runs the scenario as often as it is asked for. The error says that some run did not
// hold, or could not be.
func (l *labRun) run(ctx context.Context, out io.Writer, s *scenario.Scenario) error {
	p := &labPrinter{out: out, json: l.json, short: l.repeat > 1 && !l.verbose}
	p.head(s)
	failed := 0
	for i := range l.repeat {
		r, err := l.once(ctx, s, l.seed+uint64(i), p)
		if err != nil {
			return err
		}
		if r.Held() {
			continue
		}
		failed++
		if l.shrink {
			if err := l.smaller(ctx, s, r, p); err != nil {
				return err
			}
			break
		}
	}
	if l.repeat > 1 {
		p.sum(l.repeat, failed)
	}
	if failed > 0 {
		return broken{}
	}
	return nil
}

// broken ends a command whose scenario did not hold. It has no words: they are printed.
type broken struct{}

func (broken) Error() string { return "" }
