package main

import (
	"context"

	"github.com/rs/zerolog"

	"understudy/config"
	"understudy/internal/observe/control"
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
	Open()
	Run(ctx context.Context)
}

// newViews are those that the configuration asks for, or nil. A pass in script mode
// runs beside a daemon, whose socket that is.
//
// Unlike Swift: which has nothing to look at or to steer. The socket is one more file
// beside the recon cache; no port is opened unless it is asked for.
func newViews(cfg *config.Config, of status.Engine, once bool, log zerolog.Logger) views {
	if once || cfg.Control.Socket == "" && cfg.Control.Listen == "" {
		return nil
	}
	return control.New(control.Config{
		Engine: of, Socket: cfg.Control.Socket, Mode: cfg.Control.FileMode(), Listen: cfg.Control.Listen, Log: log,
	})
}

// watch opens the views of an engine, as the user that the daemon is by now: the
// socket is that user's.
func watch(e engine, v views) engine {
	if v == nil {
		return e
	}
	v.Open()
	return &watched{engine: e, views: v}
}

// Run runs the engine, and the views until it ends.
func (w *watched) Run(ctx context.Context) (messages.Stats, error) {
	looking, stop := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		w.views.Run(looking)
		close(ended)
	}()
	stats, err := w.engine.Run(ctx)
	stop()
	<-ended
	return stats, err
}
