package main

import (
	"context"
	"fmt"
	"os/exec"
	"syscall"

	"understudy/internal/cluster"
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
// connected already is silent. What it sends itself gets through.
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
	return d
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
