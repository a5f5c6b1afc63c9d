// Fleet is three storage nodes in a cluster, each a program that embeds an engine: who is
// there finds each other without a server, and each node is asked by its name. It ends by
// itself and needs nothing but Go.
//
//	go run ./examples/fleet
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"understudy/bootstrap/fleet"
	"understudy/messages/controlpb"
)

const enough = time.Minute

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run is the show, or with arguments one node of it, in a process of its own.
func run(ctx context.Context, args []string, out io.Writer) error {
	if len(args) > 0 {
		return runNode(ctx, args, os.Stdin)
	}
	dir, err := os.MkdirTemp("", "fleet")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	s, err := newStage(ctx, dir)
	if err != nil {
		return err
	}
	return errors.Join(show(s, out), s.close())
}

// show asks all nodes by name, takes one away and brings it back.
func show(s *stage, out io.Writer) error {
	for i := range s.nodes {
		if err := s.start(i); err != nil {
			return err
		}
	}
	operator, err := s.operator()
	if err != nil {
		return err
	}
	defer operator.Leave()
	say := func(what string, want ...string) error {
		if err := awaitMembers(operator, want); err != nil {
			return err
		}
		fmt.Fprintln(out, what)
		return states(operator, out)
	}
	if err := say("three nodes:", "n1", "n2", "n3"); err != nil {
		return err
	}
	s.kill(1)
	if err := say("n2 was killed:", "n1", "n3"); err != nil {
		return err
	}
	if err := s.start(1); err != nil {
		return err
	}
	return say("n2 is back:", "n1", "n2", "n3")
}

func states(m *fleet.Member, out io.Writer) error {
	for _, name := range m.Names() {
		r, err := m.Ask(name, &controlpb.Request{Command: &controlpb.Request_GetStatus{GetStatus: &controlpb.GetStatus{}}}, enough)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "  %s is %s, %d device(s)\n", name, r.GetStatus().GetState(), len(r.GetStatus().GetDevices()))
	}
	return nil
}

func awaitMembers(m *fleet.Member, want []string) error {
	for end := time.Now().Add(enough); ; time.Sleep(50 * time.Millisecond) {
		if fmt.Sprint(m.Names()) == fmt.Sprint(want) {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("members are %v, not %v", m.Names(), want)
		}
	}
}
