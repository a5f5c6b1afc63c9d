package sim

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"understudy/internal/sim/simfs"
)

// Result is what came of a seed.
type Result struct {
	Seed     uint64
	Plan     string
	Sum      uint64         // of all steps: the same for the same seed
	Steps    uint64         // in all
	Virtual  time.Duration  // that went by
	Settled  time.Duration  // from the end of the faults until all was in its place
	Objects  int            // with an acknowledged state
	Requests int            // of clients
	Passes   int            // that a node has made in that time, at most
	Hashed   int            // partitions of which hashes.pkl was judged
	Checks   int            // removals of files at which the truth was asked
	Faults   map[string]int // fired, by kind
	Edges    map[string]int // reached, by name
	Problems []string       // what must not be
}

// The bounds of the second half: after the faults have ended, breakers may be open
// for ten minutes, locks be waited for and calls have to time out.
const (
	healLimit  = 45 * time.Minute
	healSteps  = 1_500_000
	chaosLimit = 40 * time.Minute
	fullFor    = 3 * time.Minute // a disk with handoffs that was full when the faults ended
)

// Run runs a seed in the bubble of testing/synctest that it is called in. trace gets
// the steps and may be nil, as may logs. The error says that the world could not be made.
func Run(seed uint64, trace io.Writer) (Result, error) {
	dir, err := os.MkdirTemp("", "sim")
	if err != nil {
		return Result{}, err
	}
	defer os.RemoveAll(dir)
	defer collected()()
	w, err := newWorld(seed, dir, trace)
	if err != nil {
		return Result{}, fmt.Errorf("make world %d: %w", seed, err)
	}
	for _, n := range w.nodes {
		if err := n.start(); err != nil {
			return Result{}, fmt.Errorf("start %s of world %d: %w", n.name, seed, err)
		}
	}
	w.rage()
	since := w.rounds()
	settled := w.settle()
	passes := w.passes(since)
	if len(w.problems) == 0 {
		if passes > mostPasses {
			w.problem("late: %d passes until all was in its place", passes)
		}
		w.serves()
	}
	w.end()
	r := Result{
		Seed: seed, Plan: w.plan.String(), Sum: w.sched.Sum(), Steps: w.sched.Steps(), Virtual: time.Since(epoch), Settled: settled, Passes: passes, Hashed: w.hashed,
		Requests: w.clients.made, Checks: w.truth.checks, Faults: w.faults, Edges: w.edges, Problems: w.problems,
	}
	for _, o := range w.truth.objects {
		if len(o.acked) > 0 {
			r.Objects++
		}
	}
	return r, nil
}

// rage is the first half: faults strike, clients write, and nothing may get lost.
func (w *world) rage() {
	m := &nemesis{world: w, rng: w.source("nemesis")}
	w.net.SetWeather(w.plan.weather)
	w.chaos = true
	nextStrike, nextRequest, nextAll := uint64(0), uint64(0), uint64(500)
	tick := w.heartbeat()
	w.sched.Run(func() bool {
		s := w.sched.Steps()
		m.tick()
		w.glance(s)
		collect(s)
		if s >= nextStrike {
			nextStrike = s + 1 + m.rng.Uint64N(uint64(2*w.plan.pause))
			m.strike()
		}
		if s >= nextRequest {
			nextRequest = s + 1 + w.clients.rng.Uint64N(uint64(2*w.plan.puts))
			w.request()
		}
		if s >= nextAll {
			nextAll = s + 500
			w.truth.all()
		}
		return len(w.problems) > 0
	}, time.Now().Add(chaosLimit), w.plan.steps)
	tick()
	w.chaos = false
	w.net.SetWeather(w.plan.weather.Calm())
	w.net.Heal()
	for _, n := range w.nodes {
		for _, d := range n.disks {
			full := d.isFull() && w.holds(d)
			d.mend()
			if full { // it has to be drained, and only then has room
				d.fill(0)
				w.sched.After(fullFor, "room on "+d.String(), d.mend)
			}
		}
		n.jump(0)
		m.up(n)
		for _, d := range n.disks {
			w.audit(d)
		}
	}
}

