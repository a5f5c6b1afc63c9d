package interop

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"understudy/internal/cluster"
)

var (
	stormTime = flag.Duration("storm", 4*time.Second, "how long clients write in each storm")
	stormSeed = flag.Uint64("storm.seed", 0, "seed of the storms and the kills; 0 draws one")
)

// drawnSeed is the seed of one test, and tells it.
func drawnSeed(t *testing.T) uint64 {
	t.Helper()
	seed := *stormSeed
	if seed == 0 {
		seed = rand.Uint64N(1 << 32)
	}
	t.Logf("seed: -args -storm.seed %d", seed)
	return seed
}

const (
	stormWriters = 4
	stormObjects = 80
	stormPower   = 4
)

// TestStorm lets clients write through real object servers, straight to all nodes of
// an object as a proxy does, while our replicators run pass after pass on every node.
// Some writes miss one primary and go to a handoff. When the clients stop, two passes
// on each node must settle everything: all primaries alike by Swift's own reading and
// hashing, every newest acknowledged write there, what was deleted deleted, and no
// handoff left.
func TestStorm(t *testing.T) {
	for _, method := range []string{"rsync", "ssync"} {
		t.Run(method, func(t *testing.T) {
			shortly(t, method != "ssync")
			t.Parallel()
			ctx := deadline(t)
			c := newCluster(t, ctx, cluster.Spec{
				Nodes: 4, Devices: 2, Policies: []cluster.Policy{{Index: 0, Name: "gold", PartPower: stormPower}},
				Replicator: map[string]string{"sync_method": method, "interval": "0.1", "conn_timeout": "20"},
			})
			s := newStorm(t, ctx, c)
			start(t, ctx, c)
			var running []*cluster.Replicator
			for _, n := range c.Nodes {
				r, err := n.StartReplicator(ours(t))
				if err != nil {
					t.Fatal(err)
				}
				running = append(running, r)
			}
			for _, r := range running { // the writers begin in the middle of it
				if err := r.AwaitLine(ctx, "Object replication complete"); err != nil {
					t.Fatal(err)
				}
			}
			s.blow(t, *stormTime)
			s.wantPasses(t, running)
			for range 2 {
				for _, n := range c.Nodes {
					pass(t, ctx, n, ours(t))
				}
			}
			s.wantCalm(t)
		})
	}
}

// storm is a number of clients and what they have done.
type storm struct {
	ctx       context.Context
	c         *cluster.Cluster
	seed      uint64
	primaries [][]cluster.Device
	devices   []cluster.Device

	mu     sync.Mutex
	last   float64 // the latest timestamp given out
	ledger cluster.Ledger
	counts map[string]int
	broken []string
}

func newStorm(t *testing.T, ctx context.Context, c *cluster.Cluster) *storm {
	t.Helper()
	s := &storm{ctx: ctx, c: c, seed: drawnSeed(t), counts: map[string]int{}}
	var err error
	if s.primaries, err = c.Primaries(ctx, 0); err != nil {
		t.Fatal(err)
	}
	for _, n := range c.Nodes {
		for _, d := range n.Devices {
			s.devices = append(s.devices, cluster.Device{IP: n.IP, Name: d})
		}
	}
	return s
}

// blow lets the clients write for a while.
func (s *storm) blow(t *testing.T, long time.Duration) {
	t.Helper()
	var all sync.WaitGroup
	end := time.Now().Add(long)
	for w := range stormWriters {
		rnd := rand.New(rand.NewPCG(s.seed, uint64(w)))
		all.Go(func() {
			for time.Now().Before(end) {
				s.write(rnd)
			}
		})
	}
	all.Wait()
	t.Logf("clients: %v", s.counts)
	if len(s.broken) > 0 {
		t.Errorf("%d strange answers, such as %s", len(s.broken), s.broken[0])
	}
	if s.counts["failed"]*20 > s.counts[cluster.Put]+s.counts[cluster.Post]+s.counts[cluster.Delete] {
		t.Error("too many writes failed")
	}
	for _, what := range []string{cluster.Put, cluster.Post, cluster.Delete, "to a handoff"} {
		if s.counts[what] == 0 {
			t.Errorf("nothing of kind %q in the whole storm", what)
		}
	}
}

