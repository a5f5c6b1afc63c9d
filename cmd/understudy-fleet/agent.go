package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/rs/zerolog"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"understudy/bootstrap/remoteapi"
	"understudy/internal/fleet"
	"understudy/internal/observe/control"
	"understudy/internal/pushes"
	"understudy/internal/unixsock"
)

// daemon is the engine of this machine's replicator, which runs in a process of its own:
// the agent asks its control socket.
type daemon struct {
	*control.Client
	pid   *actor.PID
	disks *disks
}

// PID implements remoteapi.Engine. The supervisor is in no actor system of this process:
// it is a name under which its events are told.
func (d daemon) PID() *actor.PID { return d.pid }

// Owns implements remoteapi.Owner, by what the daemon has said last.
func (d daemon) Owns(device string) bool { return d.disks.has(device) }

func newAgent(conf *string) *cobra.Command {
	return &cobra.Command{
		Use:   "agent",
		Short: "Answer the fleet for the replicator of this machine",
		Long: `Answer the fleet for the replicator of this machine, whose control socket it asks.
It needs to write to that socket (control_socket_mode), and nothing of the disks. The
replicator may come, go and be restarted meanwhile. With admission in the description
of the fleet it also answers the replicator (admission_socket) whether a push may begin.`,
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

// serve answers until ctx ends, or until the daemon could not ask about pushes any more.
func serve(ctx context.Context, c *fleet.Conf, log zerolog.Logger, ready func(address string)) (err error) {
	r, err := c.Agent(log)
	if err != nil {
		return err
	}
	leases, err := c.Leases()
	if err != nil {
		return err
	}
	system := actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return slog.New(slog.DiscardHandler) }))
	node, err := remoteapi.Start(system, r)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, node.Stop()) }()
	socket := c.Socket
	if socket == "" {
		socket = fleet.DefaultSocket
	}
	d := daemon{control.NewClient(socket), system.NewLocalPID("daemon"), &disks{}}
	if _, err := node.ServeWith(d, "", leases); err != nil {
		return err
	}
	all, ctx := errgroup.WithContext(ctx)
	if leases != nil {
		desk, err := unixsock.Listen(c.Admission.Desk(), deskMode)
		if err != nil {
			return err
		}
		all.Go(func() error { return pushes.Serve(ctx, desk, leases) })
	}
	all.Go(func() error { relay(ctx, system, d); return nil })
	ready(node.Address())
	return all.Wait()
}

// deskMode lets the agent's own user ask, whom the replicator runs as.
const deskMode = 0o600
