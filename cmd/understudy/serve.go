package main

import (
	"context"
	"os"

	"github.com/spf13/cobra"

	"understudy/bootstrap"
	"understudy/config"
	"understudy/internal/process"
)

func newServe() *cobra.Command {
	o := config.Options{Section: config.ServerSection}
	verbose := false
	cmd := &cobra.Command{
		Use:   "serve CONF",
		Short: "Answer the replicators of other nodes",
		Long: `Answer REPLICATE and SSYNC, /healthcheck and /recon on bind_ip and bind_port of
CONF's [app:object-server]: what the ring calls this node's replication address.
Other requests go to the stock object server that pass_to names.

CONF is object-server.conf or a folder of .conf files. The process stays in the
foreground, runs as user, and logs as Swift's servers do. SIGTERM and SIGINT end
it within seconds, SIGHUP when all that is at work has ended.
Exit codes: 0 stopped, 1 it could not start or serve, 2 bad command line.`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			cfg, err := config.Load(args[0], o)
			if err != nil {
				return err
			}
			return serve(cfg, verbose)
		},
	}
	cmd.Flags().StringVar(&o.SwiftConf, "swift-conf", config.DefaultSwiftConf, "path of swift.conf")
	cmd.Flags().BoolVarP(&verbose, "verbose", "v", false, "log to standard error, too")
	return cmd
}

// serve is the server's life, in Swift's order: the port is opened as the user who
// started the process. Swift: common/wsgi.py run_wsgi.
func serve(cfg *config.Config, verbose bool) error {
	// First: who reads the clock, as every timer does, reads what this sets.
	if err := process.UseUTC(); err != nil {
		return err
	}
	out, err := bootstrap.OpenLogs(cfg, verbose, flushLimit, nil)
	if err != nil {
		return err
	}
	defer out.Close()
	bootstrap.SetPriority(cfg, out.Logger)
	bootstrap.Warn(out.Logger, cfg)
	faults, err := bootstrap.ReadFaults(cfg)
	if err != nil {
		return err
	}
	bootstrap.TellFaults(out.Logger, faults)
	defer bootstrap.TellInjected(out.Logger, faults)
	server := bootstrap.NewServer(bootstrap.ServerSettings{Config: cfg, Log: out.Logger, Faults: faults, Drain: drainLimit})
	if err := server.Listen(context.Background()); err != nil {
		return err
	}
	signals, err := bootstrap.BecomeDaemon(cfg, verbose)
	if err != nil {
		return err
	}
	s := &serving{server: server, signals: signals, log: out.Logger, pid: os.Getpid()}
	return s.run()
}
