package main

import (
	"github.com/spf13/cobra"

	"understudy/internal/observe/status"
)

func newRetry() *cobra.Command {
	var o *operated
	cmd := &cobra.Command{
		Use:   "retry [DEVICE]",
		Short: "Try failed partitions again now",
		Long: `Let the partitions whose job failed in the running or the last pass go next: those
of one disk, or of all. A disk that rests begins its pass with them.

Exit codes: 0 done, 1 it could not be, 2 bad command line.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.do(cmd, status.Retry{Device: oneDevice(args)})
		},
	}
	o = operate(cmd)
	return cmd
}
