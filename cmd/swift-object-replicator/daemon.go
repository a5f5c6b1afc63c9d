package main

import (
	"fmt"
	"os"
	"os/signal"
	"sync"
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
	load := func() (*config.Config, error) { return config.Load(args.Config, config.Options{}) }
	cfg, err := load()
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
	warn(log, cfg.Warnings)
	stands := make(chan struct{})
	engine, err := bootstrap.New(bootstrap.Settings{
		Config: cfg, Once: once, Only: actors.Overrides(only), Log: log,
		Ready: sync.OnceFunc(func() { close(stands) }),
	})
	if err != nil {
		return err
	}
	signals, err := becomeDaemon(cfg, args.Verbose)
	if err != nil {
		return err
	}
	if !once {
		logs.Swift(log.Info()).Msg("Starting object replicator in daemon mode.")
	}
	d := &daemon{engine: engine, stands: stands, signals: signals, log: log, started: cfg, load: load, manager: systemd{}}
	return d.serve()
}

// becomeDaemon drops the privileges and the ties to whoever started the process.
// swift-init takes the end of its output for the end of the start and may stop it
// in the next instant, so signals are caught from before that.
func becomeDaemon(cfg *config.Config, verbose bool) (<-chan os.Signal, error) {
	if err := process.DropPrivileges(cfg.User); err != nil {
		return nil, err
	}
	if err := process.Hygiene(); err != nil {
		return nil, err
	}
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	// Caught and thrown away: a reader of standard error that goes must not take
	// the daemon with it. Ignored instead, it would be ignored by rsync, too.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	return signals, process.RedirectStdio(verbose || cfg.Log.Format != logs.FormatSyslog)
}

func warn(log zerolog.Logger, warnings []string) {
	for _, warning := range warnings {
		logs.Swift(log.Warn()).Msg(warning)
	}
}

func notice(log zerolog.Logger, format string, args ...any) {
	logs.Swift(logs.Notice(log)).Msg(fmt.Sprintf(format, args...))
}
