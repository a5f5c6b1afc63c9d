package main

import (
	"context"
	"fmt"

	"understudy/internal/cluster"
)

// stocked tells whether a node's replicator is Swift's own. Clients write to none of
// its disks as to a handoff: it removes a handoff as a tree, with what has come into it
// meanwhile (TestLoss… in test/interop), and that must not be blamed on ours.
func (s *soak) stocked(n *cluster.Node) bool { return s.o.stock && n.Number == nodes }

// startStock starts Swift's own replicator.
func (s *soak) startStock() (err error) {
	n := s.c.Nodes[nodes-1]
	d := &daemon{node: n, options: s.drawOptions()}
	if err := d.writeConf(); err != nil {
		return err
	}
	if s.stock, err = n.StartReplicator(cluster.Stock); err == nil {
		s.note("Swift's own replicator runs on node %d as %d: %v", n.Number, s.stock.PID(), d.options)
	}
	return err
}

// killStock kills Swift's own replicator and starts another one.
func (s *soak) killStock() *deed {
	if !s.o.stock || s.blind() {
		return nil
	}
	return &deed{kind: "kill -9 stock replicator", on: fmt.Sprint(nodes), do: func(context.Context) error {
		if err := s.stock.Kill(); err != nil {
			return err
		}
		return s.startStock()
	}}
}

// relieve puts ours in the place of Swift's own, for the end of the soak.
func (s *soak) relieve() error {
	if !s.o.stock {
		return nil
	}
	if err := s.stock.Kill(); err != nil {
		return err
	}
	d := &daemon{node: s.c.Nodes[nodes-1], options: s.drawOptions(), mutable: s.o.apart}
	s.daemons = append(s.daemons, d)
	return s.start(d)
}
