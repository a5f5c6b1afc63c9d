package server

import (
	"context"
	"errors"
	"fmt"
	stdlog "log"
	"net"
	"net/http"
	"time"
)

// DrainFor is a cause for the end of Serve's ctx that gives what is at work another
// time than Limits.Drain: context.WithCancelCause(ctx), cancel(DrainFor(time.Hour)).
type DrainFor time.Duration

func (d DrainFor) Error() string { return fmt.Sprintf("drain for %s", time.Duration(d)) }

// Serve answers the connections of a listener until ctx is done, and then closes
// the listener and returns nil. Requests at work get Limits.Drain to end; what is
// stuck on a dead disk is left behind. Call it once for each listener.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	base := context.WithValue(work, workKey{}, work)
	h := &http.Server{
		Handler:                      s,
		ReadHeaderTimeout:            s.cfg.Limits.Header,
		IdleTimeout:                  s.cfg.Limits.Idle,
		MaxHeaderBytes:               s.cfg.Limits.HeaderBytes,
		DisableGeneralOptionsHandler: true,
		ErrorLog:                     stdlog.New(s.cfg.Log.With().Str("listener", l.Addr().String()).Logger(), "", 0),
		BaseContext:                  func(net.Listener) context.Context { return base },
	}
	var from net.Listener = newLimitListener(l, s.cfg.Limits.Connections)
	passed := newPasser(s.cfg.PassTo, s.cfg.Log)
	if s.cfg.PassTo.Address != "" {
		g := &gate{Listener: from, foreign: s.foreign, take: passed.take, limit: s.cfg.Limits.HeaderBytes}
		from, h.ConnState = g, g.state
	}
	streams := s.streams(h, l)
	defer streams.End()
	served := make(chan error, 1)
	go func() { served <- h.Serve(from) }()
	select {
	case err := <-served:
		passed.end(canceled(ctx))
		return fmt.Errorf("serve %s: %w", l.Addr(), err)
	case <-ctx.Done():
	}
	drain, cancelDrain := context.WithTimeout(work, s.drain(ctx))
	defer cancelDrain()
	cut := make(chan int, 1)
	go func() { cut <- passed.end(drain) }()
	if err := h.Shutdown(drain); err != nil {
		s.cfg.Log.Warn().Err(err).Stringer("listener", l.Addr()).Msg("requests still at work")
		_ = h.Close()
	}
	if n := <-cut; n > 0 {
		s.cfg.Log.Warn().Int("connections", n).Str("pass_to", s.cfg.PassTo.Address).Msg("passed connections cut")
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve %s: %w", l.Addr(), err)
	}
	return nil
}

// drain is how long what is at work may take when ctx is done.
func (s *Server) drain(ctx context.Context) time.Duration {
	var d DrainFor
	if errors.As(context.Cause(ctx), &d) {
		return time.Duration(d)
	}
	return s.cfg.Limits.Drain
}

func canceled(ctx context.Context) context.Context {
	ctx, cancel := context.WithCancel(ctx)
	cancel()
	return ctx
}
