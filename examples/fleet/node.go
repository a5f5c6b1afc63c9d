package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/rs/zerolog"

	"understudy/actors"
	"understudy/bootstrap"
	"understudy/bootstrap/fleet"
	"understudy/bootstrap/remoteapi"
	"understudy/config"
	internal "understudy/internal/fleet"
)

// place is what a node's process is told.
type place struct {
	Name  string   `json:"name"`
	Conf  string   `json:"conf"`  // object-server.conf
	Swift string   `json:"swift"` // swift.conf
	Dir   string   `json:"dir"`   // of the certificates
	At    string   `json:"at"`    // ip:port
	Seeds []string `json:"seeds"` // of all
}

// runNode is a host program: an actor system in a cluster, and in it an engine. It ends
// with ctx, or with its standard input.
func runNode(ctx context.Context, args []string, stdin io.Reader) error {
	var p place
	if err := json.Unmarshal([]byte(args[0]), &p); err != nil {
		return fmt.Errorf("read the place of the node: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	go func() { _, _ = io.Copy(io.Discard, stdin); cancel() }()
	cfg, err := config.Load(p.Conf, config.Options{SwiftConf: p.Swift})
	if err != nil {
		return err
	}
	log := zerolog.New(os.Stderr).Level(zerolog.ErrorLevel)
	engine, err := bootstrap.New(bootstrap.Settings{Config: cfg, Log: log})
	if err != nil {
		return err
	}
	defer engine.Close()
	system := quietSystem()
	member, err := join(system, engine, p)
	if err != nil {
		return err
	}
	supervisor, err := system.Root.SpawnNamed(engine.Props(), "replicator")
	if err != nil {
		return err
	}
	<-ctx.Done()
	err = actors.StopWithin(system, supervisor, 5*time.Second)
	if left := member.Leave(); err == nil {
		err = left
	}
	return err
}

// join makes a system a member of the cluster; a nil engine only asks.
func join(system *actor.ActorSystem, e remoteapi.Engine, p place) (*fleet.Member, error) {
	files := &internal.Conf{
		Listen: p.At, CA: filepath.Join(p.Dir, "ca.pem"), Cert: filepath.Join(p.Dir, "node.pem"), Key: filepath.Join(p.Dir, "node.key"),
	}
	remote, err := files.Agent(zerolog.Nop())
	if err != nil {
		return nil, err
	}
	remote.Node = p.Name
	return fleet.Join(system, e, fleet.Config{
		Cluster: "storage", Remote: remote,
		Provider: fleet.NewStatic(fleet.StaticConfig{Seeds: p.Seeds, Every: 200 * time.Millisecond, Lost: 2 * time.Second}),
	})
}

func quietSystem() *actor.ActorSystem {
	return actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return slog.New(slog.DiscardHandler) }))
}

// freeAddress is one that nobody has at the moment.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(l.Addr().(*net.TCPAddr).Port)), nil
}
