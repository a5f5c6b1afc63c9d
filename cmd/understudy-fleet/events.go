package main

import (
	"fmt"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"understudy/internal/observe/text"
	"understudy/messages/controlpb"
)

func newEvents(conf *string) *cobra.Command {
	return &cobra.Command{
		Use:   "events [NODE...]",
		Short: "Show what happens on all nodes, until Ctrl-C",
		Long: `Show what happens on all nodes, or on those that are named, until Ctrl-C: crashes and
births of actors, disks that change their state, commands of operators. A node that
does not answer says nothing, and is heard once it is back.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, client, err := open(*conf)
			if err != nil {
				return err
			}
			defer client.Close()
			names := args
			if len(names) == 0 {
				names = c.Names()
			}
			for _, name := range names {
				if c.Nodes[name] == "" {
					return usageError{fmt.Errorf("the fleet has no node %q", name)}
				}
			}
			var mu sync.Mutex
			var all sync.WaitGroup
			refused := make([]error, len(names))
			for i, name := range names {
				all.Go(func() {
					refused[i] = client.Events(cmd.Context(), c.Nodes[name], func(e *controlpb.Event) {
						mu.Lock()
						defer mu.Unlock()
						if e.GetMissed() > 0 {
							fmt.Fprintf(cmd.OutOrStdout(), "%s: %d events came too fast to be told\n", name, e.GetMissed())
						}
						fmt.Fprintf(cmd.OutOrStdout(), "%s  %s  %s  %s  %s\n",
							e.GetAt().AsTime().Format(time.RFC3339), name, text.Clean(e.GetKind()), text.Clean(e.GetSubject()), text.Clean(e.GetWhy()))
					})
				})
			}
			all.Wait()
			for _, err := range refused {
				if cmd.Context().Err() == nil && err != nil {
					return err
				}
			}
			return nil
		},
	}
}
