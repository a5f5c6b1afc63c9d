// Package bootstrap is the composition root: it makes the engine's parts from a
// configuration, wires them together and runs them. It is the only package that
// knows them all.
package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/rs/zerolog"

	"understudy/actors"
	"understudy/config"
	"understudy/internal/observe/logs"
	"understudy/internal/observe/recon"
	"understudy/internal/swift/policy"
	"understudy/internal/swift/ring"
	"understudy/internal/transport/replicate"
	"understudy/messages"
)

// stopTimeout is how long the tree may take to stop. Stuck calls do not count:
// nothing waits for them.
const stopTimeout = 5 * time.Second

// Settings say what an Engine is made of.
type Settings struct {
	Config *config.Config
	Once   bool             // script mode: one pass of every device
	Only   actors.Overrides // restricts the pass in script mode
	Log    zerolog.Logger   // its writer must not block
	Ready  func()           // called once the tree stands; may be nil
}

// Engine is one node's replication engine: one supervisor and what it needs.
type Engine struct {
	deps    actors.Deps
	opts    actors.Options
	first   *messages.View
	log     zerolog.Logger
	closers []func()
	tree    atomic.Pointer[tree] // while it runs
}

// New makes an engine and reads the rings for the first time. A missing or
// unreadable ring of the first replication policy is an error, as in Swift;
// another policy's is reported at every pass and picked up once it can be read.
func New(s Settings) (*Engine, error) {
	cfg := s.Config
	policies := replicated(cfg.Swift.Policies, s.Log)
	placement := NewPlacement(PlacementConfig{
		SwiftDir: cfg.SwiftDir, Policies: policies, RingIP: cfg.RingIP, BindIP: cfg.BindIP,
		BindPort: cfg.BindPort, ServersPerPort: cfg.ServersPerPort, Log: s.Log,
	})
	ips, err := ring.MyIPs(cfg.RingIP)
	if err != nil {
		return nil, fmt.Errorf("find the addresses of this node: %w", err)
	}
	first, err := firstView(placement)
	if err != nil {
		return nil, err
	}
	e := &Engine{first: first, log: s.Log}
	disks := newStore(cfg, s.Log)
	peers := replicate.New(replicate.Config{
		ConnTimeout: cfg.ConnTimeout, HTTPTimeout: cfg.HTTPTimeout,
		UserAgent: "object-replicator " + strconv.Itoa(os.Getpid()),
	})
	e.closers = append(e.closers, peers.Close)
	transport, err := e.transport(cfg, disks, peers)
	if err != nil {
		e.Close()
		return nil, err
	}
	e.deps = actors.Deps{
		Clock: wallClock{}, Rand: globalRand{}, Go: e.crew(),
		Placement: placement, Store: localDisks{disks}, Peers: peers, Transport: transport,
		Recon: recon.New(cfg.ReconCachePath), Metrics: e.metrics(cfg), Log: s.Log,
	}
	e.opts = actors.Options{
		Slots: cfg.JobSlots(), Interval: cfg.Interval, StatsInterval: cfg.StatsInterval,
		RingCheckInterval: cfg.RingCheckInterval, CallTimeout: cfg.LockupTimeout,
		HandoffDelete: handoffDelete(cfg, first, s.Log), HandoffsFirst: cfg.HandoffsFirst, HandoffSettle: cfg.HandoffSettle,
		CheckRemote: cfg.SyncMethod == "ssync",
		Once:        s.Once, PerDisk: cfg.ReplicatorWorkers > 0, Only: s.Only, IPs: ips, Port: ringPort(cfg), Ready: s.Ready,
	}
	return e, nil
}

// replicated are the policies that this engine replicates, in swift.conf order.
// Others are never touched.
func replicated(set *policy.Set, log zerolog.Logger) (out []messages.Policy) {
	ours, refused := set.Replicated()
	for _, err := range refused {
		log.Error().Err(err).Msg("policy is not replicated")
	}
	for _, p := range ours {
		out = append(out, messages.Policy{Index: p.Index, Name: p.Name})
	}
	return out
}

func ringPort(cfg *config.Config) int {
	if cfg.ServersPerPort != 0 {
		return 0
	}
	return cfg.BindPort
}

func firstView(p *Placement) (*messages.View, error) {
	view, err := p.Poll(context.Background(), nil)
	if err != nil {
		return nil, err
	}
	if len(view.Policies) > 0 && view.Policies[0].Ring == nil {
		return nil, view.Policies[0].Err
	}
	return view, nil
}

// Props are the properties of the engine's supervisor, for a host that spawns it
// in an actor system of its own. The host stops it by stopping the actor and then
// calls Close.
func (e *Engine) Props() *actor.Props {
	return actors.SupervisorProps(e.deps, e.opts, e.first)
}

// Close ends what the engine has started outside of itself: rsyncs are killed,
// connections closed. Call it once the supervisor has been stopped.
func (e *Engine) Close() {
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
	root := system.Root.Spawn(e.Props().Clone(actor.WithGuardian(guardian)))
	e.tree.Store(&tree{system, root})
	defer e.tree.Store(nil)
	var done messages.RunDone
	select {
	case done = <-end:
	case <-ctx.Done():
		done.Err = ctx.Err()
	}
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
