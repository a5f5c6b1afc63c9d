package bootstrap_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"understudy/actors"
	"understudy/bootstrap"
	"understudy/config"
	"understudy/internal/lab"
	"understudy/messages"
)

// exampleNode is the configuration of a storage node with 20 objects, whose only peer has
// lost its disk. A real program reads its own: config.Load("/etc/swift/object-server.conf", config.Options{}).
func exampleNode() (cfg *config.Config, end func()) {
	dir, err := os.MkdirTemp("", "example")
	check(err)
	c, err := lab.New(context.Background(), lab.Spec{
		Dir: dir, Nodes: 2, Disks: 1, Replicas: 2, PartPower: 3, Seed: 1, Options: map[string]string{"sync_method": "ssync"},
	})
	check(err)
	_, err = c.Seed(context.Background(), lab.Draw{Objects: 20, Seed: 1, Base: time.Now().Add(-time.Hour), Ssync: true})
	check(err)
	check(c.Lose(lab.Place{Node: c.Node(2), Disk: "d1"}))
	check(os.MkdirAll(filepath.Join(c.Node(2).DevicesRoot(), "d1", "objects"), 0o755))
	return c.Node(1).Config, func() { check(errors.Join(c.Close(), os.RemoveAll(dir))) }
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

// hostSystem is the actor system that the host has anyway.
func hostSystem() *actor.ActorSystem {
	return actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return slog.New(slog.DiscardHandler) }))
}

// A host program spawns the engine in its own actor system, with its own logger and its
// own metrics registry, talks to it and stops it.
func Example() {
	cfg, end := exampleNode()
	defer end()
	system := hostSystem()
	defer system.Shutdown()
	rounds := make(chan *messages.RoundEnded, 1)
	sub := system.EventStream.Subscribe(func(event any) {
		if round, ok := event.(*messages.RoundEnded); ok {
			select {
			case rounds <- round: // a subscriber must not block
			default:
			}
		}
	})
	defer system.EventStream.Unsubscribe(sub)

	registry := prometheus.NewRegistry()
	engine, err := bootstrap.New(bootstrap.Settings{Config: cfg, Log: zerolog.Nop(), Registerer: registry})
	check(err)
	pid, err := system.Root.SpawnNamed(engine.Props(), "replicator")
	check(err)

	fmt.Println("failures:", (<-rounds).Stats.Failure)
	report, err := engine.Report(context.Background())
	check(err)
	fmt.Println(report.Verdict.State)
	families, err := registry.Gather()
	check(err)
	fmt.Println("metrics:", len(families) > 10)

	check(actors.StopWithin(system, pid, 5*time.Second))
	engine.Close()
	// Output:
	// failures: 0
	// healthy
	// metrics: true
}

// dryTransport sends nothing.
type dryTransport struct{ asked atomic.Int64 }

func (d *dryTransport) Sync(context.Context, messages.SyncJob) (messages.SyncResult, error) {
	d.asked.Add(1)
	return messages.SyncResult{OK: true}, nil
}

// A host brings a transport of its own. Run is the engine in an actor system of its own;
// Once makes it end after one pass of each disk.
func ExampleParts() {
	cfg, end := exampleNode()
	defer end()
	transport := &dryTransport{}
	engine, err := bootstrap.New(bootstrap.Settings{
		Config: cfg, Log: zerolog.Nop(), Once: true, Parts: bootstrap.Parts{Transport: transport},
	})
	check(err)
	stats, err := engine.Run(context.Background())
	check(err)
	fmt.Println("each suffix that differs went to our transport:", transport.asked.Load() > 0, stats.Rsync == int(transport.asked.Load()))
	// Output: each suffix that differs went to our transport: true true
}

// What goes on is told on the event stream of the host's actor system, by each engine with
// the PID of its supervisor.
func ExampleEngine_Props_events() {
	cfg, end := exampleNode()
	defer end()
	system := hostSystem()
	defer system.Shutdown()
	events := make(chan string, 100)
	sub := system.EventStream.Subscribe(func(event any) {
		switch e := event.(type) {
		case *messages.EngineStarted:
			events <- "the tree stands: " + e.Engine.Id
		case *messages.Happened:
			events <- e.Event.Kind + ": " + e.Event.Actor
		}
	})
	defer system.EventStream.Unsubscribe(sub)
	engine, err := bootstrap.New(bootstrap.Settings{Config: cfg, Log: zerolog.Nop()})
	check(err)
	pid, err := system.Root.SpawnNamed(engine.Props(), "replicator")
	check(err)
	fmt.Println(<-events)
	_, err = engine.Do(context.Background(), bootstrap.PauseCommand{Scope: bootstrap.ScopeDevice, Name: "d1"})
	check(err)
	fmt.Println(<-events)
	check(actors.StopWithin(system, pid, 5*time.Second))
	engine.Close()
	// Output:
	// the tree stands: replicator
	// control: pause device d1
}

// An actor of the host steers the engine by messages, and stops it when it is quiet.
func ExampleOrder() {
	cfg, end := exampleNode()
	defer end()
	system := hostSystem()
	defer system.Shutdown()
	engine, err := bootstrap.New(bootstrap.Settings{Config: cfg, Log: zerolog.Nop()})
	check(err)
	pid := system.Root.Spawn(engine.Props())
	ask := func(message any) *bootstrap.Answer {
		answer, err := system.Root.RequestFuture(pid, message, 10*time.Second).Result()
		check(err)
		return answer.(*bootstrap.Answer)
	}
	fmt.Println(ask(&bootstrap.Order{Command: bootstrap.PauseCommand{Scope: bootstrap.ScopeDevice, Name: "sdz"}}).Err)
	fmt.Println(ask(&bootstrap.Order{Command: bootstrap.SetProfile{Profile: messages.ProfileClientFirst}}).Done.Message)
	fmt.Println("drained:", ask(&bootstrap.Drain{Limit: 5 * time.Second}).Err)
	fmt.Println("paused:", ask(&bootstrap.GetReport{}).Report.Paused != nil)
	check(actors.StopWithin(system, pid, 5*time.Second))
	engine.Close()
	// Output:
	// no device "sdz" here
	// profile client-first in force
	// drained: <nil>
	// paused: true
}
