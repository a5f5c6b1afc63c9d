package sim

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"

	"understudy/actors"
	"understudy/bootstrap"
	"understudy/internal/observe/logs"
	"understudy/internal/observe/statsd"
	"understudy/internal/server"
	"understudy/internal/sim/simfs"
	"understudy/internal/store"
	"understudy/internal/transport/breaker"
	"understudy/internal/transport/replicate"
	"understudy/internal/transport/ssync"
	"understudy/messages"
)

// boot is one life of a node: its open files, its server and its engine. A power cut
// ends it in the middle of whatever it does.
type boot struct {
	node    *node
	log     zerolog.Logger
	machine *simfs.Machine
	store   *store.Store
	system  *actor.ActorSystem
	root    *actor.PID
	cancel  context.CancelFunc
	served  chan struct{}
	silent  *breaker.Set
	rng     *rand.Rand
	watch   watch
	dead    atomic.Bool

	rounds int      // that its engine has ended
	cut    []string // devices whose pass was cut short in the last one
	budget *actors.Budget

	messages *rand.Rand // what befalls them; used on the scheduler's goroutine
}

func (b *boot) alive() bool { return !b.dead.Load() }

// start boots a node over its disks.
func (n *node) start() error {
	w := n.world
	n.lives++
	b := &boot{node: n, watch: newWatch(), log: w.log.With().Str("node", n.name).Logger()}
	life := fmt.Sprintf("%s life %d", n.name, n.lives)
	b.rng, b.messages = w.source(life), w.source(life+" messages")
	b.machine = simfs.NewMachine(n.system, simfs.Hooks{Before: b.before, Gone: b.gone})
	for _, d := range n.disks {
		if !d.unmounted {
			b.machine.Mount(d.path(), d.fs)
		}
	}
	b.store = store.New(store.Options{
		Root: devicesRoot, MountCheck: true, ReclaimAge: w.plan.reclaim, Log: b.log, FS: b.machine, Now: n.now, Rand: b,
	})
	w.net.Up(n.ip)
	b.serve()
	n.boot = b
	return b.engine()
}

// IntN implements the sources of randomness that the parts ask for.
func (b *boot) IntN(n int) int {
	b.node.world.mu.Lock()
	defer b.node.world.mu.Unlock()
	return b.rng.IntN(n)
}

// Shuffle implements actors.Rand.
func (b *boot) Shuffle(n int, swap func(i, j int)) {
	b.node.world.mu.Lock()
	defer b.node.world.mu.Unlock()
	b.rng.Shuffle(n, swap)
}

// Now implements actors.Clock.
func (b *boot) Now() time.Time { return time.Now() }

// AfterFunc implements actors.Clock.
func (b *boot) AfterFunc(d time.Duration, f func()) (stop func() bool) {
	return b.node.world.sched.After(d, b.node.name+" timer", func() {
		if b.alive() {
			f()
		}
	})
}

// spawn runs blocking work of an actor.
func (b *boot) spawn(f func()) {
	b.node.world.sched.Post(b.node.name+" errand", func() {
		if b.alive() {
			go f()
		}
	})
}

func (b *boot) serve() {
	w := b.node.world
	paths := w.drawn.Paths()
	s := server.New(server.Config{
		Store: b.store, Policies: w.policies, Log: b.log, Version: "simulated",
		Ssync: server.Ssync{Store: b.store, Paths: paths, LockTimeout: 15 * time.Second, DiskTimeout: time.Minute},
	})
	ctx, cancel := context.WithCancel(context.Background())
	b.cancel, b.served = cancel, make(chan struct{})
	l := w.net.Listen(b.node.ip, port)
	w.sched.Go(b.node.name+" server", func() {
		defer close(b.served)
		if err := s.Serve(ctx, l); err != nil && b.alive() {
			w.problem("server of %s ended: %v", b.node.name, err)
		}
	})
}

