package main

import (
	"io"

	"github.com/spf13/cobra"

	"understudy/internal/observe/text"
)

func newTree() *cobra.Command {
	var o *operated
	cmd := &cobra.Command{
		Use:   "tree [DEVICE]",
		Short: "Show the engine's actors: disks, and their jobs in flight",
		Long: `Show the running engine as a tree: the supervisor, its devices, and under each the
jobs in flight with their phase and how long they are in it, their age, what they
have pushed, and the peer that they are about.

Exit codes: 0 shown, 1 the engine could not be asked, 2 bad command line.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := o.report(cmd.Context(), args...)
			if err != nil {
				return err
			}
			_, err = io.WriteString(cmd.OutOrStdout(), text.Tree(r, styleFor(cmd.OutOrStdout())))
			return err
		},
	}
	o = operate(cmd)
	return cmd
}
