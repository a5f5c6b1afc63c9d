package main

import (
	"context"
	"os"
	"syscall"
	"time"

	"github.com/rs/zerolog"

	"understudy/bootstrap"
	"understudy/config"
	"understudy/internal/observe/logs"
	"understudy/internal/process"
	"understudy/messages"
)

// The time that a stop may take, whatever hangs: less than five seconds in all,
// where swift-init waits for 15.
const (
	treeLimit  = 3 * time.Second        // for the engine to end
	closeLimit = 300 * time.Millisecond // to kill the rsyncs of one that does not; for a word to the manager
	flushLimit = time.Second            // for the last log lines
)

// engine is what the daemon asks of a bootstrap.Engine.
type engine interface {
	Run(ctx context.Context) (messages.Stats, error)
	Alive(ctx context.Context) error // nil is an answer of the supervisor
	Reload(cfg *config.Config) error // an error changes nothing
	Close()                          // kills every rsync; may be called twice
}

// daemon is this process once it stands on its own feet.
type daemon struct {
	engine  engine
	stands  <-chan struct{} // closed when the tree stands
	signals <-chan os.Signal
	log     zerolog.Logger
	started *config.Config // what the process was started with
	load    func() (*config.Config, error)
	manager manager
}

// serve runs the engine until it ends or a signal ends it. It is called on the
// main thread, which from here on only waits.
func (d *daemon) serve() error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		_, err := d.engine.Run(ctx)
		ended <- err
	}()
	reloads := make(chan struct{}, 1) // any number of signals while one is served are one
	go d.reloadWhenAsked(ctx, reloads)
	told := make(chan struct{})
	go d.tellManager(ctx, told)
	for {
		select {
		case err := <-ended:
			if err == nil {
				within(closeLimit, func() { <-told }) // a short run is over before its start is told
			}
			return d.exited(err)
		case s := <-d.signals:
			if s != syscall.SIGHUP {
				d.stop(s, cancel, ended)
				return nil
			}
			select {
			case reloads <- struct{}{}:
			default:
			}
		}
	}
}

// stop ends the engine, or leaves it when it takes too long or a second signal
// asks for it.
//
// Unlike Swift: a SIGTERM is told the service manager, too, which would take the
// end for a surprise if the signal was not its own.
func (d *daemon) stop(s os.Signal, cancel func(), ended <-chan error) {
	if s == syscall.SIGTERM {
		bootstrap.Notice(d.log, "SIGTERM received (%d)", os.Getpid())
	} else {
		bootstrap.Notice(d.log, "User quit")
	}
	cancel()
	within(closeLimit, func() { d.tell("stopping", d.manager.Stopping) })
	limit := time.NewTimer(treeLimit)
	defer limit.Stop()
	if why := d.await(ended, limit.C); why != "" {
		d.log.Error().Str("why", why).Msg("left the engine before its end")
		within(closeLimit, d.engine.Close)
	}
	if s == syscall.SIGINT {
		bootstrap.Notice(d.log, "Exited %d", os.Getpid())
	}
}

// await returns why the engine is not waited for any more, or nothing at its end.
func (d *daemon) await(ended <-chan error, limit <-chan time.Time) string {
	for {
		select {
		case <-ended:
			return ""
		case <-limit:
			return "it has not ended in time"
		case s := <-d.signals:
			if s != syscall.SIGHUP {
				return "a second signal"
			}
		}
	}
}

// within runs f and waits for it so long at the most.
func within(d time.Duration, f func()) {
	done := make(chan struct{})
	go func() {
		f()
		close(done)
	}()
	limit := time.NewTimer(d)
	defer limit.Stop()
	select {
	case <-done:
	case <-limit.C:
	}
}

// exited is the end of a run that nobody asked to end.
func (d *daemon) exited(err error) error {
	if err != nil {
		logs.Swift(logs.Critical(d.log)).Err(err).Msgf("UNCAUGHT EXCEPTION: %v", err)
		return err
	}
	bootstrap.Notice(d.log, "Exited %d", os.Getpid())
	return nil
}

// manager is the service manager.
type manager interface {
	Ready() error
	Reloading() error
	Stopping() error
	Feed() error
	WatchdogInterval() (time.Duration, error)
}

// systemd is who listens where the environment says.
type systemd struct{}

func (systemd) Ready() error                             { return process.NotifyReady() }
func (systemd) Reloading() error                         { return process.NotifyReloading() }
func (systemd) Stopping() error                          { return process.NotifyStopping() }
func (systemd) Feed() error                              { return process.NotifyAlive() }
func (systemd) WatchdogInterval() (time.Duration, error) { return process.WatchdogInterval() }

// tellManager tells that the daemon runs, and then that it lives. The manager's
// clock for the watchdog begins to run with the first of these, after which told
// is closed.
func (d *daemon) tellManager(ctx context.Context, told chan<- struct{}) {
	select {
	case <-d.stands:
		d.tell("ready", d.manager.Ready)
		close(told)
	case <-ctx.Done():
		return
	}
	interval, err := d.manager.WatchdogInterval()
	if err != nil {
		d.log.Error().Err(err).Msg("there is no watchdog")
		return
	}
	if interval > 0 {
		process.Watchdog{Interval: interval, Alive: d.engine.Alive, Feed: d.manager.Feed, Log: d.log}.Run(ctx)
	}
}

func (d *daemon) tell(what string, notify func() error) {
	if err := notify(); err != nil {
		d.log.Debug().Err(err).Str("what", what).Msg("tell the service manager")
	}
}
