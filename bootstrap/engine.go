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
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"understudy/actors"
	"understudy/config"
	"understudy/internal/fault"
	"understudy/internal/observe/logs"
	"understudy/internal/transport/rsync"
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
	Ready  func()           // called once, when the tree stands; may be nil
	Faults *fault.Injector  // what goes wrong on purpose; nil: nothing, and nothing asks
	Parts  Parts            // replace the engine's own

	// Registerer takes the engine's metrics until Close; nil: nobody does. Several engines
	// in one registry need prometheus.WrapRegistererWith, each with a label of its own.
	Registerer prometheus.Registerer
}

// Engine is one node's replication engine: one supervisor and what it needs.
type Engine struct {
	settings Settings
	log      zerolog.Logger
	crew     *crew
	thread   *rsync.Thread // starts rsyncs, whatever the configuration becomes
	bounds   *bounds
	plan     planTime
	started  time.Time
	orders   atomic.Int32                  // of the host that are at work
	sight    atomic.Pointer[messages.View] // the newest rings

	reload sync.Mutex // one Reload at a time

	mu      sync.Mutex // guards what follows; a Reload may come at any time
	parts   *parts     // those in use
	closers []closer
	system  *actor.ActorSystem
	root    *actor.PID       // the supervisor that lives, or nil
	course  *messages.Course // the newest; nil before the first
	ready   sync.Once
}

// New makes an engine and reads the rings for the first time. A missing or
// unreadable ring of the first replication policy is an error, as in Swift;
// another policy's is reported at every pass and picked up once it can be read.
func New(s Settings) (*Engine, error) {
	if s.Faults != nil && !FaultsBuilt {
		return nil, errNoFaults
	}
	if s.Config == nil {
		return nil, errors.New("make the engine: no configuration")
	}
	if err := s.Parts.fit(); err != nil {
		return nil, fmt.Errorf("make the engine: %w", err)
	}
	e := &Engine{settings: s, log: s.Log, crew: newCrew(), thread: rsync.NewThread(), bounds: newBounds(), started: time.Now()}
	parts, err := e.assemble(s.Config, nil)
	if err != nil {
		e.crew.Close()
		return nil, err
	}
	if !s.Once { // script mode is one pass as the configuration says
		parts.opts.Course = e.keptCourse(s.Config, parts.opts.Limits())
	}
	e.parts = parts
	e.closers = append(parts.closers, closer{end: e.crew.Close})
	if err := e.register(s.Registerer); err != nil {
		e.Close()
		return nil, err
	}
	return e, nil
}

// Close ends what the engine has started outside of itself: rsyncs are killed,
// connections closed, metrics unregistered. Call it once the supervisor has been stopped;
// a second call does nothing.
func (e *Engine) Close() {
	e.plan.mu.Lock()
	e.plan.stop()
	e.plan.mu.Unlock()
	e.mu.Lock()
	closers := e.closers
	e.closers = nil
	e.mu.Unlock()
	for _, c := range closers {
		c.end()
	}
	e.thread.End() // what has not ended by now, the kernel kills
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
	root := system.Root.Spawn(e.Props().Clone(actor.WithGuardian(guardian)))
	var done messages.RunDone
	select {
	case done = <-end:
	case <-ctx.Done():
		done.Err = ctx.Err()
	}
	e.gone(root)
	return done.Stats, errors.Join(done.Err, e.stop(system, root))
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
