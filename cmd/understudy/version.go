package main

import (
	"fmt"
	"runtime/debug"

	"github.com/spf13/cobra"
)

func newVersion() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			info, _ := debug.ReadBuildInfo()
			_, err := fmt.Fprintln(cmd.OutOrStdout(), version(info))
			return err
		},
	}
}

// version says what was built and with what. Nil is a build without information.
func version(info *debug.BuildInfo) string {
	if info == nil {
		return "understudy (unknown version)"
	}
	v := info.Main.Version // a tag, or made of the commit
	if v == "" {
		v = "(devel)"
	}
	return "understudy " + v + " " + info.GoVersion
}
