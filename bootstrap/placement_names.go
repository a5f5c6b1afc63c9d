package bootstrap

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
)

// HostResolver looks up the host names of rings. *net.Resolver is one.
type HostResolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// stickyResolver remembers the last good answer for each host name and gives it
// again when a look-up fails, unless the answer is that there is no such name.
//
// Unlike Swift: a name server that is down does not make this node's devices
// those of nobody, which would stop their work.
type stickyResolver struct {
	resolver HostResolver
	mu       sync.Mutex
	known    map[string][]netip.Addr
}

func newStickyResolver(r HostResolver) *stickyResolver {
	return &stickyResolver{resolver: r, known: map[string][]netip.Addr{}}
}

// LookupNetIP implements HostResolver and ring.Resolver.
func (s *stickyResolver) LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error) {
	addrs, err := s.resolver.LookupNetIP(ctx, network, host)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		s.known[host] = addrs
		return addrs, nil
	}
	if dns := (*net.DNSError)(nil); errors.As(err, &dns) && dns.IsNotFound {
		delete(s.known, host)
	}
	if known, ok := s.known[host]; ok {
		return known, nil
	}
	return nil, err
}
