package fleet

import (
	"maps"
	"net"
	"slices"
	"strings"
	"sync"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/asynkron/protoactor-go/cluster"
	"github.com/asynkron/protoactor-go/eventstream"

	"understudy/bootstrap/remoteapi"
	"understudy/messages"
)

// lookup leads from the name of a node to its facade. It activates nothing. It keeps what
// it is told of members: the library's own list is read there without a lock.
type lookup struct {
	system *actor.ActorSystem
	heard  *eventstream.Subscription

	mu    sync.RWMutex
	where map[string]string // address by the name of the node
}

// Get implements cluster.IdentityLookup.
func (l *lookup) Get(who *cluster.ClusterIdentity) *actor.PID {
	l.mu.RLock()
	defer l.mu.RUnlock()
	address, known := l.where[who.Identity]
	if who.Kind != Kind || !known {
		return nil
	}
	return actor.NewPID(address, remoteapi.FacadeName)
}

// RemovePid implements cluster.IdentityLookup.
func (*lookup) RemovePid(*cluster.ClusterIdentity, *actor.PID) {}

// Setup implements cluster.IdentityLookup.
func (l *lookup) Setup(c *cluster.Cluster, _ []string, _ bool) {
	l.system = c.ActorSystem
	l.heard = l.system.EventStream.Subscribe(func(m any) {
		if t, ok := m.(*cluster.ClusterTopology); ok {
			where := places(t.Members)
			l.mu.Lock()
			l.where = where
			l.mu.Unlock()
		}
	})
}

// Shutdown implements cluster.IdentityLookup.
func (l *lookup) Shutdown() {
	if l.heard != nil {
		l.system.EventStream.Unsubscribe(l.heard)
	}
}

// facadeOf is the address of the one member whose host is a node of the ring, "" when
// there is none or more than one.
func (l *lookup) facadeOf(n messages.Node) (address string) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	for _, ip := range []string{n.ReplicationIP, n.IP} {
		found := 0
		for _, at := range l.where {
			if host, _, err := net.SplitHostPort(at); err == nil && host == ip {
				address = at
				found++
			}
		}
		if found > 0 {
			if found > 1 {
				address = ""
			}
			return address
		}
	}
	return ""
}

func (l *lookup) names() []string {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return slices.Sorted(maps.Keys(l.where))
}

// places are the addresses of members by the names of their nodes.
func places(all []*cluster.Member) map[string]string {
	where := map[string]string{}
	for _, m := range all {
		for _, kind := range m.Kinds {
			if name, ok := strings.CutPrefix(kind, Kind+"@"); ok {
				where[name] = m.Address()
			}
		}
	}
	return where
}
