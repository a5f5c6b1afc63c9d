package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"understudy/internal/observe/status"
)

func newFront() *cobra.Command {
	var o *operated
	device := ""
	cmd := &cobra.Command{
		Use:   "front POLICY PARTITION...",
		Short: "Let partitions go next",
		Long: `Let partitions go next on the disks that have them: in the running pass, or first
in the next one. POLICY is an index or a name; up to 1000 partitions.

Exit codes: 0 done, 1 it could not be, 2 bad command line.`,
		Args: cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			c := status.Front{Device: device}
			for _, text := range args[1:] {
				n, err := strconv.ParseUint(text, 10, 32)
				if err != nil {
					return usageError{fmt.Errorf("%q is not a partition: a number from 0 to %d", text, uint32(1<<32-1))}
				}
				c.Partitions = append(c.Partitions, uint32(n))
			}
			var err error
			if c.Policy, err = o.policy(cmd.Context(), args[0]); err != nil {
				return err
			}
			return o.do(cmd, c)
		},
	}
	o = operate(cmd)
	cmd.Flags().StringVar(&device, "device", "", "only on this `DEVICE`")
	return cmd
}

// policy is the index of a policy: a number, or a name that the engine knows.
func (o *operated) policy(ctx context.Context, text string) (int, error) {
	if n, err := strconv.ParseUint(text, 10, 31); err == nil {
		return int(n), nil
	}
	r, err := o.report(ctx)
	if err != nil {
		return 0, err
	}
	i := slices.IndexFunc(r.Policies, func(p status.Policy) bool { return p.Name == text })
	if i < 0 {
		return 0, fmt.Errorf("there is no policy %q", text)
	}
	return r.Policies[i].Index, nil
}
