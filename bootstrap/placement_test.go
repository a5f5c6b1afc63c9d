package bootstrap_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"understudy/bootstrap"
	"understudy/internal/lab"
	"understudy/internal/swift/ring"
	"understudy/messages"
)

var twoPolicies = []messages.Policy{{Index: 0, Name: "gold"}, {Index: 2, Name: "silver"}}

// ringOf is a ring of four devices on the nodes replicate1 … replicate4, ports 6301 … 6304.
func ringOf(version int64, replicate ...string) lab.RingSpec {
	spec := lab.RingSpec{PartPower: 5, Replicas: 2.5, Version: version}
	for i, ip := range replicate {
		spec.Devices = append(spec.Devices, ring.Device{
			ID: 2 * i, Region: 1, Zone: i, IP: "192.0.2.1", Port: 6200, ReplicationIP: ip, ReplicationPort: 6301 + i,
			Device: fmt.Sprintf("sd%d", i), Weight: 1, Meta: "m",
		})
	}
	return spec
}

var fourNodes = []string{"10.0.0.1", "10.0.0.2", "10.0.0.1", "10.0.0.2"}

type placementTest struct {
	*testing.T
	dir string
	p   *bootstrap.Placement
	log bytes.Buffer
}

func newPlacementTest(t *testing.T, change func(*bootstrap.PlacementConfig)) *placementTest {
	pt := &placementTest{T: t, dir: t.TempDir()}
	config := bootstrap.PlacementConfig{SwiftDir: pt.dir, Policies: twoPolicies, BindIP: "10.0.0.1", BindPort: 6301, Log: zerolog.New(&pt.log)}
	if change != nil {
		change(&config)
	}
	pt.p = bootstrap.NewPlacement(config)
	return pt
}

func (t *placementTest) write(policy int, spec lab.RingSpec) {
	t.Helper()
	if err := lab.WriteRing(bootstrap.RingPath(t.dir, policy), spec); err != nil {
		t.Fatal(err)
	}
}

func (t *placementTest) poll(last *messages.View) *messages.View {
	t.Helper()
	view, err := t.p.Poll(t.Context(), last)
	if err != nil {
		t.Fatal(err)
	}
	return view
}

// unchanged checks that a poll finds nothing new.
func (t *placementTest) unchanged(last *messages.View) {
	t.Helper()
	if view := t.poll(last); view != last {
		t.Fatalf("version %d follows %d, nothing changed", view.Version, last.Version)
	}
}

// next checks that a poll finds something new.
func (t *placementTest) next(last *messages.View) *messages.View {
	t.Helper()
	view := t.poll(last)
	if view == last || view.Version != last.Version+1 {
		t.Fatalf("version %d follows %d", view.Version, last.Version)
	}
	return view
}

func names(nodes []messages.Node) string {
	var out []string
	for _, n := range nodes {
		out = append(out, n.Device)
	}
	return strings.Join(out, " ")
}

// TestPlacementView checks every answer of a messages.Ring against the ring file's.
func TestPlacementView(t *testing.T) {
	pt := newPlacementTest(t, nil)
	pt.write(0, ringOf(1, fourNodes...))
	pt.write(2, lab.RingSpec{PartPower: 3, Replicas: 1, Devices: ringOf(1, "10.0.0.9").Devices, NextPartPower: 4})
	view := pt.poll(nil)
	if view.Version != 1 || len(view.Policies) != 2 || view.Policies[0].Policy != twoPolicies[0] || view.Policies[1].Policy != twoPolicies[1] {
		t.Fatalf("got %+v", view)
	}
	gold, silver := view.Find(0), view.Find(2)
	if gold.Partitions() != 32 || silver.Partitions() != 8 || gold.NextPartPower() || !silver.NextPartPower() {
		t.Errorf("%d and %d partitions, next part power %t and %t", gold.Partitions(), silver.Partitions(), gold.NextPartPower(), silver.NextPartPower())
	}
	if got := names(gold.Devices()); got != "sd0 sd1 sd2 sd3" {
		t.Errorf("devices %s", got)
	}
	want := messages.Node{ID: 2, Region: 1, Zone: 1, IP: "192.0.2.1", Port: 6200, ReplicationIP: "10.0.0.2", ReplicationPort: 6302, Device: "sd1", Meta: "m", Index: -1}
	if got := gold.Devices()[1]; got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := names(gold.Local()); got != "sd0" {
		t.Errorf("local %s", got)
	}
	if got := silver.Local(); len(got) != 0 {
		t.Errorf("local %v", got)
	}
	r, err := ring.Load(bootstrap.RingPath(pt.dir, 0))
	if err != nil {
		t.Fatal(err)
	}
	for part := range uint32(32) {
		for i, d := range r.PartNodes(part) {
			if n := gold.Primaries(part)[i]; n.ID != d.ID || n.Index != i || n.Device != d.Device {
				t.Errorf("primary %d of %d is %+v", i, part, n)
			}
		}
		var nodes []messages.Node
		for n := range gold.Handoffs(part) {
			if n.Index != -1 {
				t.Errorf("handoff %+v has an index", n)
			}
			nodes = append(nodes, n)
		}
		i := 0
		for d := range r.MoreNodes(part) {
			if nodes[i].ID != d.ID {
				t.Errorf("handoff %d of %d is %+v", i, part, nodes[i])
			}
			i++
		}
		if i != len(nodes) || i != 4-len(gold.Primaries(part)) {
			t.Errorf("%d handoffs, want %d", len(nodes), i)
		}
	}
	if gold.Primaries(32) != nil {
		t.Error("partition 32 has primaries")
	}
	nodes := gold.Primaries(3)
	nodes[0].Device = "changed"
	if gold.Primaries(3)[0].Device == "changed" {
		t.Error("a caller can change the ring")
	}
	pt.unchanged(view)
}

