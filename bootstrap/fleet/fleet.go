// Package fleet makes a cluster of nodes that embed an engine: members find each other
// without a server of their own, and each node is asked by its name.
//
// The library's ways are not ours. Its identity lookup moves grains to other members and
// poisons them when members come and go; an engine belongs to the disks of its machine.
// Its gossip bans for ever whoever was silent for 20 s, which heavy replication can bring
// about, and parses what any member sends it. So there are no grains here and no gossip:
// who is a member is what each sees itself, by asking the others' facades over the same
// mutual TLS, and a name leads straight to the facade of its node.
package fleet

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/asynkron/protoactor-go/cluster"

	"understudy/bootstrap/remoteapi"
	"understudy/messages/controlpb"
)

// Kind is the cluster kind of all facades: Cluster.Request(name, Kind, request).
const Kind = "replicator"

// KindOf is the kind that only one node has, by which other providers than Static tell
// members apart.
func KindOf(node string) string { return Kind + "@" + node }

// Config says how a member joins.
type Config struct {
	Cluster  string           // name of the cluster
	Remote   remoteapi.Config // Node is this member's name
	Provider Provider         // nil: a Static of no other members

	// Admission is that of the engine's Parts; nil: pushes begin at once, and others that
	// ask are told so.
	Admission *remoteapi.Admission
}

// Provider is a cluster.ClusterProvider: Static, or one of the library's.
type Provider = cluster.ClusterProvider

// Member is a program that is in a cluster.
type Member struct {
	Node    *remoteapi.Node
	Cluster *cluster.Cluster

	provider Provider
	lookup   *lookup
}

// Join makes an actor system a member, and its engine reachable by the name of its node.
// Call it before anything is spawned there. It takes a second, which the library sleeps.
// A nil engine makes a member that only asks.
func Join(system *actor.ActorSystem, e remoteapi.Engine, c Config) (m *Member, err error) {
	if c.Remote.Node == "" {
		return nil, errors.New("join the cluster: the node has no name")
	}
	node, remoting, err := remoteapi.Prepare(system, c.Remote)
	if err != nil {
		return nil, err
	}
	if c.Provider == nil {
		c.Provider = NewStatic(StaticConfig{})
	}
	where := &lookup{}
	settings := cluster.Configure(c.Cluster, c.Provider, where, remoting, cluster.WithKinds(kinds(e, c.Remote.Node)...))
	settings.GossipInterval, settings.HeartbeatExpiration = math.MaxInt64, 0 // never
	defer func() {
		if r := recover(); r != nil {
			m, err = nil, fmt.Errorf("join the cluster: %v", r)
		}
	}()
	m = &Member{Node: node, Cluster: cluster.New(system, settings), provider: c.Provider, lookup: where}
	m.Cluster.StartMember()
	if e != nil {
		if c.Admission != nil {
			c.Admission.FindBy(where.facadeOf)
		}
		if _, err := node.ServeWith(e, "", c.Admission); err != nil {
			return nil, errors.Join(err, m.Leave())
		}
	}
	return m, nil
}

// kinds are those of a member. Nothing is ever activated: the lookup leads to facades.
func kinds(e remoteapi.Engine, node string) []*cluster.Kind {
	if e == nil {
		return nil
	}
	nobody := actor.PropsFromFunc(func(actor.Context) {})
	return []*cluster.Kind{cluster.NewKind(Kind, nobody), cluster.NewKind(KindOf(node), nobody)}
}

// Ask asks a node by its name, whatever member it is, for at most timeout.
func (m *Member) Ask(node string, q *controlpb.Request, timeout time.Duration) (*controlpb.Reply, error) {
	q.Version = controlpb.Version
	answer, err := m.Cluster.Request(node, Kind, q, cluster.WithTimeout(timeout), cluster.WithRetryCount(1))
	if err != nil {
		return nil, fmt.Errorf("ask node %s: %w", node, err)
	}
	r, ok := answer.(*controlpb.Reply)
	if !ok {
		return nil, fmt.Errorf("ask node %s: %T is no reply", node, answer)
	}
	return r, nil
}

// Names are those of the members that can be asked.
func (m *Member) Names() []string { return m.lookup.names() }

// Leave takes the member out of the cluster and makes it unreachable. The actor system
// goes on; it cannot join again.
func (m *Member) Leave() error {
	// Not Cluster.Shutdown: it shuts the host's actor system down, and sleeps.
	err := m.provider.Shutdown(true)
	m.lookup.Shutdown()
	m.Cluster.Gossip.Shutdown()
	return errors.Join(err, m.Node.Stop())
}
