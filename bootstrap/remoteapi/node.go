package remoteapi

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/asynkron/protoactor-go/remote"

	"understudy/actors"
	"understudy/messages/controlpb"
)

// FacadeName is the name of a node's facade, unless Serve is told another one.
const FacadeName = "understudy"

// stopLimit is how long the library's actors may take to end. One that could not connect
// sleeps for two seconds, and hears nothing meanwhile.
const stopLimit = 5 * time.Second

// The types that the gate knows.
var (
	typeRequest = string((*controlpb.Request)(nil).ProtoReflect().Descriptor().FullName())
	typeReply   = string((*controlpb.Reply)(nil).ProtoReflect().Descriptor().FullName())
	typeEvent   = string((*controlpb.Event)(nil).ProtoReflect().Descriptor().FullName())
)

// Node is an actor system that others reach.
type Node struct {
	name   string
	system *actor.ActorSystem
	remote *remote.Remote
	gate   *gate

	mu      sync.Mutex
	facades []*actor.PID
	admits  []*Admission
	stopped bool
}

// Start makes an actor system reachable. Call it before anything is spawned there: the
// library tells the system its address without a lock. The system has one Node in its
// life. Nothing is reachable before Serve but answers to questions of this system's own.
func Start(system *actor.ActorSystem, c Config) (n *Node, err error) {
	n, remoting, err := Prepare(system, c)
	if err != nil {
		return nil, err
	}
	defer func() {
		if r := recover(); r != nil { // the library panics when the port is taken
			n, err = nil, fmt.Errorf("listen for peers on %s, port %d: %v", c.Address, c.Port, r)
		}
	}()
	n.remote = remote.NewRemote(system, remoting)
	n.remote.Start()
	return n, nil
}

// Prepare is Start for a host that hands the library's configuration on to what starts the
// remoting itself: a cluster. The Node is as good as started when that has.
func Prepare(system *actor.ActorSystem, c Config) (*Node, *remote.Config, error) {
	ip, err := c.check()
	if err != nil {
		return nil, nil, err
	}
	g := newGate(system, c.Log)
	g.admit(futures, typeReply)
	return &Node{name: c.Node, system: system, gate: g}, c.remoting(ip, g), nil
}

// Address is where others find the system: host and port.
func (n *Node) Address() string { return n.system.Address() }

// Serve spawns a facade of an engine; an empty name is FacadeName. Each engine of a system
// has a facade of its own.
func (n *Node) Serve(e Engine, name string) (*actor.PID, error) { return n.ServeWith(e, name, nil) }

// ServeWith is Serve for an engine with an Admission, which must be an Owner. The facade's
// name is FacadeName then: that is where owners are asked.
func (n *Node) ServeWith(e Engine, name string, a *Admission) (*actor.PID, error) {
	if name == "" {
		name = FacadeName
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.stopped {
		return nil, errors.New("serve peers: the node has been stopped")
	}
	if a != nil {
		if name != FacadeName {
			return nil, fmt.Errorf("serve peers as %q: pushes are admitted at %q only", name, FacadeName)
		}
		if err := a.open(n.system, e); err != nil {
			return nil, err
		}
		n.admits = append(n.admits, a)
	}
	pid, err := n.system.Root.SpawnNamed(facadeProps(e, a, n.name, n.gate.log), name)
	if err != nil {
		return nil, fmt.Errorf("serve peers as %q: %w", name, err)
	}
	// Not before: a message that reaches a name while its actor is being spawned wedges it.
	n.gate.admit(pid.Id, typeRequest)
	n.facades = append(n.facades, pid)
	return pid, nil
}

// Admit lets answers and events through to an actor of the host that asks facades of other
// nodes itself, in place of Client. Call it once the actor has been spawned.
func (n *Node) Admit(pid *actor.PID) { n.gate.admit(pid.Id, typeReply, typeEvent) }

// Dismiss ends what Admit has begun.
func (n *Node) Dismiss(pid *actor.PID) { n.gate.shut(pid.Id) }

// Stop ends the facades and closes all connections. The actor system and what else runs in
// it go on, unreachable. A second call does nothing.
func (n *Node) Stop() error {
	n.mu.Lock()
	facades, admits, was := n.facades, n.admits, n.stopped
	n.facades, n.admits, n.stopped = nil, nil, true
	n.mu.Unlock()
	if was {
		return nil
	}
	for _, a := range admits {
		a.close()
	}
	var errs []error
	for _, pid := range facades {
		n.gate.shut(pid.Id)
		errs = append(errs, actors.StopWithin(n.system, pid, stopLimit))
	}
	n.gate.end() // whoever connects to a peer that is gone stops trying
	// Not gracefully: the library's own way races with its connections and may take ten seconds.
	if n.remote == nil {
		n.remote = remote.GetRemote(n.system)
	}
	n.remote.Shutdown(false)
	for _, name := range []string{"EndpointSupervisor", "activator"} {
		errs = append(errs, actors.StopWithin(n.system, actor.NewPID(n.system.Address(), name), stopLimit))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("stop listening for peers: %w", err)
	}
	return nil
}
