// Package stage runs scenarios: it builds the cluster that one tells of, injects its
// faults, takes its steps, writes down what happens when, and in the end judges every
// disk by the history of what was written.
package stage

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"understudy/internal/fault"
	"understudy/internal/lab"
	"understudy/internal/lab/links"
	"understudy/internal/scenario"
)

// Options say how a scenario is run.
type Options struct {
	Dir  string      // an empty folder on a file system with user xattrs
	Seed uint64      // draws names, contents, places, and what faults with a chance do
	Tell func(Event) // hears of what happens, one after the other; may be nil

	// Process is a program, and its first arguments, that runs lab.Inside for a folder and
	// a node's name: each node is a process of its own. Nil: all are in this one.
	Process []string
	// Networks gives each such node a network of its own, so that cuts are of links. It
	// needs the right to make them: see links.ErrNone.
	Networks bool

	// Linger is how long what is on its way out may take before it counts as leaked; 0 is 10 s.
	Linger time.Duration
	// Spoil runs before the verdict, for tests of what it sees; may be nil.
	Spoil func()
}

// ErrScenario says that a scenario can be read and makes no sense all the same: it names a
// node that there is not, or puts an object on more devices than there are.
var ErrScenario = errors.New("the scenario makes no sense")

// graceful is how long parts may take to end when they are told to; what takes longer is
// stuck.
const graceful = 20 * time.Second

const linger = 10 * time.Second

// stage is one run.
type stage struct {
	told    *scenario.Scenario
	options Options
	begun   time.Time
	world   *lab.World
	cluster *lab.Cluster
	clients *lab.Clients
	faults  *fault.Injector // nil: the scenario has none
	rng     *rand.Rand

	links  *links.Net // nil: all are on the loopback
	cuts   *cuts      // of links, by the plan in force; nil: none
	diary  *diary
	tally  tally
	pass   *passing // in the background; nil: none
	run    map[int]*running
	frozen []*running // of passes whose process was stopped
	plays  *playing   // the workload; nil: not begun
	ended  bool       // the workload may not begin again
	plan   fault.Plan // in force
	before coverage   // of plans before
}

// tally is what a run counts beside what the judge finds.
type tally struct {
	mu                                sync.Mutex
	passes, removed, pushed, failures int
	stuck                             []string
	quarantined, written              int
	restarts                          int // of engines, by their manager
	leaked, touched                   []string
	unwritten                         atomic.Int64 // requests that nobody took
}

func (t *tally) gotStuck(what string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stuck = append(t.stuck, what)
}

// Run runs a scenario and tells whether what it expects has held. The error says that it
// could not be run, or not be judged.
func Run(ctx context.Context, s *scenario.Scenario, o Options) (*Result, error) {
	st := &stage{
		told: s, options: o, begun: time.Now(), rng: rand.New(rand.NewPCG(o.Seed, 7)), run: map[int]*running{}, before: coverage{},
	}
	st.diary = newDiary(st.begun, o.Tell)
	before := lab.Look()
	result, err := st.play(ctx)
	if closeErr := st.close(); closeErr != nil && err == nil {
		st.tally.gotStuck(closeErr.Error())
	}
	if err != nil {
		return nil, fmt.Errorf("run scenario %s: %w", s.Title, err)
	}
	closed := time.Now()
	st.tally.leaked = append(st.tally.leaked, before.Leaks(cmp.Or(o.Linger, linger))...)
	if took := time.Since(closed); took > time.Second {
		st.diary.say("", "  it took %.1f s until all was gone", took.Seconds())
	}
	result.finish(st)
	return result, nil
}

