package fleet

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"understudy/messages/controlpb"
)

// Asker asks the facade of a node: a remoteapi.Client.
type Asker interface {
	Ask(ctx context.Context, address string, m *controlpb.Request) (*controlpb.Reply, error)
}

// Node is one node as it answers.
type Node struct {
	Name    string
	Address string
	Status  *controlpb.Status // nil: there was no answer
	Err     error
}

// Status asks all nodes at once, each for patience at the most. The nodes come back in the
// order of their names.
func Status(ctx context.Context, ask Asker, c *Conf, patience time.Duration) []Node {
	names := c.Names()
	nodes := make([]Node, len(names))
	var all sync.WaitGroup
	for i, name := range names {
		nodes[i] = Node{Name: name, Address: c.Nodes[name]}
		all.Go(func() { nodes[i].Status, nodes[i].Err = statusOf(ctx, ask, nodes[i].Address, patience) })
	}
	all.Wait()
	return nodes
}

func statusOf(ctx context.Context, ask Asker, address string, patience time.Duration) (*controlpb.Status, error) {
	r, err := question(ctx, ask, address, patience, &controlpb.Request{Command: &controlpb.Request_GetStatus{GetStatus: &controlpb.GetStatus{}}})
	if err != nil {
		return nil, err
	}
	if r.GetStatus() == nil {
		return nil, fmt.Errorf("%s answers without a status", address)
	}
	return r.GetStatus(), nil
}

// question asks one node, and makes an error of what it refuses.
func question(ctx context.Context, ask Asker, address string, patience time.Duration, m *controlpb.Request) (*controlpb.Reply, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	r, err := ask.Ask(ctx, address, m)
	if err != nil {
		return nil, err
	}
	if e := r.GetError(); e != nil {
		return nil, errors.New(e.GetMessage())
	}
	return r, nil
}

// DefaultSocket is the control_socket of a daemon whose configuration names none.
const DefaultSocket = "/var/cache/swift/understudy/control.sock"

// Resume ends the pause of a node. One that is not paused is an error.
func Resume(ctx context.Context, ask Asker, address string, patience time.Duration) error {
	m := &controlpb.Request{Command: &controlpb.Request_Resume{Resume: &controlpb.Resume{Scope: controlpb.Scope_NODE}}}
	_, err := question(ctx, ask, address, patience, m)
	return err
}
