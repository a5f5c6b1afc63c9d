package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"understudy/internal/observe/control"
	"understudy/internal/observe/status"
)

func newProfile() *cobra.Command {
	var o *operated
	var length span
	persist := false
	names := strings.Join(control.Profiles, " | ")
	cmd := &cobra.Command{
		Use:   "profile " + names,
		Short: "Turn to a set of limits by its name",
		Long: `Turn to a set of limits: client-first leaves the disks to clients, balanced is the
configuration's, drain empties handoffs first and as fast as it can. drain lasts
an hour unless --for says otherwise, the others until they are changed.

Exit codes: 0 done, 1 it could not be, 2 bad command line.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 || !slices.Contains(control.Profiles, args[0]) {
				return fmt.Errorf("which profile? %s", names)
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.do(cmd, status.SetProfile{Profile: args[0], For: time.Duration(length), Persist: persist})
		},
	}
	o = operate(cmd)
	cmd.Flags().Var(&length, "for", "go back after this `TIME`, as 90s, 30m, 12h or 2d")
	cmd.Flags().BoolVar(&persist, "persist", false, "keep it over a restart")
	return cmd
}
