package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"understudy/internal/cluster"
	"understudy/internal/observe/control"
	"understudy/internal/observe/status"
)

// drawPeer draws a node whose servers are at work, while all other nodes' are.
func (s *soak) drawPeer(kind string) *deed {
	node := pick(s.rnd, s.c.Nodes...)
	if s.any(func(i *ill) bool { return i.peer }) || s.leaving(node) {
		return nil
	}
	return &deed{kind: kind, on: fmt.Sprint(node.Number), node: node, peer: true}
}

func (s *soak) stopServer() *deed {
	return s.stop("stop object server", (*cluster.Node).SignalServer)
}

func (s *soak) stopRsyncd() *deed {
	return s.stop("stop rsyncd", (*cluster.Node).SignalRsyncd)
}

func (s *soak) stop(kind string, signal func(*cluster.Node, syscall.Signal) error) *deed {
	d := s.drawPeer(kind)
	if d != nil {
		d.do = func(context.Context) error { return signal(d.node, syscall.SIGSTOP) }
		d.cure = func(context.Context) error { return signal(d.node, syscall.SIGCONT) }
	}
	return d
}

// cutOff takes a node off the network: who connects to it is told so at once, and what is
// connected already is silent. If its daemon is ours, half of the time it reaches nobody
// either.
func (s *soak) cutOff() *deed {
	if !s.o.apart {
		return nil // others share this network
	}
	d := s.drawPeer("cut off")
	if d == nil || s.held(d.node) {
		return nil
	}
	route := func(verb string) func(context.Context) error {
		return func(ctx context.Context) error {
			out, err := exec.CommandContext(ctx, "ip", "route", verb, "unreachable", d.node.IP+"/32", "table", "local").CombinedOutput()
			if err != nil {
				return fmt.Errorf("%s the route to node %d: %w: %s", verb, d.node.Number, err, out)
			}
			return nil
		}
	}
	d.do, d.cure = route("add"), route("del")
	if s.rnd.IntN(2) == 0 || s.stocked(d.node) || s.paused(d.node) {
		return d
	}
	d.kind = "cut off both ways"
	d.do = func(ctx context.Context) error { return errors.Join(route("add")(ctx), mute(ctx, d.node)) }
	d.cure = func(ctx context.Context) error {
		if err := route("del")(ctx); err != nil {
			return err
		}
		if err := speak(ctx, d.node); err != nil { // it ends by itself, if it is still in force
			s.note("the silence of daemon %d was not to be ended: %v", d.node.Number, err)
		}
		return nil
	}
	return d
}

// silence is a fault plan: what a daemon sends is lost, and its rsyncs reach nobody.
const (
	silence = "net : cut\nrsync : exit 10\n"
	silent  = time.Minute
)

func mute(ctx context.Context, n *cluster.Node) error {
	_, err := control.NewClient(controlSocket(n)).Do(ctx, status.ApplyFaults{Plan: silence, For: silent})
	return err
}

func speak(ctx context.Context, n *cluster.Node) error {
	_, err := control.NewClient(controlSocket(n)).Do(ctx, status.ClearFaults{})
	return err
}

func controlSocket(n *cluster.Node) string {
	return filepath.Join(n.CachePath(), "understudy", "control.sock")
}

// restartServer restarts an object server of which no thread hangs: it must end first.
func (s *soak) restartServer() *deed {
	d := s.drawPeer("restart object server")
	if d == nil || s.held(d.node) {
		return nil
	}
	d.peer = false
	d.do = d.node.RestartServer
	return d
}
