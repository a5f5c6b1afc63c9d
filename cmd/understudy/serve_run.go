package main

import (
	"context"
	"os"
	"syscall"
	"time"

	"github.com/rs/zerolog"

	"understudy/bootstrap"
	"understudy/internal/observe/logs"
	"understudy/internal/process"
)

// How long an end may take.
const (
	drainLimit    = 5 * time.Second // for what is at work, on SIGTERM; swift-init waits for 15
	gracefulLimit = time.Hour       // the same, on SIGHUP; Swift's workers have no limit
	flushLimit    = time.Second     // for the last log lines
)

// peerServer is what answers peers.
type peerServer interface {
	Serve(ctx context.Context) error
	Alive(ctx context.Context) error
}

// serving is the process once it stands on its own feet.
type serving struct {
	server  peerServer
	signals <-chan os.Signal
	log     zerolog.Logger
	pid     int
}

// run serves until a signal ends it or the listener breaks.
func (s *serving) run() error {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	served := make(chan error, 1)
	go func() { served <- s.server.Serve(ctx) }()
	telling, stopTelling := context.WithCancel(context.Background()) // a drain is no hang
	defer stopTelling()
	go s.tellManager(telling)
	select {
	case err := <-served:
		logs.Swift(logs.Critical(s.log)).Err(err).Msgf("UNCAUGHT EXCEPTION: %v", err)
		return err
	case signal := <-s.signals:
		cancel(s.why(signal))
		if signal != syscall.SIGHUP { // whose drain may take longer than a manager waits for a stop
			s.tell("stopping", process.NotifyStopping)
		}
	}
	for {
		select {
		case err := <-served:
			bootstrap.Notice(s.log, "Exited (%d)", s.pid)
			return err
		case signal := <-s.signals:
			if signal != syscall.SIGHUP { // asked for twice: nothing is waited for
				s.log.Warn().Msg("left what was at work")
				bootstrap.Notice(s.log, "Exited (%d)", s.pid)
				return nil
			}
		}
	}
}

// why logs a signal and is the cause that ends the server: on SIGHUP nobody is cut
// off, as when swift-init reloads one of Swift's servers.
// Swift: common/wsgi.py run_wsgi.
func (s *serving) why(signal os.Signal) error {
	switch signal {
	case syscall.SIGHUP:
		bootstrap.Notice(s.log, "SIGHUP received (%d)", s.pid)
		return bootstrap.DrainFor(gracefulLimit)
	case syscall.SIGTERM:
		bootstrap.Notice(s.log, "SIGTERM received (%d)", s.pid)
	default:
		bootstrap.Notice(s.log, "User quit")
	}
	return nil
}

// tellManager tells the service manager that the server runs, and then that it
// answers.
func (s *serving) tellManager(ctx context.Context) {
	s.tell("ready", process.NotifyReady)
	interval, err := process.WatchdogInterval()
	if err != nil {
		s.log.Error().Err(err).Msg("there is no watchdog")
		return
	}
	if interval > 0 {
		process.Watchdog{Interval: interval, Alive: s.server.Alive, Feed: process.NotifyAlive, Log: s.log}.Run(ctx)
	}
}

func (s *serving) tell(what string, notify func() error) {
	if err := notify(); err != nil {
		s.log.Debug().Err(err).Str("what", what).Msg("tell the service manager")
	}
}
