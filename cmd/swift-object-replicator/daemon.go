package main

import (
	"os"
	"sync"

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
	// Before anything reads the clock, as every timer does: it changes what they read.
	if err := process.UseUTC(); err != nil {
		return err
	}
	count := newCount(once && args.Verbose)
	out, err := bootstrap.OpenLogs(cfg, args.Verbose, flushLimit, count.beside())
	if err != nil {
		return err
	}
	defer out.Close()
	log := out.Logger
	bootstrap.SetPriority(cfg, log)
	bootstrap.Notice(log, "Starting %d", os.Getpid())
	bootstrap.Warn(log, cfg)
	faults, err := bootstrap.ReadFaults(cfg)
	if err != nil {
		return err
	}
	bootstrap.TellFaults(log, faults)
	defer bootstrap.TellInjected(log, faults)
	stands := make(chan struct{})
	engine, err := bootstrap.New(bootstrap.Settings{
		Config: cfg, Once: once, Only: actors.Overrides(only), Log: log, Faults: faults,
		Ready: sync.OnceFunc(func() { close(stands) }),
	})
	if err != nil {
		return err
	}
	node, err := newNode(cfg, engine, faults, once, log)
	if err != nil {
		return err
	}
	signals, err := bootstrap.BecomeDaemon(cfg, args.Verbose)
	if err != nil {
		return err
	}
	node = watch(node, newViews(cfg, engine, once, log))
	if count != nil {
		node = watch(node, count.of(engine))
	}
	if !once {
		logs.Swift(log.Info()).Msg("Starting object replicator in daemon mode.")
	}
	d := &daemon{engine: node, stands: stands, signals: signals, log: log, started: cfg, load: load, manager: systemd{}}
	return d.serve()
}
