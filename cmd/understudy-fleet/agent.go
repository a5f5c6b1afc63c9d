package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"understudy/bootstrap/remoteapi"
	"understudy/internal/fleet"
	"understudy/internal/observe/control"
)

// daemon is the engine of this machine's replicator, which runs in a process of its own:
// the agent asks its control socket.
type daemon struct {
	*control.Client
	pid *actor.PID
}

// PID implements remoteapi.Engine. The supervisor is in no actor system of this process:
// it is a name under which its events are told.
func (d daemon) PID() *actor.PID { return d.pid }

func newAgent(conf *string) *cobra.Command {
	return &cobra.Command{
		Use:   "agent",
		Short: "Answer the fleet for the replicator of this machine",
		Long: `Answer the fleet for the replicator of this machine, whose control socket it asks.
It needs to write to that socket (control_socket_mode), and nothing of the disks. The
replicator may come, go and be restarted meanwhile.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := fleet.Load(*conf)
			if err != nil {
				return err
			}
			log := zerolog.New(zerolog.ConsoleWriter{Out: cmd.ErrOrStderr(), NoColor: true, TimeFormat: "2006-01-02T15:04:05Z07:00"}).With().Timestamp().Logger()
			return serve(cmd.Context(), c, log, func(address string) {
				fmt.Fprintf(cmd.OutOrStdout(), "listening on %s, pid %d\n", address, os.Getpid())
			})
		},
	}
}

// serve answers until ctx ends.
func serve(ctx context.Context, c *fleet.Conf, log zerolog.Logger, ready func(address string)) error {
	r, err := c.Agent(log)
	if err != nil {
		return err
	}
	system := actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return slog.New(slog.DiscardHandler) }))
	node, err := remoteapi.Start(system, r)
	if err != nil {
		return err
	}
	socket := c.Socket
	if socket == "" {
		socket = fleet.DefaultSocket
	}
	d := daemon{control.NewClient(socket), system.NewLocalPID("daemon")}
	if _, err := node.Serve(d, ""); err != nil {
		return err
	}
	relayed := make(chan struct{})
	go func() { defer close(relayed); relay(ctx, system, d.pid, d.Client) }()
	ready(node.Address())
	<-ctx.Done()
	<-relayed
	return node.Stop()
}
