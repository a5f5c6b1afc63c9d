package sim

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"understudy/actors"
	"understudy/internal/sim/simnet"
)

// plan is what a seed makes of a run, beside its world: which kinds of faults there
// are at all, and how often.
type plan struct {
	small   bool
	nodes   int // 0: as the world draws it, two to five
	grain   int // of the calls that change nothing, one in so many is a step
	steps   uint64
	reclaim time.Duration
	settle  time.Duration
	slots   int
	puts    int // steps between two requests of clients, about
	weather simnet.Weather
	panics  int      // messages in a thousand that crash their actor
	doubles int      // that come twice
	delays  int      // that their actor takes seconds to turn to
	ends    int      // after which their actor is gone
	kinds   []string // of what is done to disks, nodes, links and rings
	pause   int      // steps between two of those, about
	percent int      // of what was not synced survives a power cut
	errors  int      // of calls in a thousand, while a disk fails
}

// kinds are what a nemesis does.
var kinds = []string{
	"power cut", "kill", "hang", "EIO", "EIO on writes", "read-only", "full", "unmount", "cut link", "isolate node",
	"ring change", "wipe", "rot", "fsync fails", "clock jump",
}

func drawPlan(rng *rand.Rand) plan {
	half := func() bool { return rng.IntN(2) == 0 }
	p := plan{
		small: rng.IntN(4) != 0, grain: 1 + rng.IntN(20), steps: 2000 + rng.Uint64N(8000), reclaim: 7 * 24 * time.Hour,
		slots: 1 + rng.IntN(4), puts: 20 + rng.IntN(400), pause: 50 + rng.IntN(1000), percent: []int{0, 50, 100}[rng.IntN(3)],
		errors: []int{1, 10, 100, 1000}[rng.IntN(4)],
	}
	if half() {
		p.settle = time.Duration(rng.IntN(90)) * time.Second
	}
	if half() {
		p.weather.Slowest = time.Duration(1+rng.IntN(3000)) * time.Millisecond
	}
	if half() {
		p.weather.Refuse = 1 + rng.IntN(100)
	}
	if half() {
		p.weather.Reset = 1 + rng.IntN(200)
	}
	if half() {
		p.weather.Stall = 1 + rng.IntN(50)
	}
	p.weather.Fragment = half()
	for _, chance := range []*int{&p.panics, &p.doubles, &p.delays, &p.ends} {
		if half() {
			*chance = 1 + rng.IntN(10)
		}
	}
	for _, chance := range []*int{&p.weather.HalfShut, &p.weather.Slow, &p.weather.Noise, &p.weather.Impostor} {
		if half() {
			*chance = 1 + rng.IntN(100)
		}
	}
	if rng.IntN(4) != 0 {
		p.nodes = 4 + rng.IntN(5)
	}
	for _, k := range kinds {
		if half() {
			p.kinds = append(p.kinds, k)
		}
	}
	return p
}

func (p plan) String() string {
	return fmt.Sprintf("nodes %d steps %d grain %d slots %d settle %s puts %d panics %d doubles %d delays %d ends %d weather %+v every %d: %s",
		p.nodes, p.steps, p.grain, p.slots, p.settle, p.puts, p.panics, p.doubles, p.delays, p.ends, p.weather, p.pause,
		strings.Join(p.kinds, ", "))
}

func (p plan) can(kind string) bool { return slices.Contains(p.kinds, kind) }

// interval is the rest of a device between two passes.
const interval = 30 * time.Second

func (p plan) options(n *node) actors.Options {
	return actors.Options{
		Slots: p.slots, Interval: interval, StatsInterval: 5 * time.Minute, RingCheckInterval: 15 * time.Second,
		CallTimeout: 2 * time.Minute, ProbeInterval: 15 * time.Second, ProbeTimeout: 30 * time.Second, ErrorLimit: 10,
		HandoffSettle: p.settle, CheckRemote: true, IPs: []string{n.ip}, Port: port,
	}
}
