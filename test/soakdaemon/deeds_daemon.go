package main

import (
	"context"
	"fmt"
	"maps"
	"syscall"
)

// drawDaemon draws a daemon that may be ended. None is while there is no good ring:
// its successor could not start.
func (s *soak) drawDaemon(kind string) (*deed, *daemon) {
	d := pick(s.rnd, s.daemons...)
	if d.node.Number == steady || s.blind() || s.paused(d.node) {
		return nil, nil
	}
	return &deed{kind: kind, on: fmt.Sprint(d.node.Number)}, d
}

// kill ends a daemon as the kernel does when memory runs out.
func (s *soak) kill() *deed { return s.replace("kill -9 daemon", syscall.SIGKILL) }

// terminate ends a daemon as an operator does.
func (s *soak) terminate() *deed { return s.replace("SIGTERM daemon", syscall.SIGTERM) }

func (s *soak) replace(kind string, with syscall.Signal) *deed {
	d, of := s.drawDaemon(kind)
	if d != nil {
		options := s.drawOptions()
		d.do = func(ctx context.Context) error {
			s.end(ctx, of, with)
			of.options = options
			return s.start(of)
		}
	}
	return d
}

// pauseDaemon stops a daemon, and what it has started, in the middle of whatever it does,
// as a machine does that is suspended. When it goes on, the world has changed.
func (s *soak) pauseDaemon() *deed {
	d, of := s.drawDaemon("pause daemon")
	if d == nil || s.leaving(of.node) || s.held(of.node) {
		return nil
	}
	signal := func(with syscall.Signal) func(context.Context) error {
		return func(context.Context) error { return of.current().Signal(with) }
	}
	d.node, d.pause, d.holds = of.node, true, true
	d.do, d.cure = signal(syscall.SIGSTOP), signal(syscall.SIGCONT)
	return d
}

// reloadGood gives a daemon another configuration, which it must take. Beside a spoilt
// ring file it keeps the ring that it has.
func (s *soak) reloadGood() *deed {
	of, options := pick(s.rnd, s.daemons...), s.drawOptions()
	if s.rnd.IntN(3) == 0 {
		of = s.daemons[steady-1] // nothing else happens to it
	}
	if s.paused(of.node) {
		return nil
	}
	return &deed{kind: "reload", on: fmt.Sprintf("%d with %v", of.node.Number, options), do: func(ctx context.Context) error {
		of.options = options
		if err := of.writeConf(); err != nil {
			return err
		}
		return s.reload(ctx, of, `"configuration reloaded"`)
	}}
}

// reloadBad gives a daemon a configuration that it cannot take, and takes it back.
func (s *soak) reloadBad() *deed {
	of := pick(s.rnd, s.daemons...)
	if s.paused(of.node) {
		return nil
	}
	return &deed{kind: "reload nonsense", on: fmt.Sprint(of.node.Number), do: func(ctx context.Context) error {
		good := of.options
		of.options = maps.Clone(good)
		of.options["concurrency"] = "many"
		err := of.writeConf()
		if err == nil {
			err = s.reload(ctx, of, "configuration not reloaded")
		}
		of.options = good
		if back := of.writeConf(); back != nil {
			return back
		}
		return err
	}}
}
