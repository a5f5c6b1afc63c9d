// Package control lets operators see a running engine and steer it: HTTP and JSON
// on a unix socket, and, where that is asked for, what can be seen on a TCP port,
// too. docs/control-api.md describes every path. The Client is the other side.
package control

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	stdlog "log"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"understudy/internal/observe/status"
	"understudy/internal/unixsock"
)

// Config says what a Server is made of.
type Config struct {
	Engine  status.Engine
	Socket  string      // path of the unix socket; empty: none
	Mode    fs.FileMode // its permissions
	Listen  string      // host:port for what can be seen; empty: none
	Page    http.Handler
	Metrics http.Handler // both may be nil: nothing is there then
	DryRun  DryRun       // nil: not here
	Log     zerolog.Logger

	limits limits // those that are zero are the default
}

// limits bound the server. Tests have smaller ones.
type limits struct {
	connections int           // of each listener
	watchers    int           // of /v1/events, of all listeners
	commands    int           // in flight
	ask         time.Duration // for the engine to report
	do          time.Duration // for a command
	write       time.Duration // for a piece of an answer to be taken
	tick        time.Duration // between two reports of /v1/events
	idle        time.Duration // after which a watcher is sent something
	retry       time.Duration // between two attempts to listen
	drain       time.Duration // for requests at work at the end
}

func (l limits) orDefaults() limits {
	or := func(n *time.Duration, d time.Duration) {
		if *n == 0 {
			*n = d
		}
	}
	if l.connections == 0 {
		l.connections = 64
	}
	if l.watchers == 0 {
		l.watchers = 32
	}
	if l.commands == 0 {
		l.commands = 16
	}
	or(&l.ask, 5*time.Second)
	or(&l.do, 10*time.Second)
	or(&l.write, 5*time.Second)
	or(&l.tick, time.Second)
	or(&l.idle, heartbeat)
	or(&l.retry, 15*time.Second)
	or(&l.drain, 300*time.Millisecond)
	return l
}

// Limits of a request.
const (
	headerTime  = 5 * time.Second
	requestTime = 10 * time.Second
	answerTime  = 30 * time.Second
	idleTime    = 30 * time.Second
	headerBytes = 16 << 10
	bodyBytes   = 64 << 10
)

// Server answers operators.
type Server struct {
	cfg      Config
	reports  *reporter
	hub      *hub
	commands chan struct{} // a place for each in flight
	dry      chan struct{} // a place for one dry run
	doors    []*door
	stopping chan struct{} // closed when Run ends
}

// door is a listener and what is behind it.
type door struct {
	name    string
	open    func() (net.Listener, error)
	handler http.Handler
	l       net.Listener // nil while it cannot be had
	told    string       // the last error, told once
}

// New makes a server. It does no I/O.
func New(cfg Config) *Server {
	cfg.limits = cfg.limits.orDefaults()
	s := &Server{cfg: cfg, commands: make(chan struct{}, cfg.limits.commands), dry: make(chan struct{}, 1), stopping: make(chan struct{})}
	s.reports = &reporter{engine: cfg.Engine, limit: cfg.limits.ask}
	s.hub = newHub(s.reports, cfg.limits)
	if cfg.Socket != "" {
		s.doors = append(s.doors, &door{name: cfg.Socket, handler: s.handler(true), open: func() (net.Listener, error) {
			return unixsock.Listen(cfg.Socket, cfg.Mode)
		}})
	}
	if cfg.Listen != "" {
		s.doors = append(s.doors, &door{name: cfg.Listen, handler: s.handler(false), open: func() (net.Listener, error) {
			return net.Listen("tcp", cfg.Listen)
		}})
	}
	return s
}

// Open opens what the server listens on, which Run does, too: for who needs it before
// Run has begun. What cannot be had is logged, and tried again by Run: an engine works
// without being seen. A folder on a disk that hangs hangs it.
func (s *Server) Open() {
	for _, d := range s.doors {
		s.try(d)
	}
}

// Run answers until ctx is done, then gives requests at work a moment and closes
// everything. It is called once.
func (s *Server) Run(ctx context.Context) {
	var all sync.WaitGroup
	all.Go(func() { s.hub.run(ctx) })
	for _, d := range s.doors {
		all.Go(func() { s.keep(ctx, d) })
	}
	<-ctx.Done()
	close(s.stopping)
	all.Wait()
}

// keep serves a door, and opens it again when it cannot be had or breaks.
func (s *Server) keep(ctx context.Context, d *door) {
	for ctx.Err() == nil {
		if d.l == nil {
			s.try(d)
		}
		if d.l != nil {
			s.serve(ctx, d)
			d.l = nil
		}
		select {
		case <-ctx.Done():
		case <-time.After(s.cfg.limits.retry):
		}
	}
}

// try opens a door. An error is told when it is another than the last.
func (s *Server) try(d *door) {
	l, err := d.open()
	if err == nil {
		d.l, d.told = newLimitListener(l, s.cfg.limits.connections), ""
		s.cfg.Log.Debug().Str("listener", d.name).Msg("operators can see this engine")
		return
	}
	if err.Error() != d.told {
		d.told = err.Error()
		s.cfg.Log.Error().Err(err).Str("listener", d.name).Msg("operators cannot see this engine")
	}
}

// serve answers the connections of a door until ctx is done or the listener breaks.
func (s *Server) serve(ctx context.Context, d *door) {
	log := s.cfg.Log.With().Str("listener", d.name).Logger().Level(zerolog.WarnLevel)
	h := &http.Server{
		Handler: d.handler, ReadHeaderTimeout: headerTime, ReadTimeout: requestTime, WriteTimeout: answerTime, IdleTimeout: idleTime,
		MaxHeaderBytes: headerBytes, ErrorLog: stdlog.New(log, "", 0), ConnContext: withCaller,
	}
	served := make(chan error, 1)
	go func() { served <- h.Serve(d.l) }()
	select {
	case err := <-served:
		s.cfg.Log.Error().Err(fmt.Errorf("serve %s: %w", d.name, err)).Msg("operators cannot see this engine")
		_ = h.Close()
		return
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.limits.drain)
	defer cancel()
	if err := h.Shutdown(drain); err != nil {
		_ = h.Close()
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		s.cfg.Log.Debug().Err(err).Str("listener", d.name).Msg("close what operators see")
	}
}
