package lab

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"understudy/bootstrap"
	"understudy/internal/server"
	"understudy/messages"
)

// daemon runs one node's engine as a daemon until the test ends.
type daemon struct {
	*testing.T
	engine *bootstrap.Engine
	log    *syncedLog
}

func runDaemon(t *testing.T, n *Node) *daemon {
	t.Helper()
	d := &daemon{T: t, log: &syncedLog{}}
	var err error
	d.engine, err = bootstrap.New(bootstrap.Settings{Config: n.Config, Log: zerolog.New(d.log)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = d.engine.Run(ctx)
	}()
	t.Cleanup(func() { cancel(); <-ended })
	d.until("it runs", func() bool { return d.engine.Alive(t.Context()) == nil })
	return d
}

func (d *daemon) until(what string, true func() bool) {
	d.Helper()
	for end := time.Now().Add(time.Minute); !true(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			d.Fatalf("%s: never\n%s", what, d.log.String())
		}
	}
}

func (d *daemon) snapshot() *messages.Snapshot {
	d.Helper()
	s, err := d.engine.Snapshot(d.Context())
	if err != nil {
		d.Fatal(err)
	}
	return s
}

// passes waits until every disk has ended n more passes.
func (d *daemon) passes(n int) {
	d.Helper()
	least := func() int {
		least := 1 << 30
		for _, disk := range d.snapshot().Devices {
			least = min(least, disk.Passes)
		}
		return least
	}
	want := least() + n
	d.until("passes", func() bool { return least() >= want })
}

var asked = regexp.MustCompile(`"REPLICATE /([^/ ]+/[0-9]+)["/]`)

// questions are the partitions that REPLICATE was used for on any server, from an
// offset in the cluster's log on.
func questions(t *testing.T, c *Cluster, from int64) (parts []string) {
	t.Helper()
	text, err := os.ReadFile(c.LogPath())
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range asked.FindAllStringSubmatch(string(text[from:]), -1) {
		parts = append(parts, m[1])
	}
	slices.Sort(parts)
	return slices.Compact(parts)
}

func logSize(t *testing.T, c *Cluster) int64 {
	t.Helper()
	i, err := os.Stat(c.LogPath())
	if err != nil {
		t.Fatal(err)
	}
	return i.Size()
}

// change writes a newer version of an object on one disk only, as a client's PUT that
// reached one copy does.
func change(t *testing.T, c *Cluster, o *Object, p Place) string {
	t.Helper()
	dir := filepath.Join(p.Path(), o.Dir())
	names, err := filepath.Glob(filepath.Join(dir, "*.data"))
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	newer := filepath.Join(dir, "2000000000.00000.data")
	if err := os.Rename(names[len(names)-1], newer); err != nil {
		t.Fatal(err)
	}
	part := messages.Partition{Device: p.Disk, Number: o.Partition}
	if err := p.Node.store.Invalidate(t.Context(), part, []string{o.Suffix}); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(o.Dir(), filepath.Base(newer))
}

// whole picks an object that has data.
func whole(t *testing.T, c *Cluster, h *History) *Object {
	t.Helper()
	for i := range h.Objects {
		o := &h.Objects[i]
		names, _ := filepath.Glob(filepath.Join(c.Primaries(o.Partition)[0].Path(), o.Dir(), "*"))
		if len(names) == 1 && strings.HasSuffix(names[0], ".data") {
			return o
		}
	}
	t.Fatal("no such object")
	return nil
}

