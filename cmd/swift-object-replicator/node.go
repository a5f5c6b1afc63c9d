package main

import (
	"context"
	"errors"
	"time"

	"github.com/rs/zerolog"

	"understudy/bootstrap"
	"understudy/config"
	"understudy/internal/fault"
	"understudy/messages"
)

// drainLimit is the time that requests of peers get at the end: with the engine's
// own it stays below treeLimit.
const drainLimit = 800 * time.Millisecond

// node is the engine with the server that answers peers from the same disks. They
// live and die together: a process that does one half of its work is harder to see
// than one that has ended, and the service manager starts that again.
type node struct {
	engine
	peers server
}

// server is what the daemon asks of a bootstrap.Server.
type server interface {
	Serve(ctx context.Context) error
	Reload(cfg *config.Config)
	Alive(ctx context.Context) error
}

// newNode is the engine, and beside it a server that listens already, if the
// configuration wants one. A pass in script mode runs beside a daemon, which has
// the port.
func newNode(cfg *config.Config, e *bootstrap.Engine, faults *fault.Injector, once bool, log zerolog.Logger) (engine, error) {
	if cfg.Serving == nil || once {
		return e, nil
	}
	s := bootstrap.NewServer(bootstrap.ServerSettings{Config: cfg.Serving, Log: log, Store: e.Store(), Faults: faults, Drain: drainLimit})
	if err := s.Listen(context.Background()); err != nil {
		return nil, err
	}
	return &node{engine: e, peers: s}, nil
}

// Run runs both until ctx ends or one of them does. At the end the engine waits for
// the server: what a session has locked is given back with the engine's own locks.
func (n *node) Run(ctx context.Context) (messages.Stats, error) {
	working, stopWork := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWork()
	serving, stopServing := context.WithCancel(ctx)
	defer stopServing()
	served := make(chan error, 1)
	go func() {
		served <- n.peers.Serve(serving)
		stopWork()
	}()
	stats, err := n.engine.Run(working)
	stopServing()
	if broke := <-served; broke != nil {
		return stats, broke // and the engine's error is only that it was stopped
	}
	return stats, err
}

// Reload leaves the server alone when the engine does not take the configuration.
func (n *node) Reload(cfg *config.Config) error {
	if err := n.engine.Reload(cfg); err != nil {
		return err
	}
	n.peers.Reload(cfg)
	return nil
}

func (n *node) Alive(ctx context.Context) error {
	return errors.Join(n.engine.Alive(ctx), n.peers.Alive(ctx))
}
