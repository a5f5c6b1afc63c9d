package main

import (
	"io"

	"github.com/spf13/cobra"

	"understudy/internal/observe/status"
	"understudy/internal/observe/text"
)

func newLimit() *cobra.Command {
	var o *operated
	var c status.SetLimits
	var jobs, deviceJobs count
	var bytes, deviceBytes byteSize
	var hashes, tranquility amount
	cmd := &cobra.Command{
		Use:   "limit",
		Short: "Show limits, or change them",
		Long: `Change limits of the running engine, at once. Without a flag, show them, and what
the configuration says where that is something else. A limit of "none" is no
limit. Sizes are bytes a second: 10M and 10MiB are 10 x 1024 x 1024, 10MB is
10,000,000, as rsync has it.

Exit codes: 0 done or shown, 1 it could not be, 2 bad command line.`,
		Example: "  understudy limit --bytes 50M --jobs 4\n  understudy limit --reset",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c.Jobs, c.DeviceJobs, c.Bytes, c.DeviceBytes = jobs.n, deviceJobs.n, bytes.n, deviceBytes.n
			c.Hashes, c.Tranquility = hashes.n, tranquility.n
			if c != (status.SetLimits{}) {
				return o.do(cmd, c)
			}
			r, err := o.report(cmd.Context())
			if err != nil {
				return err
			}
			_, err = io.WriteString(cmd.OutOrStdout(), text.Limits(r, styleFor(cmd.OutOrStdout())))
			return err
		},
	}
	o = operate(cmd)
	jobs.least = 1
	f := cmd.Flags()
	f.Var(&jobs, "jobs", "jobs in flight in the node")
	f.Var(&deviceJobs, "device-jobs", "jobs in flight on one disk")
	f.Var(&bytes, "bytes", "bytes a second that the node pushes")
	f.Var(&deviceBytes, "device-bytes", "bytes a second pushed from one disk")
	f.Var(&hashes, "hashes", "suffixes a second that the node hashes")
	f.Var(&tranquility, "tranquility", "rest after each job, in durations of that job")
	f.BoolVar(&c.Reset, "reset", false, "go back to the configuration; other flags count after that")
	f.BoolVar(&c.Persist, "persist", false, "keep the limits over a restart")
	return cmd
}
