package main

import (
	"context"
	"errors"
	"io"

	"github.com/spf13/cobra"

	"understudy/bootstrap"
	"understudy/internal/fleet"
)

// Exit codes, those of understudy.
const (
	exitOK       = 0
	exitFailed   = 1 // it did not work
	exitUsage    = 2 // the command line makes no sense
	exitDegraded = 3 // of status: some node needs somebody
	exitFailing  = 4 // of status: some node is failing or does not answer
)

type usageError struct{ error }

// verdict ends a command that worked, with what it has found.
type verdict int

func (verdict) Error() string { return "" }

func exitCode(err error) int {
	var usage usageError
	var found verdict
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &usage):
		return exitUsage
	case errors.As(err, &found):
		return int(found)
	}
	return exitFailed
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	started := false
	root := newRoot()
	root.PersistentPreRun = func(*cobra.Command, []string) { started = true }
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err != nil && !started {
		return usageError{err}
	}
	return err
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "understudy-fleet",
		Short: "Look at and steer many nodes",
		Long: `Look at and steer many nodes. Each runs "understudy-fleet agent" beside its
replicator; who may talk to it is said by certificates. "understudy fleet" is the
same command.

Exit codes: 0 fine, 1 it did not work, 2 bad command line; of status: 3 a node is
degraded, 4 a node is failing or does not answer.`,
		Version: bootstrap.Version(),
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },

		SilenceErrors: true,
		SilenceUsage:  true,
	}
	conf := root.PersistentFlags().String("fleet", fleet.DefaultConf, "description of the fleet, `FILE`")
	root.AddCommand(newAgent(conf), newStatus(conf), newPause(conf), newResume(conf), newEvents(conf))
	return root
}