func (st *stage) play(ctx context.Context) (*Result, error) {
	if err := st.build(ctx); err != nil {
		return nil, err
	}
	for _, step := range st.told.Steps {
		if err := st.step(ctx, step); err != nil {
			return nil, fmt.Errorf("step %q: %w", step, err)
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
	if err := st.quiet(ctx); err != nil {
		return nil, err
	}
	return st.judge(ctx)
}

// build makes the cluster and starts its servers.
func (st *stage) build(ctx context.Context) (err error) {
	if st.world, err = lab.Told(st.told, st.options.Seed, time.Now()); err != nil {
		return fmt.Errorf("%w: %w", ErrScenario, err)
	}
	if len(st.told.Faults) > 0 || slices.ContainsFunc(st.told.Steps, func(s scenario.Step) bool { return s.Verb == "power-cut" }) {
		if st.plan, err = st.planNamed(""); err != nil {
			return err
		}
		st.faults = fault.NewInjector(st.plan, nil)
	}
	if NeedsProcesses(st.told) && st.options.Process == nil {
		return fmt.Errorf("%w: its faults end processes, and each node has to be one of its own", ErrScenario)
	}
	if st.options.Networks {
		if st.links, err = links.New(ctx, st.told.Cluster.Nodes); err != nil {
			return err
		}
		st.world.Dial = st.links.Dial
	}
	st.cluster, err = lab.NewOfSpec(ctx, st.world, lab.Spec{
		Dir: st.options.Dir, Options: st.world.Options, OwnRings: true,
		Log:    func(node int) zerolog.Logger { return st.diary.logger(node) },
		Faults: st.seat, Process: st.options.Process, Heard: st.diary.heard, Died: st.died,
		Links: st.links, Leaked: st.leaked, Linger: cmp.Or(st.options.Linger, linger),
	})
	if errors.Is(err, lab.ErrOptions) {
		return fmt.Errorf("%w: %w", ErrScenario, err)
	}
	if err != nil {
		return err
	}
	st.cutLinks()
	if err := st.loadOutside(); err != nil {
		return err
	}
	st.clients = lab.NewClients(st.world, st.options.Dir)
	st.clients.Reaches = st.reaches
	st.clients.Store = func(node int) lab.Invalidator { return st.cluster.Node(node).Disk() }
	st.diary.say("", "%s: %d nodes × %d devices, %d objects", st.told.Cluster.Method, st.told.Cluster.Nodes, st.told.Cluster.Devices, len(st.world.Objects))
	return nil
}

// planNamed is a fault plan of the scenario; one that there is not is empty.
func (st *stage) planNamed(name string) (fault.Plan, error) {
	for _, f := range st.told.Faults {
		if f.Name == name {
			p, err := fault.Parse(f.Text)
			if err != nil {
				return p, err
			}
			if p.Seed == 0 {
				p.Seed = st.options.Seed
			}
			return p, nil
		}
	}
	return fault.Plan{}, nil
}

// reaches tells whether clients reach a device now.
func (st *stage) reaches(s lab.Spot) bool {
	n := st.cluster.Node(s.Node)
	return n.Up() && !n.Frozen() && there(s.Path(st.options.Dir))
}

// quiet ends what still runs: passes, engines, clients, faults.
func (st *stage) quiet(ctx context.Context) error {
	st.endFaults()
	if err := st.endPass(ctx, graceful); err != nil {
		return err
	}
	st.haltAll()
	return st.endPlay(ctx)
}

// leaked notes what a node's process had left when it was told to end.
func (st *stage) leaked(node int, found []string) {
	st.tally.mu.Lock()
	defer st.tally.mu.Unlock()
	for _, what := range found {
		st.tally.leaked = append(st.tally.leaked, lab.WorldNode{Number: node}.Name()+": "+what)
	}
}

// close ends the servers, and then their networks.
func (st *stage) close() error {
	err := st.closeNodes()
	if st.links != nil {
		err = errors.Join(err, st.links.Close())
	}
	return err
}

func (st *stage) closeNodes() error {
	st.endFaults()
	st.haltAll()
	if st.pass != nil {
		st.pass.cancel()
		st.pass = nil
	}
	if st.plays != nil {
		st.plays.cancel()
	}
	if st.cluster == nil {
		return nil
	}
	closed := make(chan error, 1)
	go func() { closed <- st.cluster.Close() }()
	select {
	case err := <-closed:
		return err
	case <-time.After(2 * graceful): // each process has as long to be rid of what it has
		return errors.New("the servers do not end")
	}
}