// audit does what an object auditor does in the end, for replicators do not read what
// they believe to be in its place: a file that is not whole leaves, and its suffix is
// marked.
func (w *world) audit(d *disk) {
	for _, p := range w.drawn.Policies {
		if p.Erasure {
			continue
		}
		w.truth.scan(p, d, func(o *object, file string, l simfs.Look) {
			if whole(file, l) {
				return
			}
			files := map[string]bool{}
			for _, name := range d.fs.Names(o.dir()) {
				files[name] = true
			}
			switch {
			case !strings.HasPrefix(file, newest(files).base): // overtaken: the next cleaning takes it away
				d.fs.Drop(o.dir() + "/" + file)
			default:
				w.edge("quarantined by the auditor")
				// A POST that has come to data which was bad already goes with it, as in Swift.
				if !d.spare(func(other *object) bool { return other == o }) {
					w.edge("excused: newest update beside bad data")
					o.loose = true
				}
				d.fs.Drop(o.dir())
			}
			part := o.policy.Dir() + "/" + strconv.FormatUint(uint64(o.part), 10)
			d.fs.Drop(part + "/hashes.pkl")
			w.audited[d.String()+"/"+part] = true
		})
	}
}

// heartbeat makes a step at least every two virtual seconds, so that what goes by
// steps also happens while all wait.
func (w *world) heartbeat() (stop func()) {
	stopped := false
	var beat func()
	beat = func() {
		if !stopped {
			w.sched.After(2*time.Second, "heartbeat", beat)
		}
	}
	beat()
	return func() { stopped = true }
}

// settle is the second half: without faults all must come to its place.
func (w *world) settle() time.Duration {
	begun := time.Now()
	next := begun
	var found []string
	ok := len(w.problems) > 0 || w.sched.Run(func() bool {
		w.glance(w.sched.Steps())
		collect(w.sched.Steps())
		if time.Now().Before(next) || w.clients.busy > 0 {
			return false
		}
		next = time.Now().Add(10 * time.Second)
		found = w.truth.unsettled(3)
		return len(found) == 0
	}, begun.Add(healLimit), healSteps)
	took := time.Since(begun)
	if !ok {
		for _, f := range found {
			w.problem("after %s: %s", took.Round(time.Second), f)
		}
		if len(found) == 0 {
			w.problem("after %s and %d steps: not at rest", took.Round(time.Second), w.sched.Steps())
		}
	}
	if !ok {
		fmt.Fprintln(w.sched, stacks())
	}
	w.truth.all()
	return took
}

// end stops all nodes and looks for what they have left open.
func (w *world) end() {
	for _, n := range w.nodes {
		done := make(chan error, 1)
		go func() { done <- n.boot.stop() }()
		var err error
		if !w.sched.Run(func() bool {
			select {
			case err = <-done:
				return true
			default:
				return false
			}
		}, time.Now().Add(10*time.Minute), healSteps) {
			w.problem("stuck: %s does not stop", n.name)
		} else if err != nil {
			w.problem("stuck: stop of %s: %v", n.name, err)
		}
	}
	w.sched.Run(func() bool { return false }, time.Now().Add(2*time.Hour), healSteps)
	for _, n := range w.nodes {
		if open := n.boot.machine.Open(); open > 0 {
			w.problem("leaked: %d files are open on %s after its end", open, n.name)
		}
	}
	if open := w.net.Open(); open > 0 {
		w.problem("leaked: %d ends of connections are open", open)
	}
	if len(w.problems) == 0 {
		w.hashes()
	}
}

// Keys are the names of counts, in order.
func Keys(m map[string]int) []string {
	var all []string
	for k := range m {
		all = append(all, k)
	}
	slices.Sort(all)
	return all
}

// stacks are what all goroutines do.
func stacks() string {
	buf := make([]byte, 4<<20)
	return string(buf[:runtime.Stack(buf, true)])
}
