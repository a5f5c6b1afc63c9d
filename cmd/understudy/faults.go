package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"understudy/internal/fault"
	"understudy/internal/observe/status"
	"understudy/internal/observe/text"
)

func newFaults() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "faults",
		Short: "Make things go wrong on purpose in a running engine",
		Long: `Put a fault plan in force in a running engine whose configuration says
faults_allowed = yes, look at what it has done, and end it. A plan ends by itself.
Not for a node with data that matters.`,
		Args: cobra.NoArgs,
		RunE: help,
	}
	cmd.AddCommand(newFaultsApply(), newFaultsShow(), newFaultsClear())
	return cmd
}

func newFaultsApply() *cobra.Command {
	var o *operated
	var length span
	cmd := &cobra.Command{
		Use:   "apply FILE",
		Short: "Put the fault plan of a file in force",
		Long: `Put the fault plan of FILE (- is standard input) in force, in place of the one
before, for ten minutes or as --for says, a day at most.

Exit codes: 0 done, 1 the engine refuses it or the plan makes no sense, 2 bad command line.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			plan, err := readPlan(cmd.InOrStdin(), args[0])
			if err != nil {
				return err
			}
			return o.do(cmd, status.ApplyFaults{Plan: plan, For: time.Duration(length)})
		},
	}
	o = operate(cmd)
	cmd.Flags().Var(&length, "for", "end it after this `TIME`, as 90s, 30m, 12h or 1d (default 10m)")
	return cmd
}

// readPlan reads a plan and checks it, so that its errors name its file.
func readPlan(stdin io.Reader, path string) (string, error) {
	in := stdin
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return "", fmt.Errorf("read fault plan: %w", err)
		}
		defer f.Close()
		in = f
	}
	data, err := io.ReadAll(io.LimitReader(in, fault.MaxText+1))
	if err != nil {
		return "", fmt.Errorf("read fault plan: %w", err)
	}
	plan, err := fault.Parse(string(data))
	if err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	return plan.String(), nil // without comments
}

func newFaultsShow() *cobra.Command {
	var o *operated
	cmd := &cobra.Command{
		Use:   "show",
		Short: "Show the fault plan in force and what has happened by it",
		Long: `Show the fault plan in force, how often each of its faults was in question, and how
often it happened.

Exit codes: 0 shown, also when there is none, 1 the engine cannot be asked, 2 bad command line.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := o.client()
			if err != nil {
				return err
			}
			r, err := c.Report(cmd.Context())
			if err != nil {
				return err
			}
			_, err = io.WriteString(cmd.OutOrStdout(), text.Faults(r, text.Style{}))
			return err
		},
	}
	o = operate(cmd)
	return cmd
}

func newFaultsClear() *cobra.Command {
	var o *operated
	cmd := &cobra.Command{
		Use:   "clear",
		Short: "End the fault plan in force",
		Long: `End the fault plan in force: what hangs by it goes on.

Exit codes: 0 done, 1 there is none, or the engine cannot be asked, 2 bad command line.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.do(cmd, status.ClearFaults{}) },
	}
	o = operate(cmd)
	return cmd
}
