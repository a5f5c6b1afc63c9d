package fleet

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/asynkron/protoactor-go/cluster"

	"understudy/bootstrap/remoteapi"
	"understudy/messages/controlpb"
)

// StaticConfig says where the others are.
type StaticConfig struct {
	Seeds []string      // ip:port of all members; this one may be among them
	Every time.Duration // between two questions to each; 0: 1 s
	Lost  time.Duration // after which a member that does not answer is none; 0: 5 s
}

// Static is a provider for a fixed list of addresses, without a server. Each member asks
// each address who is there, over the remoting that all messages take, so that nobody is a
// member who has no certificate. What one member sees, no other is told.
type Static struct {
	c StaticConfig

	cluster *cluster.Cluster
	cancel  context.CancelFunc
	ended   sync.WaitGroup

	mu   sync.Mutex
	self *cluster.Member
	seen map[string]*sight
}

// sight is what is known of one address.
type sight struct {
	member *cluster.Member // nil: nobody is there
	name   string          // of the member
	last   time.Time       // when it has answered
	times  int             // how often it has come: the library bans an id for ever that has left
}

var _ cluster.ClusterProvider = (*Static)(nil)

// NewStatic makes one, for one member.
func NewStatic(c StaticConfig) *Static {
	if c.Every <= 0 {
		c.Every = time.Second
	}
	if c.Lost <= 0 {
		c.Lost = 5 * time.Second
	}
	return &Static{c: c, seen: map[string]*sight{}}
}

// StartMember implements cluster.ClusterProvider.
func (s *Static) StartMember(c *cluster.Cluster) error {
	host, port, err := c.ActorSystem.GetHostPort()
	if err != nil {
		return fmt.Errorf("start the provider: %w", err)
	}
	s.self = &cluster.Member{Id: c.ActorSystem.ID, Host: host, Port: int32(port), Kinds: c.GetClusterKinds()}
	return s.start(c)
}

// StartClient implements cluster.ClusterProvider.
func (s *Static) StartClient(c *cluster.Cluster) error { return s.start(c) }

func (s *Static) start(c *cluster.Cluster) error {
	s.cluster = c
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	s.publish()
	for _, address := range s.c.Seeds {
		if address != c.ActorSystem.Address() {
			s.seen[address] = &sight{}
		}
	}
	for address := range s.seen {
		s.ended.Go(func() { s.watch(ctx, address) })
	}
	return nil
}

// Shutdown implements cluster.ClusterProvider.
func (s *Static) Shutdown(bool) error {
	if s.cancel != nil {
		s.cancel()
	}
	s.ended.Wait()
	return nil
}

// watch asks one address again and again.
func (s *Static) watch(ctx context.Context, address string) {
	tick := time.NewTicker(s.c.Every)
	defer tick.Stop()
	for {
		who := s.ask(ctx, address)
		if ctx.Err() != nil {
			return
		}
		if s.note(address, who) {
			s.publish()
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func (s *Static) ask(ctx context.Context, address string) *controlpb.Identity {
	ctx, cancel := context.WithTimeout(ctx, s.c.Every)
	defer cancel()
	r, err := remoteapi.Ask(ctx, s.cluster.ActorSystem, actor.NewPID(address, remoteapi.FacadeName),
		&controlpb.Request{Command: &controlpb.Request_GetIdentity{GetIdentity: &controlpb.GetIdentity{}}})
	if err != nil || r.GetIdentity().GetNode() == "" {
		return nil
	}
	return r.GetIdentity()
}

// note takes an answer in, nil for none, and tells whether it changes who is there.
func (s *Static) note(address string, who *controlpb.Identity) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, now := s.seen[address], time.Now()
	switch {
	case who == nil && (at.member == nil || now.Sub(at.last) < s.c.Lost):
		return false
	case who == nil:
		at.member, at.name = nil, ""
		return true
	}
	at.last = now
	if at.member != nil && at.name == who.Node {
		// Its process may be another one, which changes nothing: it has the address and the
		// name. To tell the library that a member has left closes the connections to the
		// address, the new ones, too, with what is being said.
		return false
	}
	at.member, at.name = s.memberAt(address, who, at), who.Node
	return true
}

func (s *Static) memberAt(address string, who *controlpb.Identity, at *sight) *cluster.Member {
	at.times++
	host, port, _ := net.SplitHostPort(address)
	n, _ := strconv.Atoi(port)
	id := fmt.Sprintf("%s#%d", who.Incarnation, at.times)
	return &cluster.Member{Id: id, Host: host, Port: int32(n), Kinds: []string{Kind, KindOf(who.Node)}}
}

// publish tells the cluster who is there.
func (s *Static) publish() {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all cluster.Members
	if s.self != nil {
		all = append(all, s.self)
	}
	for _, at := range s.seen {
		if at.member != nil {
			all = append(all, at.member)
		}
	}
	s.cluster.MemberList.UpdateClusterTopology(all)
}
