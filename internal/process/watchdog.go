package process

import (
	"context"
	"fmt"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/rs/zerolog"
)

// WatchdogInterval is the time within which the service manager wants to be told
// again and again that the daemon lives; 0 when it does not want to be told.
func WatchdogInterval() (time.Duration, error) {
	interval, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		return 0, fmt.Errorf("read WATCHDOG_USEC and WATCHDOG_PID: %w", err)
	}
	return interval, nil
}

// Watchdog feeds the service manager's watchdog for as long as the engine answers.
// A process that merely runs is not alive: its signals and timers work while its
// engine hangs.
type Watchdog struct {
	Interval time.Duration               // after so long without food the manager kills us
	Alive    func(context.Context) error // asks the engine; a nil is its answer
	Feed     func() error
	Log      zerolog.Logger
}

// Run asks and feeds every third of the interval until ctx ends. A question has as
// long for its answer, so one that is not answered in time costs no life, and two
// in a row do. Nothing but an answer feeds: not a question that hangs, not an error.
func (w Watchdog) Run(ctx context.Context) {
	third := w.Interval / 3
	ticks := time.NewTicker(third)
	defer ticks.Stop()
	for hungry := false; ; {
		select {
		case <-ticks.C:
		case <-ctx.Done():
			return
		}
		err := w.ask(ctx, third)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil && !hungry:
			w.Log.Error().Err(err).Dur("interval", w.Interval).Msg("the engine does not answer: the watchdog is not fed")
		case err == nil && hungry:
			w.Log.Warn().Msg("the engine answers again: the watchdog is fed")
		}
		hungry = err != nil
	}
}

func (w Watchdog) ask(ctx context.Context, within time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	if err := w.Alive(ctx); err != nil {
		return fmt.Errorf("ask the engine whether it lives: %w", err)
	}
	if err := w.Feed(); err != nil {
		w.Log.Debug().Err(err).Msg("feed the watchdog")
	}
	return nil
}
