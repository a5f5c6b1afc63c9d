package main

import (
	"encoding/json"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"understudy/internal/observe/control"
	"understudy/internal/observe/status"
	"understudy/internal/observe/text"
)

// statusView is one way to show the status.
type statusView struct {
	*operated
	devices []string
	json    bool
	watch   bool
}

func newStatus() *cobra.Command {
	v := &statusView{}
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show how a node stands, and what to do",
		Long: `Show how the running engine of a node stands: the verdict and what to do first,
then its disks, then silent peers, policies that are left out, and settings that
are not the configuration's. With --device, all about that device.

Exit codes: 0 healthy or paused, 3 degraded (some disk or peer is out of
service), 4 failing (no disk is in service), 1 it could not be asked, 2 bad
command line. --watch ends with Ctrl-C and the last verdict.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if v.watch {
				ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
				defer stop()
				return v.follow(ctx, cmd.OutOrStdout(), cmd.ErrOrStderr())
			}
			r, err := v.report(cmd.Context(), v.devices...)
			if err != nil {
				return err
			}
			if err := v.print(cmd.OutOrStdout(), r); err != nil {
				return err
			}
			return verdictOf(r)
		},
	}
	v.operated = operate(cmd)
	cmd.Flags().StringArrayVar(&v.devices, "device", nil, "all about this `DEVICE`; may be given again")
	cmd.Flags().BoolVar(&v.json, "json", false, "print JSON, for programs; with --watch one line for each report")
	cmd.Flags().BoolVar(&v.watch, "watch", false, "go on, each second")
	return cmd
}

func (v *statusView) print(w io.Writer, r *status.Report) error {
	if v.json {
		e := json.NewEncoder(w)
		e.SetEscapeHTML(false)
		if !v.watch {
			e.SetIndent("", "  ")
		}
		return e.Encode(r)
	}
	_, err := io.WriteString(w, v.text(w, r))
	return err
}

func (v *statusView) text(w io.Writer, r *status.Report) string {
	if len(v.devices) > 0 {
		return text.Device(r, styleFor(w))
	}
	return text.Status(r, styleFor(w))
}

// only leaves the devices that were asked for.
func (v *statusView) only(r *status.Report) (*status.Report, error) {
	return control.Only(r, v.devices)
}
