package bootstrap_test

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"testing"

	"understudy/bootstrap"
	"understudy/messages"
)

// hosts is a name server that can be changed.
type hosts struct {
	mu   sync.Mutex
	addr map[string]string // "": no such name; absent: the server does not answer
}

func (h *hosts) set(name, addr string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.addr[name] = addr
}

func (h *hosts) forget(name string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.addr, name)
}

func (h *hosts) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	addr, ok := h.addr[host]
	if !ok {
		return nil, &net.DNSError{Err: "server misbehaving", Name: host, IsTemporary: true}
	}
	if addr == "" {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	return []netip.Addr{netip.MustParseAddr(addr)}, nil
}

// TestPlacementNames: a host name is looked up again at every poll; a name server
// that does not answer changes nothing, one that knows no such name does.
func TestPlacementNames(t *testing.T) {
	dns := &hosts{addr: map[string]string{}}
	pt := newPlacementTest(t, func(c *bootstrap.PlacementConfig) { c.Resolver, c.ServersPerPort = dns, 1 })
	pt.write(0, ringOf(1, "storage1", "storage2"))
	pt.write(2, ringOf(1, fourNodes...))
	local := func(view *messages.View, want string) {
		t.Helper()
		if got := names(view.Find(0).Local()); got != want {
			t.Fatalf("local %q, want %q", got, want)
		}
	}
	v1 := pt.poll(nil)
	local(v1, "")
	pt.unchanged(v1)
	dns.set("storage1", "10.0.0.1")
	dns.set("storage2", "10.0.0.2")
	v2 := pt.next(v1)
	local(v2, "sd0")
	if v2.Find(2) != v1.Find(2) {
		t.Error("the other policy's ring changed")
	}
	dns.forget("storage1")
	dns.forget("storage2")
	pt.unchanged(v2)
	dns.set("storage1", "10.0.0.5")
	dns.set("storage2", "10.0.0.1")
	v3 := pt.next(v2)
	local(v3, "sd1")
	dns.set("storage2", "")
	v4 := pt.next(v3)
	local(v4, "")
	dns.forget("storage2")
	pt.unchanged(v4)
	local(v2, "sd0")
}
