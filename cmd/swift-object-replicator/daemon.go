package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/rs/zerolog"

	"understudy/actors"
	"understudy/bootstrap"
	"understudy/config"
	"understudy/internal/observe/logs"
	"understudy/internal/process"
)

// run is the daemon's life, in the order that Swift keeps: what is done before
// the privileges are dropped is done as the user who started it, what is said
// before the standard files are closed is seen by swift-init.
// Swift: common/daemon.py run_daemon.
func run(args Args) error {
	cfg, err := config.Load(args.Config, config.Options{})
	if err != nil {
		return err
	}
	once := args.Once || !cfg.Daemonize
	only, err := args.Overrides(once)
	if err != nil {
		return err
	}
	out, err := openLogs(cfg, args.Verbose)
	if err != nil {
		return err
	}
	defer out.Close()
	log := out.Logger
	process.SetPriority(log, os.Stdout, priority(cfg))
	if err := process.UseUTC(); err != nil {
		return err
	}
	notice(log, "Starting %d", os.Getpid())
	for _, warning := range cfg.Warnings {
		logs.Swift(log.Warn()).Msg(warning)
	}
	engine, err := bootstrap.New(bootstrap.Settings{
		Config: cfg, Once: once, Only: actors.Overrides(only), Log: log,
		Ready: func() { ready(log) },
	})
	if err != nil {
		return err
	}
	if err := becomeDaemon(cfg, args.Verbose); err != nil {
		return err
	}
	return serve(engine, log, once)
}

// becomeDaemon drops the privileges and the ties to whoever started the process.
func becomeDaemon(cfg *config.Config, verbose bool) error {
	if err := process.DropPrivileges(cfg.User); err != nil {
		return err
	}
	if err := process.Hygiene(); err != nil {
		return err
	}
	return process.RedirectStdio(verbose || cfg.Log.Format != logs.FormatSyslog)
}

// serve runs the engine until it ends or a signal ends it. It is called on the
// main thread, which from here on only waits.
func serve(engine *bootstrap.Engine, log zerolog.Logger, once bool) error {
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	if !once {
		logs.Swift(log.Info()).Msg("Starting object replicator in daemon mode.")
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		_, err := engine.Run(ctx)
		ended <- err
	}()
	for {
		select {
		case err := <-ended:
			return exited(log, err)
		case s := <-signals:
			if s == syscall.SIGHUP {
				log.Info().Msg("SIGHUP ignored: restart to read the configuration again")
				continue
			}
			farewell(log, s)
			cancel()
			<-ended // bounded: the engine waits for nothing that is stuck
			if s == syscall.SIGINT {
				notice(log, "Exited %d", os.Getpid())
			}
			return nil
		}
	}
}

func farewell(log zerolog.Logger, s os.Signal) {
	if s == syscall.SIGTERM {
		notice(log, "SIGTERM received (%d)", os.Getpid())
		return
	}
	notice(log, "User quit")
	if err := process.NotifyStopping(); err != nil {
		log.Debug().Err(err).Msg("notify stopping")
	}
}

// exited is the end of a run that nobody asked to end.
func exited(log zerolog.Logger, err error) error {
	if err != nil {
		logs.Swift(logs.Critical(log)).Err(err).Msgf("UNCAUGHT EXCEPTION: %v", err)
		return err
	}
	notice(log, "Exited %d", os.Getpid())
	return nil
}

func ready(log zerolog.Logger) {
	if err := process.NotifyReady(); err != nil {
		log.Debug().Err(err).Msg("notify ready")
	}
}

func notice(log zerolog.Logger, format string, args ...any) {
	logs.Swift(logs.Notice(log)).Msg(fmt.Sprintf(format, args...))
}
