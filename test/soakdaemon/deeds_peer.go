package main

import (
	"context"
	"fmt"
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