// engine makes the engine as bootstrap does, of parts that stand on the simulation.
func (b *boot) engine() error {
	w, n := b.node.world, b.node
	paths, dial := w.drawn.Paths(), w.net.Dialer(n.ip)
	peers := replicate.New(replicate.Config{
		ConnTimeout: 500 * time.Millisecond, HTTPTimeout: 60 * time.Second, UserAgent: "object-replicator 1", Dial: dial,
	})
	b.silent = breaker.New(breaker.Config{Clock: b, Rand: b, Log: b.log})
	push, err := ssync.New(ssync.Config{
		ConnTimeout: 500 * time.Millisecond, NodeTimeout: 10 * time.Second, HTTPTimeout: 60 * time.Second, Log: b.log, Dial: dial,
		Open: func(ctx context.Context, job messages.SyncJob) (ssync.Objects, error) {
			open := b.store.OpenObjects
			if job.Handoff {
				open = b.store.OpenHeld
			}
			objects, err := open(ctx, job.Partition, paths)
			if err != nil {
				return nil, err
			}
			return objects, nil
		},
	})
	if err != nil {
		return err
	}
	placement := bootstrap.NewPlacement(bootstrap.PlacementConfig{
		SwiftDir: w.rings, Policies: w.policies, BindIP: n.ip, BindPort: port, Log: b.log,
	})
	view, err := placement.Poll(context.Background(), nil)
	if err != nil {
		return err
	}
	deps := actors.Deps{
		Clock: b, Rand: b, Go: b.spawn, Placement: placement, Store: disks{b.store, b}, Peers: b.silent.Peers(peers),
		Transport: watched{b.silent.Transport(push, breaker.Replicate), b}, Silent: b.silent.States, Recon: nowhere{}, Cursors: n.cursors,
		Metrics: statsd.None{}, Log: b.log, Mailbox: w.sched.Mailboxes(n.name, b.alive, b.dawdle), Middleware: []actor.ReceiverMiddleware{b.disturb},
	}
	b.system = actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return logs.ActorLogger(b.log) }))
	b.system.EventStream.Subscribe(b.hear)
	guardian := &actors.Guardian{Report: func(err error) { w.problem("supervisor of %s gave up: %v", n.name, err) }}
	b.root = b.system.Root.Spawn(actors.SupervisorProps(deps, w.plan.options(n), view).Clone(actor.WithGuardian(guardian)))
	return nil
}

// end takes a node down: its power fails, or its processes are killed.
func (b *boot) end(power bool) {
	b.died()
	b.dead.Store(true)
	b.machine.Off()
	b.node.world.net.Down(b.node.ip, power)
	b.cancel()
	for _, d := range b.node.disks {
		d.let()
	}
}

// stop ends a node in order. It blocks in virtual time.
func (b *boot) stop() error {
	err := actors.StopWithin(b.system, b.root, time.Minute)
	b.cancel()
	<-b.served
	b.dead.Store(true)
	b.system.Shutdown()
	return err
}

// before stands before each call of a file system: the scheduler's turn, then the
// disk's faults.
func (b *boot) before(c simfs.Call) error {
	b.node.world.sched.Fence()
	if !b.alive() {
		return unix.EIO
	}
	if c.Op == "open" || changes(c.Op) || b.node.world.step(c) {
		b.node.world.sched.Gate(b.node.name + " " + c.Op + " " + strings.TrimPrefix(c.Path, devicesRoot+"/"))
		if !b.alive() {
			return unix.EIO
		}
	}
	if d := b.node.disk(c.Path); d != nil {
		return d.befall(b, c)
	}
	return nil
}

// changes tells whether a call changes what a disk holds, or who may.
func changes(op string) bool {
	switch op {
	case "open", "stat", "readdir", "read", "getxattr", "statfs", "unlock":
		return false
	}
	return true
}

func (b *boot) gone(c simfs.Call) { b.node.world.truth.gone(b.node, c) }
