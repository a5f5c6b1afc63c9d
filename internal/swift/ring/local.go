package ring

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// Resolver looks up host names. *net.Resolver is one.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

const (
	resolveTimeout = 10 * time.Second // for all names of a ring together
	resolveAtOnce  = 16
)

// MyIPs are the addresses by which a ring can mean this node: the address that
// the server is bound to, or those of all interfaces, loopback included, when
// it is bound to all or to a host name. Swift: common/utils whataremyips.
func MyIPs(bindIP string) ([]string, error) {
	if addr, err := netip.ParseAddr(bindIP); err == nil && !addr.IsUnspecified() {
		return []string{bindIP}, nil
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return nil, fmt.Errorf("list the addresses of the interfaces: %w", err)
	}
	var ips []string
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok {
			ips = append(ips, n.IP.String())
		}
	}
	return ips, nil
}

// HasHostnames tells whether Local depends on a resolver's answers.
func (r *Ring) HasHostnames() bool { return r.hostnames }

// Local are the devices whose replication address is one of ips and, unless
// anyPort, whose replication port is port. Host names count with all their
// addresses; one that cannot be resolved in time is not local.
// Swift: common/ring/utils is_local_device.
//
// Unlike Swift: both sides of the comparison are made canonical, not only the
// ring's, so that bind_ip = FD00::1 finds fd00::1.
func (r *Ring) Local(ctx context.Context, ips []string, port int, anyPort bool, resolve Resolver) []*Device {
	mine := map[string]bool{}
	for _, ip := range ips {
		mine[canonical(ip)] = true
	}
	byName := map[string]bool{} // host name: is it this node
	if r.hostnames {
		var names []string
		for _, d := range r.devices {
			if d == nil || !anyPort && d.ReplicationPort != port || !isHostname(d.ReplicationIP) {
				continue
			}
			if _, known := byName[d.ReplicationIP]; !known {
				byName[d.ReplicationIP] = false
				names = append(names, d.ReplicationIP)
			}
		}
		for i, addrs := range lookup(ctx, names, resolve) {
			for _, a := range addrs {
				if mine[a.Unmap().WithZone("").String()] {
					byName[names[i]] = true
				}
			}
		}
	}
	var local []*Device
	for _, d := range r.devices {
		if d == nil || !anyPort && d.ReplicationPort != port {
			continue
		}
		if mine[canonical(d.ReplicationIP)] || byName[d.ReplicationIP] {
			local = append(local, d)
		}
	}
	return local
}

// lookup resolves names, some at a time, and gives up on the rest at the deadline.
func lookup(ctx context.Context, names []string, resolve Resolver) [][]netip.Addr {
	ctx, cancel := context.WithTimeout(ctx, resolveTimeout)
	defer cancel()
	found := make([][]netip.Addr, len(names))
	slots := make(chan struct{}, resolveAtOnce)
	var wg sync.WaitGroup
	for i, name := range names {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			if addrs, err := resolve.LookupNetIP(ctx, "ip", name); err == nil {
				found[i] = addrs
			}
		})
	}
	wg.Wait()
	return found
}

// canonical writes an IPv6 address in its shortest form and leaves anything
// else as it is. Swift: common/utils expand_ipv6.
func canonical(ip string) string {
	if addr, err := netip.ParseAddr(ip); err == nil && addr.Zone() == "" {
		return addr.String()
	}
	return ip
}

// isIP tells addresses from names. Swift: common/utils is_valid_ip.
func isIP(s string) bool {
	addr, err := netip.ParseAddr(s)
	return err == nil && addr.Zone() == ""
}

// isHostname tells whether a name is one to resolve.
// Swift: common/ring/utils is_valid_hostname.
func isHostname(s string) bool {
	if isIP(s) || s == "" || len(s) > 255 {
		return false
	}
	for label := range strings.SplitSeq(strings.TrimSuffix(s, "."), ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for _, c := range []byte(label) {
			if !(c == '-' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z') {
				return false
			}
		}
	}
	return true
}