// Three nodes of ours. Once they know each other, passes over partitions in sync ask no
// question about any of them. One object changes: exactly its partition is asked about,
// and the change arrives everywhere; then there is silence again.
func TestSurveysBetweenNodes(t *testing.T) {
	c := newCluster(t, Spec{Nodes: 3, Disks: 2, Replicas: 3, PartPower: 6, Seed: 3, Options: map[string]string{"interval": "0.05", "log_level": "DEBUG"}})
	h := seed(t, c, 200)
	o := whole(t, c, h)
	first := c.Primaries(o.Partition)[0]
	d := runDaemon(t, first.Node)
	d.passes(3)
	from := logSize(t, c)
	d.passes(12) // also the one that lists
	if got := questions(t, c, from); len(got) > 0 {
		t.Errorf("in sync, and asked about %q", got)
	}
	jobs := 0
	for _, disk := range d.snapshot().Devices {
		jobs += disk.Done
		if disk.Stats.Failure > 0 || disk.Stats.HashMatch != 2*disk.Stats.Attempted {
			t.Errorf("%+v", disk)
		}
	}
	if jobs == 0 {
		t.Error("nothing was looked at")
	}
	file := change(t, c, o, first)
	arrived := func() bool {
		for _, p := range c.Primaries(o.Partition) {
			if _, err := os.Stat(filepath.Join(p.Path(), file)); err != nil {
				return false
			}
		}
		return true
	}
	d.until("the change arrives", arrived)
	d.passes(3)
	for _, name := range questions(t, c, from) {
		if !strings.HasSuffix(name, "/"+partName(o.Partition)) {
			t.Errorf("asked about %s, not about partition %d alone", name, o.Partition)
		}
	}
	from = logSize(t, c)
	d.passes(3)
	if got := questions(t, c, from); len(got) > 0 {
		t.Errorf("in sync again, and asked about %q", got)
	}
}

func partName(n uint32) string { return filepath.Base(messages.Partition{Number: n}.String()) }

// stranger puts a server that hashes names otherwise in the place of a node's own.
func stranger(t *testing.T, n *Node) {
	t.Helper()
	n.cancel(nil)
	if err := <-n.served; err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp4", net.JoinHostPort(n.IP, strconv.Itoa(n.Port)))
	if err != nil {
		t.Fatal(err)
	}
	lane := bootstrap.ServerLane(n.Config, n.store)
	lane.Cluster[0] ^= 1
	s := server.New(server.Config{Store: n.store, Policies: []messages.Policy{{Name: policyName}}, Log: zerolog.Nop(), Lane: lane})
	ctx, cancel := context.WithCancelCause(context.Background())
	n.cancel = cancel
	go func() { n.served <- s.Serve(ctx, l) }()
}

// A peer with another swift.conf gets nothing: its partitions fail, with one error in
// the log, and the third node is served.
func TestOtherSwiftConf(t *testing.T) {
	c := newCluster(t, Spec{Nodes: 3, Disks: 1, Replicas: 3, PartPower: 4, Seed: 3, Options: map[string]string{"interval": "0.05"}})
	h := seed(t, c, 40)
	other := c.Node(3)
	stranger(t, other)
	o := whole(t, c, h)
	d := runDaemon(t, c.Node(1))
	d.passes(2)
	file := change(t, c, o, Place{c.Node(1), "d1"})
	d.until("the change arrives at node 2", func() bool {
		_, err := os.Stat(filepath.Join(Place{c.Node(2), "d1"}.Path(), file))
		return err == nil
	})
	d.passes(2)
	if _, err := os.Stat(filepath.Join(Place{other, "d1"}.Path(), file)); err == nil {
		t.Error("data has moved to a node that hashes names otherwise")
	}
	s := d.snapshot()
	if disk := s.Devices[0]; disk.Stats.FailureNodes[other.IP]["d1"] != disk.Stats.Attempted || len(disk.Stats.FailureNodes) != 1 {
		t.Errorf("%+v", disk.Stats)
	}
	if len(s.Peers) != 1 || s.Peers[0].Breaker != "refused" {
		t.Errorf("peers: %+v", s.Peers)
	}
	if n := strings.Count(d.log.String(), "peer refuses to work with this node, its partitions fail"); n != 1 {
		t.Errorf("%d lines about it\n%s", n, d.log.String())
	}
}

// With native_lane = no nothing is offered and nothing surveyed.
func TestNativeLaneOff(t *testing.T) {
	c := newCluster(t, Spec{Nodes: 3, Disks: 1, Replicas: 3, PartPower: 4, Seed: 3, Options: map[string]string{"interval": "0.05", "log_level": "DEBUG", "native_lane": "no"}})
	seed(t, c, 40)
	d := runDaemon(t, c.Node(1))
	d.passes(3)
	from := logSize(t, c)
	d.passes(1)
	if got := questions(t, c, from); len(got) == 0 {
		t.Error("nobody was asked")
	}
	text, err := os.ReadFile(c.LogPath())
	if err != nil || strings.Contains(string(text), "SURVEY") {
		t.Errorf("surveyed, %v", err)
	}
}

// syncedLog collects log lines.
type syncedLog struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *syncedLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *syncedLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
