package remoteapi

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"understudy/actors"
	"understudy/messages/controlpb"
)

// Client asks facades of nodes. It has an actor system of its own, and listens: with the
// library's remoting an answer comes by a connection of the node that answers.
type Client struct {
	system *actor.ActorSystem
	node   *Node
}

// NewClient makes a client that answers reach as c says.
func NewClient(c Config) (*Client, error) {
	system := actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger {
		return slog.New(slog.DiscardHandler) // each failure is an error of Ask
	}))
	node, err := Start(system, c)
	if err != nil {
		return nil, err
	}
	return &Client{system: system, node: node}, nil
}

// Close ends all connections.
func (c *Client) Close() error {
	err := c.node.Stop()
	c.system.Shutdown()
	return err
}

// Ask asks the facade of a node, found at host:port. It waits until ctx ends, 10 s if ctx
// has no end. What the facade refuses is an Error in the Reply; the error is a node that
// does not answer.
func (c *Client) Ask(ctx context.Context, address string, m *controlpb.Request) (*controlpb.Reply, error) {
	return Ask(ctx, c.system, actor.NewPID(address, FacadeName), m)
}

// Ask asks a facade from any actor system that Start has made reachable. It must not be
// called in an actor's Receive: it waits.
func Ask(ctx context.Context, system *actor.ActorSystem, facade *actor.PID, m *controlpb.Request) (*controlpb.Reply, error) {
	if m.Version == 0 {
		m.Version = controlpb.Version
	}
	wait := answerLimit
	if end, ok := ctx.Deadline(); ok {
		wait = time.Until(end)
	}
	if wait <= 0 {
		return nil, fmt.Errorf("ask %s: %w", facade.Address, context.DeadlineExceeded)
	}
	type got struct {
		answer any
		err    error
	}
	// The first message to an address connects, in the goroutine that sends it.
	answers := make(chan got, 1)
	go func() {
		answer, err := system.Root.RequestFuture(facade, m, wait).Result()
		answers <- got{answer, err}
	}()
	select {
	case a := <-answers:
		if a.err != nil {
			return nil, fmt.Errorf("ask %s: %w", facade.Address, a.err)
		}
		reply, ok := a.answer.(*controlpb.Reply)
		if !ok {
			return nil, fmt.Errorf("ask %s: %T is no reply", facade.Address, a.answer)
		}
		return reply, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("ask %s: %w", facade.Address, ctx.Err())
	}
}

// Events has the events of a node told until ctx ends, which is its only error unless the
// node refuses. tell must return soon: events wait meanwhile. A node that goes away is
// asked again for as long as ctx lasts.
func (c *Client) Events(ctx context.Context, address string, tell func(*controlpb.Event)) error {
	refused := make(chan error, 1)
	facade := actor.NewPID(address, FacadeName)
	ear := c.system.Root.SpawnPrefix(actor.PropsFromFunc(func(a actor.Context) {
		switch m := a.Message().(type) {
		case *controlpb.Event:
			tell(m)
		case *controlpb.Reply:
			if e := m.GetError(); e != nil {
				select {
				case refused <- errors.New(e.Message):
				default:
				}
			}
		case *renew:
			a.Request(facade, &controlpb.Request{Version: controlpb.Version, Command: &controlpb.Request_Subscribe{Subscribe: &controlpb.Subscribe{}}})
		case *leave:
			a.Request(facade, &controlpb.Request{Version: controlpb.Version, Command: &controlpb.Request_Unsubscribe{}})
		}
	}), "events-")
	c.node.Admit(ear)
	defer func() {
		c.node.Dismiss(ear)
		_ = actors.StopWithin(c.system, ear, stopLimit)
	}()
	again := time.NewTicker(leaseDefault / 3)
	defer again.Stop()
	for {
		c.system.Root.Send(ear, &renew{})
		select {
		case <-ctx.Done():
			c.system.Root.Send(ear, &leave{})
			return ctx.Err()
		case err := <-refused:
			return fmt.Errorf("hear the events of %s: %w", address, err)
		case <-again.C:
		}
	}
}

type (
	renew struct{} // asks for the next lease
	leave struct{} // gives it back
)
