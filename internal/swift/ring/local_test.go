package ring

import (
	"context"
	"errors"
	"net/netip"
	"os/exec"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// fakeNames answers look-ups from a map; "slow" names answer when the caller gives up.
type fakeNames map[string][]string

var lookups atomic.Int32

func (f fakeNames) LookupNetIP(ctx context.Context, _, host string) ([]netip.Addr, error) {
	lookups.Add(1)
	if strings.HasPrefix(host, "slow") {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if f[host] == nil {
		return nil, errors.New("no such host")
	}
	var addrs []netip.Addr
	for _, a := range f[host] {
		addrs = append(addrs, netip.MustParseAddr(a))
	}
	return addrs, nil
}

// localRing has one device for each replication ip, all on port 6200 but the last.
func localRing(ips ...string) *Ring {
	r := &Ring{devices: []*Device{nil}}
	for _, ip := range ips {
		r.devices = append(r.devices, &Device{ID: len(r.devices), IP: "192.0.2.1", ReplicationIP: ip, ReplicationPort: 6200})
		r.hostnames = r.hostnames || !isIP(ip)
	}
	r.devices[len(ips)].ReplicationPort = 6201
	return r
}

func TestLocal(t *testing.T) {
	names := fakeNames{"storage1": {"10.0.0.9", "10.0.0.1"}, "storage6.": {"fd00::1"}, "mapped": {"::ffff:10.0.0.1"}, "other": {"10.0.0.7"}}
	for name, c := range map[string]struct {
		ring    []string
		mine    []string
		anyPort bool
		want    []int
	}{
		"replication ip only": {[]string{"10.0.0.1", "10.0.0.2", "10.0.0.1"}, []string{"10.0.0.1", "192.0.2.1"}, false, []int{1}},
		"any port":            {[]string{"10.0.0.1", "10.0.0.2", "10.0.0.1"}, []string{"10.0.0.1"}, true, []int{1, 3}},
		"ipv6 forms":          {[]string{"FD00:0::1", "fd00::1", "fd00::2", ""}, []string{"fd00::1"}, false, []int{1, 2}},
		"ipv6 forms of ours":  {[]string{"fd00::1", ""}, []string{"FD00:0:0::1"}, false, []int{1}},
		"host names":          {[]string{"storage1", "other", "storage6.", "mapped", "nobody", "storage1"}, []string{"10.0.0.1", "fd00::1"}, false, []int{1, 3, 4}},
		"no host name":        {[]string{"bad_name", "-x", "storage1-", ""}, []string{"bad_name"}, false, []int{1}}, // as Swift: compared as they are
		"none":                {[]string{"10.0.0.1"}, nil, true, nil},
	} {
		t.Run(name, func(t *testing.T) {
			got := localRing(c.ring...).Local(t.Context(), c.mine, 6200, c.anyPort, names)
			if len(got) != len(c.want) || len(got) > 0 && !sameIDs(ids(got), c.want) {
				t.Errorf("got %v, want %v", ids(got), c.want)
			}
		})
	}
}

// TestLocalDeadline has a thousand names that no server answers for.
func TestLocalDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		names := []string{"storage1", "storage1"}
		for range 1000 {
			names = append(names, "slow"+strings.Repeat("x", len(names)%50)+string(rune('a'+len(names)%26)))
		}
		start := time.Now()
		lookups.Store(0)
		got := localRing(names...).Local(t.Context(), []string{"10.0.0.1"}, 6200, false, fakeNames{"storage1": {"10.0.0.1"}})
		if !sameIDs(ids(got), []int{1, 2}) {
			t.Errorf("got %v", ids(got))
		}
		if d := time.Since(start); d != resolveTimeout {
			t.Errorf("took %v", d)
		}
		if n := lookups.Load(); n > 1001 || n < 100 {
			t.Errorf("%d look-ups", n)
		}
	})
}

func TestMyIPs(t *testing.T) {
	for _, ip := range []string{"10.0.0.1", "FD00::1", "127.0.0.1"} {
		if got, err := MyIPs(ip); err != nil || !slices.Equal(got, []string{ip}) {
			t.Errorf("%s: %v, %v", ip, got, err)
		}
	}
	out, err := exec.Command("/usr/bin/python3", "-c",
		"from swift.common.utils import whataremyips; print(*whataremyips('0.0.0.0'))").Output()
	if err != nil {
		t.Fatalf("ask Swift: %v", err)
	}
	want := strings.Fields(string(out))
	slices.Sort(want)
	for _, ip := range []string{"", "0.0.0.0", "::", "0:0::0", "localhost"} {
		got, err := MyIPs(ip)
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(got)
		if !slices.Equal(got, want) || !slices.Contains(got, "127.0.0.1") {
			t.Errorf("%q: %v, Swift says %v", ip, got, want)
		}
	}
}
