package main

import (
	"errors"
	"io"

	"github.com/spf13/cobra"
)

// Exit codes, the same for every command.
const (
	exitOK     = 0
	exitFailed = 1 // it did not work
	exitUsage  = 2 // the command line makes no sense
)

// usageError is a command line that no command could run with.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func exitCode(err error) int {
	var usage usageError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &usage):
		return exitUsage
	default:
		return exitFailed
	}
}

// run runs one command line.
func run(args []string, stdout, stderr io.Writer) error {
	started := false
	root := newRoot()
	root.PersistentPreRun = func(*cobra.Command, []string) { started = true }
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.Execute()
	if err != nil && !started {
		return usageError{err} // cobra itself did not like it
	}
	return err
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:           "understudy",
		Short:         "A replication engine for OpenStack Swift",
		Long:          "Understudy replicates the objects of an OpenStack Swift storage node.\n\nExit codes: 0 fine, 1 it did not work, 2 bad command line.",
		Args:          cobra.NoArgs,
		RunE:          help,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.AddCommand(newVersion(), newConfig(), newDemo(), newServe(), newBench())
	return root
}

// help is what a command does that only has subcommands. It lets cobra refuse
// arguments, which it does not for a command that does nothing.
func help(cmd *cobra.Command, _ []string) error { return cmd.Help() }
