package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"understudy/internal/fleet"
)

const patience = 10 * time.Second // of one question

func newPause(conf *string) *cobra.Command {
	r := &fleet.Rolling{Patience: patience, Look: 500 * time.Millisecond}
	var rolling bool
	cmd := &cobra.Command{
		Use:   "pause --rolling --for TIME [NODE...]",
		Short: "Pause one node after the other",
		Long: `Pause one node after the other: no new job begins; when the last one in flight has
ended, the node rests for the time of --for and goes on, and the next one follows.
Never are two nodes paused at once. A node that does not answer, does not become
quiet in time, or has been paused by somebody else is left as it was; then the exit
code is 1. Ctrl-C resumes the node in hand. Should this command be killed, the pause
ends by itself.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case !rolling:
				return usageError{errors.New("only --rolling is known: to pause one node, use understudy pause there")}
			case r.For <= 0:
				return usageError{errors.New("--for must be longer than nothing")}
			}
			c, client, err := open(*conf)
			if err != nil {
				return err
			}
			defer client.Close()
			if err := choose(r, c, args); err != nil {
				return err
			}
			r.Ask, r.Conf = client, c
			r.Tell = func(line string) { fmt.Fprintln(cmd.OutOrStdout(), line) }
			if err := r.Run(cmd.Context()); err != nil {
				if errors.Is(err, context.Canceled) {
					return errors.New("stopped; the node in hand goes on")
				}
				return errors.New("not all nodes")
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&rolling, "rolling", false, "one node at a time")
	cmd.Flags().DurationVar(&r.For, "for", 0, "how long a node stays paused once it is quiet")
	cmd.Flags().DurationVar(&r.Quiet, "quiet-within", 10*time.Minute, "how long a node may take to end its jobs")
	return cmd
}

// choose leaves the nodes that the command line names.
func choose(r *fleet.Rolling, c *fleet.Conf, names []string) error {
	for _, name := range names {
		if c.Nodes[name] == "" {
			return usageError{fmt.Errorf("the fleet has no node %q", name)}
		}
	}
	if len(names) > 0 {
		r.Names = func() []string { return names }
	}
	return nil
}

func newResume(conf *string) *cobra.Command {
	return &cobra.Command{
		Use:   "resume [NODE...]",
		Short: "Let nodes go on, all or those named",
		RunE: func(cmd *cobra.Command, args []string) error {
			c, client, err := open(*conf)
			if err != nil {
				return err
			}
			defer client.Close()
			if err := choose(&fleet.Rolling{}, c, args); err != nil {
				return err
			}
			if len(args) == 0 {
				args = c.Names()
			}
			failed := false
			for _, name := range args {
				if err := fleet.Resume(cmd.Context(), client, c.Nodes[name], patience); err != nil {
					failed = true
					fmt.Fprintf(cmd.OutOrStdout(), "%s: %v\n", name, err)
					continue
				}
				fmt.Fprintf(cmd.OutOrStdout(), "%s: goes on\n", name)
			}
			if failed {
				return errors.New("not all nodes")
			}
			return nil
		},
	}
}
