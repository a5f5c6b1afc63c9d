package main

import (
	"github.com/spf13/cobra"

	"understudy/internal/observe/status"
)

func newPass() *cobra.Command {
	var o *operated
	cmd := &cobra.Command{
		Use:   "pass [DEVICE]",
		Short: "Begin a pass now",
		Long: `Have disks that rest begin a pass now, and those out of service be probed now:
one, or all. A pass that runs goes on as it is.

Exit codes: 0 done, 1 it could not be, 2 bad command line.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.do(cmd, status.RunPass{Device: oneDevice(args)})
		},
	}
	o = operate(cmd)
	return cmd
}
