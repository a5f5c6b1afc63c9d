package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"understudy/config"
)

func newConfigCheck() *cobra.Command {
	var o config.Options
	cmd := &cobra.Command{
		Use:   "check CONF",
		Short: "Check object-server.conf and swift.conf",
		Long: `Check object-server.conf, or a folder of .conf files, and swift.conf.

Options that nobody reads and warnings are listed, but are no error.
Exit codes: 0 the program would start, 1 it would not, 2 bad command line.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return checkConfig(cmd.OutOrStdout(), config.Inspect(args[0], o))
		},
	}
	configFlags(cmd, &o)
	return cmd
}

func checkConfig(w io.Writer, r *config.Report) error {
	for _, u := range r.Unknown {
		fmt.Fprintln(w, u)
	}
	for _, warning := range r.Config.Warnings {
		fmt.Fprintln(w, "warning:", warning)
	}
	if len(r.Problems) > 0 {
		return r.Problems
	}
	c := r.Config
	set := 0
	for _, v := range c.Values() {
		if v.Origin.File != "" {
			set++
		}
	}
	replicated, _ := c.Swift.Policies.Replicated()
	if c.Section == config.ServerSection {
		_, err := fmt.Fprintf(w, "%s: ok: %d options set, listening on %s port %d, %d of %d policies served\n",
			c.Path, set, c.BindIP, c.BindPort, len(replicated), c.Swift.Policies.Len())
		return err
	}
	_, err := fmt.Fprintf(w, "%s: ok: %d options set, %d jobs at a time, %d of %d policies replicated\n",
		c.Path, set, c.JobSlots(), len(replicated), c.Swift.Policies.Len())
	return err
}
