// Package simulate shows what admission does to a cluster: nodes, disks and pushes in
// steps of a second, from a seed, with the real ledger. The disks are a model: their
// throughput falls with the number of streams, and a client waits behind every stream.
package simulate

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"understudy/internal/admission"
)

// Setting is one run. Sizes are in megabytes.
type Setting struct {
	Seed      uint64
	Nodes     int // old and new
	New       int // of them: each of their disks receives Moves partitions
	Disks     int // of a node
	Moves     int
	Lost      int // partitions that have to be made again, of a node that was lost
	Size      float64
	Slots     int // pushes of a node at a time
	Admission bool
	Rules     admission.Rules
}

// Result is what a run has shown. Latencies are of a client's request at disks that
// receive, weighted by seconds.
type Result struct {
	Whole  time.Duration // until no partition lacks a copy
	Done   time.Duration // until all is where it belongs
	Most   int           // streams of one disk at any time
	Median time.Duration
	P99    time.Duration
	Asks   int // of a ledger for a disk that receives
}

// The disk: megabytes a second with one stream, what each further one costs, and the
// time of one request.
const (
	diskSpeed   = 150.0
	streamCost  = 0.15
	requestTime = 12 * time.Millisecond
	mostWaits   = 64 // as in actors
	forever     = 48 * 3600
)

type push struct {
	name     string
	src, dst int // disks, node*Disks+n
	degraded bool
	left     float64
	since    int // second of its first question, -1 for none
	due      int
	waits    int
	leases   []held
}

type held struct {
	node  int
	slot  admission.Slot
	lease admission.Lease
}

type world struct {
	set      Setting
	rng      *rand.Rand
	ledgers  []*admission.Ledger
	queue    [][]*push // by node
	deferred [][]*push
	busy     []int // slots
	flying   []*push
	streams  []int // by disk
	now      int
	try      uint64
	result   Result
	seen     []int // seconds, by the streams of a disk that receives
}

// Run plays a setting to its end.
func Run(s Setting) (Result, error) {
	w := newWorld(s)
	for total := s.New*s.Disks*s.Moves + s.Lost; total > 0; w.now++ {
		if w.now > forever {
			return w.result, fmt.Errorf("%d pushes are left after %d s", total, forever)
		}
		for n := range s.Nodes {
			w.launch(n)
		}
		total -= w.second()
	}
	w.result.Done = time.Duration(w.now) * time.Second
	w.result.Median, w.result.P99 = w.latency(0.5), w.latency(0.99)
	return w.result, nil
}

func newWorld(s Setting) *world {
	w := &world{
		set: s, rng: rand.New(rand.NewPCG(s.Seed, 7)), queue: make([][]*push, s.Nodes), deferred: make([][]*push, s.Nodes),
		busy: make([]int, s.Nodes), streams: make([]int, s.Nodes*s.Disks), seen: make([]int, s.Nodes*s.Slots+1),
	}
	for range s.Nodes {
		w.ledgers = append(w.ledgers, admission.NewLedger(s.Rules, func(string) bool { return true }))
	}
	old := (s.Nodes - s.New) * s.Disks
	add := func(dst int, degraded bool) {
		src := w.rng.IntN(old)
		p := &push{name: fmt.Sprint(len(w.queue[src/s.Disks])), src: src, dst: dst, degraded: degraded, left: s.Size, since: -1}
		w.queue[src/s.Disks] = append(w.queue[src/s.Disks], p)
	}
	for d := old; d < s.Nodes*s.Disks; d++ {
		for range s.Moves {
			add(d, false)
		}
	}
	for range s.Lost { // its ring has the new disks, too
		add(w.rng.IntN(s.Nodes*s.Disks), true)
	}
	for _, q := range w.queue {
		w.rng.Shuffle(len(q), func(i, j int) { q[i], q[j] = q[j], q[i] })
	}
	return w
}

