package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"understudy/internal/observe/status"
	"understudy/internal/observe/text"
)

func newEvents() *cobra.Command {
	var o *operated
	follow := false
	cmd := &cobra.Command{
		Use:   "events",
		Short: "Show what supervision has seen: crashes, births, troubles, commands",
		Long: `Show the last hundred events of the running engine, oldest first: actors that
crashed and were born again, messages that reached nobody, disks that changed
their state, commands of operators. With --follow, go on until Ctrl-C.

Exit codes: 0 shown, 1 the engine could not be asked, or has ended, 2 bad command
line.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			out := cmd.OutOrStdout()
			if !follow {
				r, err := o.report(cmd.Context())
				if err != nil {
					return err
				}
				_, err = io.WriteString(out, text.Events(r.Events, styleFor(out)))
				return err
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			err := o.followEvents(ctx, out)
			if ctx.Err() != nil {
				return nil
			}
			return err
		},
	}
	o = operate(cmd)
	cmd.Flags().BoolVar(&follow, "follow", false, "go on with those that come")
	return cmd
}

// followEvents prints events as they come.
func (o *operated) followEvents(ctx context.Context, out io.Writer) error {
	client, err := o.client()
	if err != nil {
		return err
	}
	var seen []status.Event
	return client.Events(ctx, time.Second, func(r *status.Report, err error) error {
		if err != nil {
			return err
		}
		_, err = io.WriteString(out, text.Events(text.NewEvents(seen, r.Events), styleFor(out)))
		seen = r.Events
		return err
	})
}