// write is one operation of one client, to all nodes of the object at once.
func (s *storm) write(rnd *rand.Rand) {
	op := s.draw(rnd)
	partition := cluster.Partition(op.Name, stormPower)
	nodes := slices.Clone(s.primaries[partition])
	handoff := rnd.IntN(6) == 0
	if handoff {
		others := slices.DeleteFunc(slices.Clone(s.devices), func(d cluster.Device) bool { return slices.Contains(nodes, d) })
		nodes[rnd.IntN(len(nodes))] = others[rnd.IntN(len(others))]
	}
	statuses := make([]int, len(nodes))
	errs := make([]error, len(nodes))
	var all sync.WaitGroup
	for i, d := range nodes {
		all.Go(func() { statuses[i], errs[i] = s.c.Node(d.IP).Send(s.ctx, d.Name, partition, op) })
	}
	all.Wait()
	s.note(op, handoff, statuses, errs)
}

func (s *storm) draw(rnd *rand.Rand) cluster.Op {
	name := fmt.Sprintf("/AUTH_storm/c/o%d", rnd.IntN(stormObjects))
	at := s.tick()
	switch rnd.IntN(10) {
	case 0, 1:
		return cluster.Op{Kind: cluster.Delete, Name: name, At: at}
	case 2, 3, 4:
		op := cluster.Op{Kind: cluster.Post, Name: name, At: at, Headers: map[string]string{"X-Object-Meta-Color": at}}
		if rnd.IntN(2) == 0 {
			op.Headers["Content-Type"] = "text/" + at
		}
		return op
	}
	size := rnd.IntN(3000)
	if rnd.IntN(10) == 0 {
		size = rnd.IntN(300000)
	}
	return cluster.Op{
		Kind: cluster.Put, Name: name, At: at, Size: size, Body: rnd.IntN(1 << 30),
		Headers: map[string]string{"Content-Type": "text/plain", "X-Object-Meta-Color": "of " + at},
	}
}

// tick is a timestamp that no other operation has.
func (s *storm) tick() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = max(now(), s.last+1e-5)
	return cluster.Timestamp(s.last, 0)
}

// note keeps account of an operation. A server that has something newer refuses,
// with 409; one that has no object answers a POST with 404, and a DELETE, too, of
// which it keeps the tombstone all the same. A PUT that finds its directory removed
// between making and opening it is answered with 500; a client would try again.
func (s *storm) note(op cluster.Op, handoff bool, statuses []int, errs []error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts[op.Kind]++
	if handoff {
		s.counts["to a handoff"]++
	}
	took := 0
	for i, status := range statuses {
		switch {
		case errs[i] != nil:
			s.broken = append(s.broken, errs[i].Error())
		case status == 201 || status == 202 || status == 204 || status == 404 && op.Kind == cluster.Delete:
			took++
		case status == 409 || status == 404 && op.Kind == cluster.Post:
		case status == 500:
			s.counts["failed"]++
		default:
			s.broken = append(s.broken, fmt.Sprintf("%d to %s %s", status, op.Kind, op.Name))
		}
	}
	switch {
	case took == 0 && slices.Contains(statuses, 500):
		s.ledger.Might(op)
	case took == 0:
		s.counts["refused"]++
	case took == 1 && op.Kind == cluster.Post:
		s.ledger.Might(op) // its data may be gone elsewhere; the client was told 404
	default:
		s.ledger.Did(op)
	}
}

// wantPasses stops the daemons and demands that they were at work all the time.
func (s *storm) wantPasses(t *testing.T, running []*cluster.Replicator) {
	t.Helper()
	did := map[string]int{}
	for _, r := range running {
		if err := r.Stop(); err != nil {
			t.Error(err)
		}
		lines, err := r.Logged()
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range lines {
			for _, word := range []string{"Object replication complete", "Successful rsync", "ssync completed ok", "Removing partition", "handoff is kept"} {
				if strings.Contains(line, word) {
					did[word]++
				}
			}
			if strings.Contains(line, "crashed") || strings.Contains(line, "panic") || strings.Contains(line, "UNCAUGHT") {
				t.Errorf("a bug of ours: %s", line)
			}
		}
	}
	t.Logf("replicators: %v", did)
	if did["Object replication complete"] < 2*len(running) || did["Successful rsync"]+did["ssync completed ok"] == 0 || did["Removing partition"] == 0 {
		t.Error("the replicators have done too little for a storm")
	}
}

// wantCalm demands that all is settled.
func (s *storm) wantCalm(t *testing.T) {
	t.Helper()
	copies, err := s.c.Scan(s.ctx, true)
	if err != nil {
		t.Fatal(err)
	}
	wrong, err := s.c.CheckCopies(s.ctx, cluster.Live(copies))
	if err != nil {
		t.Fatal(err)
	}
	lost, err := s.c.CheckLedger(s.ctx, &s.ledger)
	if err != nil {
		t.Fatal(err)
	}
	for _, why := range slices.Concat(wrong, cluster.CheckAlike(copies), lost) {
		t.Error(why)
	}
}
