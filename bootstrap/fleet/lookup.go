package fleet

import (
	"slices"
	"strings"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/asynkron/protoactor-go/cluster"

	"understudy/bootstrap/remoteapi"
)

// lookup leads from the name of a node to its facade. It activates nothing.
type lookup struct{ cluster *cluster.Cluster }

// Get implements cluster.IdentityLookup.
func (l *lookup) Get(who *cluster.ClusterIdentity) *actor.PID {
	if who.Kind != Kind {
		return nil
	}
	for _, m := range l.cluster.MemberList.Members().Members() {
		if slices.Contains(m.Kinds, KindOf(who.Identity)) {
			return actor.NewPID(m.Address(), remoteapi.FacadeName)
		}
	}
	return nil
}

// RemovePid implements cluster.IdentityLookup.
func (*lookup) RemovePid(*cluster.ClusterIdentity, *actor.PID) {}

// Setup implements cluster.IdentityLookup.
func (l *lookup) Setup(c *cluster.Cluster, _ []string, _ bool) { l.cluster = c }

// Shutdown implements cluster.IdentityLookup.
func (*lookup) Shutdown() {}

// names are those of members, sorted.
func names(all cluster.Members) (out []string) {
	for _, m := range all {
		for _, kind := range m.Kinds {
			if name, ok := strings.CutPrefix(kind, Kind+"@"); ok {
				out = append(out, name)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