// TestPlacementChanges follows one policy through every fate of its file while
// the other one stays.
func TestPlacementChanges(t *testing.T) {
	pt := newPlacementTest(t, nil)
	path := bootstrap.RingPath(pt.dir, 0)
	pt.write(2, ringOf(1, fourNodes...))
	v1 := pt.poll(nil)
	if v1.Policies[0].Ring != nil || !errors.Is(v1.Policies[0].Err, fs.ErrNotExist) || v1.Find(0) != nil || v1.Find(2) == nil {
		t.Fatalf("no file: %+v", v1.Policies[0])
	}
	pt.unchanged(v1)

	pt.write(0, ringOf(1, fourNodes...))
	v2 := pt.next(v1)
	if v2.Policies[0].Err != nil || v2.Find(0) == nil || v2.Find(2) != v1.Find(2) {
		t.Fatalf("a file: %+v", v2.Policies[0])
	}
	pt.unchanged(v2)

	pt.write(0, ringOf(2, fourNodes...))
	v3 := pt.next(v2)
	if v3.Find(0) == v2.Find(0) {
		t.Fatal("another file: the ring is the old one")
	}

	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, whole[:len(whole)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	v4 := pt.next(v3)
	if err := v4.Policies[0].Err; err == nil || v4.Find(0) != v3.Find(0) || !strings.Contains(err.Error(), path+": the file is truncated") {
		t.Fatalf("half a file: %+v", v4.Policies[0])
	}
	pt.unchanged(v4)

	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	v5 := pt.next(v4)
	if !errors.Is(v5.Policies[0].Err, fs.ErrNotExist) || v5.Find(0) != v3.Find(0) {
		t.Fatalf("a vanished file: %+v", v5.Policies[0])
	}
	pt.unchanged(v5)

	pt.write(0, ringOf(3, fourNodes[:3]...))
	v6 := pt.next(v5)
	if v6.Policies[0].Err != nil || len(v6.Find(0).Devices()) != 3 || v6.Find(2) != v1.Find(2) {
		t.Fatalf("a good file again: %+v", v6.Policies[0])
	}

	// Moved away and back: the file is the one that was read.
	if err := os.Rename(path, path+".away"); err != nil {
		t.Fatal(err)
	}
	v7 := pt.next(v6)
	if err := os.Rename(path+".away", path); err != nil {
		t.Fatal(err)
	}
	v8 := pt.next(v7)
	if v8.Policies[0].Err != nil || v8.Find(0) != v6.Find(0) {
		t.Fatalf("back again: %+v", v8.Policies[0])
	}

	// A file restored from an older day counts as changed, as does a mere touch.
	old := time.Unix(1_000_000_000, 0)
	if err := os.Chtimes(path, old, old); err != nil {
		t.Fatal(err)
	}
	v9 := pt.next(v8)
	if v9.Find(0) == v8.Find(0) {
		t.Fatal("another mtime was not seen")
	}
	// Earlier views are as they were.
	if len(v5.Find(0).Devices()) != 4 || v4.Policies[0].Err == nil || v1.Find(0) != nil {
		t.Error("an earlier view changed")
	}
	if strings.Contains(pt.log.String(), "error") || strings.Count(pt.log.String(), "\n") != 5 {
		t.Errorf("log:\n%s", pt.log.String())
	}
}

// TestPlacementLast: a caller that lost its view gets the present one.
func TestPlacementLast(t *testing.T) {
	pt := newPlacementTest(t, nil)
	pt.write(0, ringOf(1, fourNodes...))
	v1 := pt.poll(nil)
	pt.write(2, ringOf(1, fourNodes...))
	v2 := pt.next(v1)
	for _, last := range []*messages.View{nil, v1} {
		if got := pt.poll(last); got != v2 {
			t.Errorf("got version %d, want %d", got.Version, v2.Version)
		}
	}
}

func TestPlacementLocal(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*bootstrap.PlacementConfig)
		want   string
	}{
		"bind ip and port": {nil, "sd0"},
		"other port":       {func(c *bootstrap.PlacementConfig) { c.BindPort = 6303 }, "sd2"},
		"no such port":     {func(c *bootstrap.PlacementConfig) { c.BindPort = 6200 }, ""},
		"ring ip":          {func(c *bootstrap.PlacementConfig) { c.RingIP, c.BindPort = "10.0.0.2", 6304 }, "sd3"},
		"servers per port": {func(c *bootstrap.PlacementConfig) { c.ServersPerPort = 2 }, "sd0 sd2"},
		"wildcard":         {func(c *bootstrap.PlacementConfig) { c.BindIP, c.ServersPerPort = "0.0.0.0", 1 }, "sd4"},
		"host name":        {func(c *bootstrap.PlacementConfig) { c.BindIP, c.ServersPerPort = "localhost", 1 }, "sd4"},
	} {
		t.Run(name, func(t *testing.T) {
			pt := newPlacementTest(t, c.change)
			pt.write(0, ringOf(1, append(fourNodes[:4:4], "127.0.0.1")...))
			if got := names(pt.poll(nil).Find(0).Local()); got != c.want {
				t.Errorf("local %q, want %q", got, c.want)
			}
		})
	}
}

