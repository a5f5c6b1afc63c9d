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
	if d.node.Number == steady || s.blind() {
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

// reloadGood gives a daemon another configuration, which it must take. Beside a spoilt
// ring file it keeps the ring that it has.
func (s *soak) reloadGood() *deed {
	of, options := pick(s.rnd, s.daemons...), s.drawOptions()
	if s.rnd.IntN(3) == 0 {
		of = s.daemons[steady-1] // nothing else happens to it
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
