package main

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/encoding/protojson"

	"understudy/bootstrap/remoteapi"
	"understudy/internal/fleet"
	"understudy/messages/controlpb"
)

// open reads the fleet and makes a client of it.
func open(conf string) (*fleet.Conf, *remoteapi.Client, error) {
	c, err := fleet.Load(conf)
	if err != nil {
		return nil, nil, err
	}
	if len(c.Nodes) == 0 {
		return nil, nil, fmt.Errorf("%s names no nodes", conf)
	}
	r, err := c.Operator()
	if err != nil {
		return nil, nil, err
	}
	client, err := remoteapi.NewClient(r)
	return c, client, err
}

func newStatus(conf *string) *cobra.Command {
	var patience time.Duration
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show how all nodes stand",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, client, err := open(*conf)
			if err != nil {
				return err
			}
			defer client.Close()
			nodes := fleet.Status(cmd.Context(), client, c, patience)
			if asJSON {
				err = printJSON(cmd.OutOrStdout(), nodes)
			} else {
				err = printTable(cmd.OutOrStdout(), nodes)
			}
			if err != nil {
				return err
			}
			return verdictOf(nodes)
		},
	}
	cmd.Flags().DurationVar(&patience, "timeout", 5*time.Second, "how long a node may take")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON, one line for each node")
	return cmd
}

func printTable(w io.Writer, nodes []fleet.Node) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "NODE\tSTATE\tIN FLIGHT\tDEVICES\tROUNDS\tFAILURES\tPUSHES\t")
	for _, n := range nodes {
		if n.Status == nil {
			fmt.Fprintf(t, "%s\tno answer\t\t\t\t\t\t%v\n", n.Name, n.Err)
			continue
		}
		s, in := n.Status, 0
		for _, d := range s.GetDevices() {
			if d.GetInService() {
				in++
			}
		}
		fmt.Fprintf(t, "%s\t%s\t%d\t%d/%d\t%d\t%d\t%s\t%s\n", n.Name, s.GetState(), s.GetBusy(), in, len(s.GetDevices()), s.GetRounds(), s.GetFailures(), admitted(s), s.GetSummary())
	}
	return t.Flush()
}

// admitted is what the disks of a node hold in leases; "-" for one that keeps no account.
func admitted(s *controlpb.Status) string {
	var in, out, wait uint32
	account := false
	for _, d := range s.GetDevices() {
		account = account || d.GetIncoming() != nil
		in, out = in+d.GetIncoming().GetHeld(), out+d.GetOutgoing().GetHeld()
		wait += d.GetIncoming().GetWaiting() + d.GetOutgoing().GetWaiting()
	}
	switch {
	case !account:
		return "-"
	case wait == 0:
		return fmt.Sprintf("%d in, %d out", in, out)
	}
	return fmt.Sprintf("%d in, %d out, %d wait", in, out, wait)
}

func printJSON(w io.Writer, nodes []fleet.Node) error {
	for _, n := range nodes {
		line := map[string]any{"node": n.Name, "address": n.Address}
		if n.Err != nil {
			line["error"] = n.Err.Error()
		}
		if n.Status != nil {
			text, err := protojson.Marshal(n.Status)
			if err != nil {
				return err
			}
			line["status"] = json.RawMessage(text)
		}
		if err := json.NewEncoder(w).Encode(line); err != nil {
			return err
		}
	}
	return nil
}

// verdictOf is the worst of the nodes.
func verdictOf(nodes []fleet.Node) error {
	worst := exitOK
	for _, n := range nodes {
		switch {
		case n.Status == nil, n.Status.GetState() == "failing":
			worst = exitFailing
		case n.Status.GetState() == "degraded":
			worst = max(worst, exitDegraded)
		}
	}
	if worst == exitOK {
		return nil
	}
	return verdict(worst)
}
