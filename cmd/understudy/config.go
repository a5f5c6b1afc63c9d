package main

import (
	"strconv"

	"github.com/spf13/cobra"

	"understudy/config"
)

func newConfig() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Look at a node's configuration",
		Args:  cobra.NoArgs,
		RunE:  help,
	}
	cmd.AddCommand(newConfigCheck(), newConfigShow(), newConfigReference())
	return cmd
}

// configFlags are the flags of every command that reads a configuration.
func configFlags(cmd *cobra.Command, o *config.Options) {
	cmd.Flags().StringVar(&o.SwiftConf, "swift-conf", config.DefaultSwiftConf, "path of swift.conf")
	cmd.Flags().BoolFunc("server", "what \"understudy serve\" reads, not the replicator", func(text string) error {
		on, err := strconv.ParseBool(text)
		if on {
			o.Section = config.ServerSection
		}
		return err
	})
}
