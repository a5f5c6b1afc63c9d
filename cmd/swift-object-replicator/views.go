package main

import (
	"context"
	"time"

	"github.com/rs/zerolog"

	"understudy/config"
	"understudy/internal/inspect"
	"understudy/internal/observe/control"
	"understudy/internal/observe/metrics"
	"understudy/internal/observe/page"
	"understudy/internal/observe/status"
	"understudy/messages"
)

// watched is an engine that operators see and steer. What they look through may
// break or be missing: the engine works all the same.
type watched struct {
	engine
	views views
}

// views is what the daemon asks of a control.Server.
type views interface {
	Run(ctx context.Context)
}

// viewsLimit is for views to end after their engine: their socket may be on a disk
// that hangs.
const viewsLimit = 500 * time.Millisecond

// steered is an engine as operators see it.
type steered interface {
	status.Engine
	DryRun(ctx context.Context, ask status.DryRun) (*inspect.Pass, error)
}

// newViews are those that the configuration asks for, or nil. A pass in script mode
// runs beside a daemon, whose socket that is.
//
// Unlike Swift: which has nothing to look at or to steer. The socket is one more file
// beside the recon cache; no port is opened unless it is asked for.
func newViews(cfg *config.Config, of steered, once bool, log zerolog.Logger) views {
	if once || cfg.Control.Socket == "" && cfg.Control.Listen == "" {
		return nil
	}
	return control.New(control.Config{
		Engine: of, Page: page.Handler(of), Metrics: metrics.Handler(of),
		DryRun: func(ctx context.Context, ask status.DryRun) (any, error) { return of.DryRun(ctx, ask) },
		Socket: cfg.Control.Socket, Mode: cfg.Control.FileMode(), Listen: cfg.Control.Listen, Log: log,
	})
}

// watch is an engine with its views, if there are any.
func watch(e engine, v views) engine {
	if v == nil {
		return e
	}
	return &watched{engine: e, views: v}
}

// Run runs the engine, and beside it the views until it ends. They open as the user
// that the daemon is by now, and in a goroutine of their own: the folder of the
// socket may hang, too.
func (w *watched) Run(ctx context.Context) (messages.Stats, error) {
	looking, stop := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		w.views.Run(looking)
		close(ended)
	}()
	stats, err := w.engine.Run(ctx)
	stop()
	within(viewsLimit, func() { <-ended })
	return stats, err
}
