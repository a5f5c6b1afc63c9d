package main

import (
	"github.com/spf13/cobra"

	"understudy/internal/observe/status"
)

func newResume() *cobra.Command {
	var o *operated
	cmd := &cobra.Command{
		Use:   "resume node | device NAME | policy POLICY | peer ADDRESS",
		Short: "End a pause",
		Long: `End what "understudy pause" has begun with the same words.

Exit codes: 0 done, 1 it could not be, 2 bad command line.`,
		Args: scopeArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			scope, name := scopeOf(args)
			return o.do(cmd, status.ResumeCommand{Scope: scope, Name: name})
		},
	}
	o = operate(cmd)
	return cmd
}
