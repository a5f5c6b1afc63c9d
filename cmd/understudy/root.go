package main

import (
	"io"

	"github.com/spf13/cobra"
)

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
		Use:   "understudy",
		Short: "A replication engine for OpenStack Swift",
		Long: "Understudy replicates the objects of an OpenStack Swift storage node.\n\n" +
			"Exit codes: 0 fine, 1 it did not work, 2 bad command line; of status: 3 degraded, 4 failing.",
		Args:          cobra.NoArgs,
		RunE:          help,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.AddCommand(newVersion(), newConfig(), newDemo(), newServe(), newBench(), newLab())
	root.AddCommand(newStatus(), newTree(), newEvents(), newPass(), newPause(), newResume(), newLimit(), newProfile(), newFront(), newRetry(), newFleet())
	root.AddCommand(newExplain(), newInspect(), newDryRun(), newCompletion(), newMan())
	completions(root)
	return root
}

// help is what a command does that only has subcommands. It lets cobra refuse
// arguments, which it does not for a command that does nothing.
func help(cmd *cobra.Command, _ []string) error { return cmd.Help() }
