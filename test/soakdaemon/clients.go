package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"understudy/internal/cluster"
)

const (
	writers = 3
	objects = 300
	// answerIn bounds what a client waits for one server.
	answerIn = 4 * time.Second
)

// clients write as proxies do: to all primaries of the newest ring, and to a handoff
// in the place of a primary that does not take it. They keep account of what must
// exist.
type clients struct {
	c    *cluster.Cluster
	seed uint64
	// destroy: what only disks have that may be destroyed is as good as not written.
	destroy bool
	never   string // the address of a node that gets no handoffs

	mu        sync.Mutex
	primaries [][]cluster.Device
	devices   []cluster.Device // in the ring
	last      float64          // the latest timestamp given out
	ledger    cluster.Ledger
	counts    map[string]int
}

func newClients(s *soak) *clients {
	w := &clients{c: s.c, seed: s.o.seed, destroy: s.o.destroy, counts: map[string]int{}}
	if s.o.stock {
		w.never = s.c.Nodes[nodes-1].IP
	}
	return w
}

// turn makes the clients use another ring.
func (w *clients) turn(primaries [][]cluster.Device) {
	var devices []cluster.Device
	for _, of := range primaries {
		for _, d := range of {
			if !slices.Contains(devices, d) && d.IP != w.never {
				devices = append(devices, d)
			}
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.primaries, w.devices = primaries, devices
}

// write writes until ctx ends, a few times a second.
func (w *clients) write(ctx context.Context) {
	var all sync.WaitGroup
	for i := range writers {
		rnd := rand.New(rand.NewPCG(w.seed, 100+uint64(i)))
		all.Go(func() {
			for ctx.Err() == nil {
				w.one(rnd)
				select {
				case <-ctx.Done():
				case <-time.After(time.Duration(200+rnd.IntN(1000)) * time.Millisecond):
				}
			}
		})
	}
	all.Wait()
}

// one does one operation. It is not cut short by the end of the writing: what came of
// it must be known.
func (w *clients) one(rnd *rand.Rand) {
	op := w.draw(rnd)
	partition := cluster.Partition(op.Name, partPower)
	w.mu.Lock()
	nodes := slices.Clone(w.primaries[partition])
	others := slices.DeleteFunc(slices.Clone(w.devices), func(d cluster.Device) bool { return slices.Contains(nodes, d) })
	w.mu.Unlock()
	rnd.Shuffle(len(others), func(i, j int) { others[i], others[j] = others[j], others[i] })
	if op.Kind != cluster.Post && rnd.IntN(10) == 0 { // as if one had been away for a moment
		nodes[rnd.IntN(len(nodes))], others = others[0], others[1:]
	}
	answers := w.send(nodes, partition, op)
	if failed := answers.failed; failed > 0 && op.Kind != cluster.Post {
		second := w.send(others[:min(failed, len(others))], partition, op)
		answers.took += second.took
		answers.safe += second.safe
		w.count("to a handoff", second.took)
	}
	w.note(op, answers)
}

// answers are what the servers said.
type answers struct{ took, safe, refused, failed int }

func (w *clients) send(to []cluster.Device, partition int, op cluster.Op) answers {
	var all sync.WaitGroup
	var mu sync.Mutex
	var a answers
	for _, d := range to {
		all.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), answerIn)
			defer cancel()
			status, err := w.c.Node(d.IP).Send(ctx, d.Name, partition, op)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err != nil:
				a.failed++
			case status == 201 || status == 202 || status == 204 || status == 404 && op.Kind == cluster.Delete:
				a.took++
				if w.safe(d) {
					a.safe++
				}
			case status == 409 || status == 404 && op.Kind == cluster.Post:
				a.refused++ // it has something newer, or nothing
			default:
				a.failed++
			}
		})
	}
	all.Wait()
	return a
}

// note keeps account of an operation. Once a server has taken it whose disks are never
// destroyed, it must not be lost. Of one that failed somewhere and
// was taken nowhere nobody can tell.
func (w *clients) note(op cluster.Op, a answers) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.counts[op.Kind]++
	switch {
	case a.took == 0 && a.failed == 0:
		w.counts["refused"]++
	case a.safe == 0, a.took == 1 && op.Kind == cluster.Post: // its data may be gone elsewhere
		w.counts["in doubt"]++
		w.ledger.Might(op)
	default:
		w.ledger.Did(op)
	}
}

func (w *clients) count(what string, n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.counts[what] += n
}

func (w *clients) draw(rnd *rand.Rand) cluster.Op {
	name := fmt.Sprintf("/AUTH_soak/c/o%d", rnd.IntN(objects))
	at := w.tick()
	switch rnd.IntN(10) {
	case 0, 1:
		return cluster.Op{Kind: cluster.Delete, Name: name, At: at}
	case 2, 3:
		op := cluster.Op{Kind: cluster.Post, Name: name, At: at, Headers: map[string]string{"X-Object-Meta-Color": at}}
		if rnd.IntN(2) == 0 {
			op.Headers["Content-Type"] = "text/" + at
		}
		return op
	}
	size := rnd.IntN(4000)
	if rnd.IntN(10) == 0 {
		size = rnd.IntN(300000)
	}
	return cluster.Op{
		Kind: cluster.Put, Name: name, At: at, Size: size, Body: rnd.IntN(1 << 30),
		Headers: map[string]string{"Content-Type": "text/plain", "X-Object-Meta-Color": "of " + at},
	}
}

// tick is a timestamp that no other operation has.
func (w *clients) tick() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last = max(float64(time.Now().UnixMicro())/1e6, w.last+1e-5)
	return cluster.Timestamp(w.last, 0)
}

// told is how many operations of each kind there were.
func (w *clients) told() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return totals(w.counts)
}