// launch fills a node's slots: what is due first, then new jobs.
func (w *world) launch(n int) {
	var still []*push
	for _, p := range w.deferred[n] {
		if w.busy[n] >= w.set.Slots || p.due > w.now || !w.begin(n, p) {
			still = append(still, p)
		}
	}
	w.deferred[n] = still
	for w.busy[n] < w.set.Slots && len(w.queue[n]) > 0 {
		p := w.queue[n][0]
		w.queue[n] = w.queue[n][1:]
		if !w.begin(n, p) {
			w.deferred[n] = append(w.deferred[n], p)
		}
	}
}

func (w *world) begin(n int, p *push) bool {
	if w.set.Admission && p.waits < mostWaits && !w.admitted(n, p) {
		p.waits++
		return false
	}
	w.busy[n]++
	w.streams[p.src]++
	w.streams[p.dst]++
	w.flying = append(w.flying, p)
	return true
}

// admitted asks both sides, the own one first.
func (w *world) admitted(n int, p *push) bool {
	if p.since < 0 {
		p.since = w.now
	}
	w.try++
	lease := admission.Lease{Holder: fmt.Sprint(n), Epoch: 1, Job: p.name, Try: w.try}
	for _, side := range []struct {
		disk int
		way  admission.Direction
	}{{p.src, admission.Out}, {p.dst, admission.In}} {
		h := held{side.disk / w.set.Disks, admission.Slot{Device: fmt.Sprint(side.disk), Direction: side.way}, lease}
		r := admission.Request{Lease: lease, Slot: h.slot, Waited: time.Duration(w.now-p.since) * time.Second}
		if p.degraded {
			r.Priority = admission.Degraded
		}
		if side.way == admission.In {
			w.result.Asks++
		}
		a := w.ledgers[h.node].Reserve(w.time(), r)
		if !a.Granted {
			w.release(p)
			after := a.After + a.After*time.Duration(w.rng.IntN(256))/1024
			p.due = w.now + int((after+time.Second-1)/time.Second)
			return false
		}
		p.leases = append(p.leases, h)
	}
	return true
}

func (w *world) release(p *push) {
	for _, h := range p.leases {
		w.ledgers[h.node].Release(w.time(), h.slot, h.lease)
	}
	p.leases = nil
}

// second moves every push on and tells how many have ended.
func (w *world) second() int {
	before := len(w.flying)
	w.look()
	rates := make([]float64, len(w.flying))
	for i, p := range w.flying {
		rates[i] = min(w.share(p.src), w.share(p.dst))
	}
	still := w.flying[:0]
	for i, p := range w.flying {
		if p.left -= rates[i]; p.left > 0 {
			if w.now%20 == 0 {
				for _, h := range p.leases {
					w.ledgers[h.node].Renew(w.time(), h.slot, h.lease)
				}
			}
			still = append(still, p)
			continue
		}
		w.release(p)
		w.busy[p.src/w.set.Disks]--
		w.streams[p.src]--
		w.streams[p.dst]--
		if p.degraded {
			w.result.Whole = time.Duration(w.now+1) * time.Second
		}
	}
	w.flying = still
	return before - len(still)
}

// share is what one stream of a disk gets.
func (w *world) share(disk int) float64 {
	n := float64(w.streams[disk])
	return diskSpeed / (1 + streamCost*(n-1)) / n
}

// look notes the streams of each disk that receives.
func (w *world) look() {
	at := map[int]bool{}
	for _, p := range w.flying {
		at[p.dst] = true
	}
	for disk := range at {
		n := w.streams[disk]
		w.result.Most = max(w.result.Most, n)
		w.seen[min(n, len(w.seen)-1)]++
	}
}

func (w *world) latency(part float64) time.Duration {
	total, sum := 0, 0
	for _, n := range w.seen {
		total += n
	}
	at := slices.IndexFunc(w.seen, func(n int) bool { sum += n; return float64(sum) >= part*float64(total) })
	return time.Duration(1+max(at, 0)) * requestTime
}

func (w *world) time() time.Time { return time.Unix(int64(w.now), 0) }