// TestPlacementContext: a poll that was called off says so and changes nothing;
// what it had found out comes with the next one.
func TestPlacementContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	pt := newPlacementTest(t, func(c *bootstrap.PlacementConfig) {
		c.Resolver = resolverFunc(func() { cancel() })
		c.ServersPerPort = 1
	})
	pt.write(0, ringOf(1, "10.0.0.1"))
	pt.write(2, ringOf(1, "storage1"))
	view, err := pt.p.Poll(ctx, nil)
	if view != nil || !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v, %v", view, err)
	}
	if view, err = pt.p.Poll(ctx, nil); view != nil || !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v, %v", view, err)
	}
	v1 := pt.poll(nil)
	if names(v1.Find(0).Local()) != "sd0" || names(v1.Find(2).Local()) != "sd0" || v1.Version != 1 {
		t.Errorf("got %+v", v1)
	}
}

type resolverFunc func()

func (f resolverFunc) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	f()
	return []netip.Addr{netip.MustParseAddr("10.0.0.1")}, nil
}

// TestPlacementAtOnce polls from several goroutines while the file changes.
func TestPlacementAtOnce(t *testing.T) {
	pt := newPlacementTest(t, nil)
	pt.write(0, ringOf(1, fourNodes...))
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			var last *messages.View
			for range 100 {
				view, err := pt.p.Poll(t.Context(), last)
				if err != nil || last != nil && view.Version < last.Version {
					t.Errorf("%v after %v, %v", view, last, err)
					return
				}
				last = view
				last.Find(0).Primaries(1)
			}
		})
	}
	for version := range int64(20) {
		pt.write(0, ringOf(version, fourNodes...))
	}
	wg.Wait()
}

func TestRingPath(t *testing.T) {
	if a, b := bootstrap.RingPath("/etc/swift", 0), bootstrap.RingPath("/etc/swift/", 12); a != "/etc/swift/object.ring.gz" || b != filepath.Join("/etc/swift", "object-12.ring.gz") {
		t.Errorf("%s %s", a, b)
	}
}

func BenchmarkPrimaries(b *testing.B) {
	dir := b.TempDir()
	if err := lab.WriteRing(bootstrap.RingPath(dir, 0), ringOf(1, fourNodes...)); err != nil {
		b.Fatal(err)
	}
	view, err := bootstrap.NewPlacement(bootstrap.PlacementConfig{SwiftDir: dir, Policies: twoPolicies[:1], BindIP: "10.0.0.1"}).Poll(b.Context(), nil)
	if err != nil {
		b.Fatal(err)
	}
	r := view.Find(0)
	for i := range b.N {
		r.Primaries(uint32(i) % 32)
	}
}
