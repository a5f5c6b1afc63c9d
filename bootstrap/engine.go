// Package bootstrap is the composition root: it makes the engine's parts from a
// configuration, wires them together and runs them. It is the only package that
// knows them all.
package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/rs/zerolog"

	"understudy/actors"
	"understudy/config"
	"understudy/internal/fault"
	"understudy/internal/observe/logs"
	"understudy/messages"
)

// stopTimeout is how long the tree may take to stop. Stuck calls do not count:
// nothing waits for them.
const stopTimeout = 2 * time.Second

// Settings say what an Engine is made of.
type Settings struct {
	Config *config.Config
	Once   bool             // script mode: one pass of every device
	Only   actors.Overrides // restricts the pass in script mode
	Log    zerolog.Logger   // its writer must not block
	Ready  func()           // called once the tree stands; may be nil
	Faults *fault.Injector  // what goes wrong on purpose; nil: nothing, and nothing asks
}

// Engine is one node's replication engine: one supervisor and what it needs.
type Engine struct {
	settings Settings
	log      zerolog.Logger
	crew     *crew
	bounds   *bounds
	plan     planTime
	started  time.Time

	mu      sync.Mutex // guards what follows; a Reload may come at any time
	parts   *parts     // those in use
	closers []func()
	system  *actor.ActorSystem
	root    *actor.PID // nil when the engine does not run by Run
	byRun   bool       // Run has begun
	stood   bool       // the tree stands
}

// New makes an engine and reads the rings for the first time. A missing or
// unreadable ring of the first replication policy is an error, as in Swift;
// another policy's is reported at every pass and picked up once it can be read.
func New(s Settings) (*Engine, error) {
	if s.Faults != nil && !FaultsBuilt {
		return nil, errNoFaults
	}
	e := &Engine{settings: s, log: s.Log, crew: newCrew(), bounds: newBounds(), started: time.Now()}
	parts, err := e.assemble(s.Config, nil)
	if err != nil {
		e.crew.Close()
		return nil, err
	}
	if !s.Once { // script mode is one pass as the configuration says
		parts.opts.Course = e.keptCourse(s.Config, parts.opts.Limits())
	}
	e.parts = parts
	e.closers = append(parts.closers, e.crew.Close)
	return e, nil
}

// Props are the properties of the engine's supervisor, for a host that spawns it
// in an actor system of its own. The host stops it by stopping the actor and then
// calls Close.
func (e *Engine) Props() *actor.Props {
	e.mu.Lock()
	defer e.mu.Unlock()
	return actors.SupervisorProps(e.parts.deps, e.parts.opts, e.parts.view)
}

// Close ends what the engine has started outside of itself: rsyncs are killed,
// connections closed. Call it once the supervisor has been stopped.
func (e *Engine) Close() {
	e.plan.mu.Lock()
	e.plan.stop()
	e.plan.mu.Unlock()
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, f := range e.closers {
		f()
	}
}

// Run runs the engine in an actor system of its own until it has nothing left to
// do, which in daemon mode is never, or until ctx ends. Failed partitions are no
// error: they are in the Stats. The error is a supervisor that gave up, or ctx's.
func (e *Engine) Run(ctx context.Context) (messages.Stats, error) {
	system := newSystem(e.log)
	end := make(chan messages.RunDone, 1)
	finish := func(d messages.RunDone) {
		select {
		case end <- d:
		default: // the first end counts
		}
	}
	sub := system.EventStream.Subscribe(func(m any) {
		if d, ok := m.(*messages.RunDone); ok {
			finish(*d)
		}
	})
	defer system.EventStream.Unsubscribe(sub)
	guardian := &actors.Guardian{Report: func(err error) { finish(messages.RunDone{Err: err}) }}
	e.mu.Lock()
	e.byRun = true
	e.mu.Unlock()
	root := system.Root.Spawn(e.Props().Clone(actor.WithGuardian(guardian)))
	e.runs(system, root)
	var done messages.RunDone
	select {
	case done = <-end:
	case <-ctx.Done():
		done.Err = ctx.Err()
	}
	e.runs(nil, nil)
	return done.Stats, errors.Join(done.Err, e.stop(system, root))
}

// runs makes the running tree known to who asks it, or that there is none any more.
func (e *Engine) runs(system *actor.ActorSystem, root *actor.PID) {
	e.mu.Lock()
	e.system, e.root = system, root
	stood := e.stood && root != nil
	e.mu.Unlock()
	if stood {
		e.sayReady()
	}
}

// stands is called by the supervisor. It may be faster than Run, which must know the
// tree before others are told that there is one.
func (e *Engine) stands() {
	e.mu.Lock()
	e.stood = true
	early := e.byRun && e.root == nil
	e.mu.Unlock()
	if !early {
		e.sayReady()
	}
}

func (e *Engine) sayReady() {
	if e.settings.Ready != nil {
		e.settings.Ready()
	}
}

func (e *Engine) stop(system *actor.ActorSystem, root *actor.PID) error {
	err := actors.StopWithin(system, root, stopTimeout)
	if err != nil {
		err = fmt.Errorf("stop the engine within %s: %w", stopTimeout, err)
	}
	e.Close()
	system.Shutdown()
	return err
}

func newSystem(log zerolog.Logger) *actor.ActorSystem {
	return actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return logs.ActorLogger(log) }))
}
