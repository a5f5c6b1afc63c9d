package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"

	"understudy/bootstrap"
	"understudy/config"
	"understudy/internal/fault"
	"understudy/internal/fault/disk"
	"understudy/internal/lab/links"
	"understudy/internal/observe/logs"
	"understudy/internal/store"
	"understudy/messages"
)

// ErrOptions says that a node cannot be configured as a Spec's options want it.
var ErrOptions = errors.New("read configuration")

// Node is one storage node of a cluster.
type Node struct {
	Number int // from 1; its zone as well
	IP     string
	Port   int            // of its object server
	Disks  []string       // d1, d2, …
	Config *config.Config // as read from ConfPath

	cluster  *Cluster
	passing  atomic.Pointer[bootstrap.Engine] // its engine in a Round
	listener net.Listener
	frost    *frost
	faults   *fault.Injector // nil: none
	disks    *disk.FS        // nil: the real ones
	store    *store.Store
	logs     *logs.Logs
	log      zerolog.Logger
	cancel   context.CancelCauseFunc
	served   chan error
	outside  *outside  // nil: the node is in this process
	impostor *impostor // nil: none is in its place
}

// newNode makes the node's folders and opens its port.
func newNode(c *Cluster, number int, disks []string) (*Node, error) {
	n := &Node{Number: number, IP: "127.0.1." + strconv.Itoa(number), Disks: disks, cluster: c}
	for _, disk := range n.Disks {
		if err := os.MkdirAll(filepath.Join(n.DevicesRoot(), disk), 0o755); err != nil {
			return nil, fmt.Errorf("make node %d: %w", number, err)
		}
	}
	if err := os.MkdirAll(n.cachePath(), 0o755); err != nil {
		return nil, fmt.Errorf("make node %d: %w", number, err)
	}
	if c.spec.Links != nil {
		n.IP, n.Port = links.IP(number), links.Port
		return n, nil
	}
	var err error
	n.listener, n.Port, err = listen(n.IP, 0)
	return n, err
}

// start writes and reads the node's configuration and starts its object server.
func (n *Node) start() error {
	if err := n.writeConf(); err != nil {
		return err
	}
	var err error
	n.Config, err = config.Load(n.ConfPath(), config.Options{SwiftConf: n.cluster.swiftConfPath()})
	if err != nil {
		return fmt.Errorf("%w of node %d: %w", ErrOptions, n.Number, err)
	}
	if n.cluster.spec.Process != nil {
		n.store = n.Disk()
		return n.Revive()
	}
	if n.cluster.spec.Log != nil {
		n.log = n.cluster.spec.Log(n.Number)
		return n.serve()
	}
	n.logs, err = logs.New(logs.Config{
		Format: logs.FormatConsole, Level: n.Config.Log.Level,
		Stderr: &nodeWriter{node: "node " + strconv.Itoa(n.Number) + "  ", out: n.cluster.log},
	})
	if err != nil {
		return fmt.Errorf("open log of node %d: %w", n.Number, err)
	}
	n.log = n.logs.Logger
	return n.serve()
}

// serve starts the node's object server on its port, which is open.
func (n *Node) serve() error {
	if n.faults = n.injector(); n.faults != nil {
		n.disks = disk.New(store.OS(), n.faults, disk.Config{Root: n.Config.Devices, Journal: true})
	}
	options := store.Options{
		Root: n.Config.Devices, MountCheck: n.Config.MountCheck, ReclaimAge: n.Config.DiskFile.ReclaimAge, Log: n.log,
	}
	if n.disks != nil {
		options.FS, options.Now = n.disks, bootstrap.FaultyNow(n.faults)
	}
	n.store = store.New(options)
	serving, err := config.Load(n.ConfPath(), config.Options{Section: config.ServerSection, SwiftConf: n.cluster.swiftConfPath()})
	if err != nil {
		return fmt.Errorf("read configuration of the server of node %d: %w", n.Number, err)
	}
	peers := bootstrap.NewServer(bootstrap.ServerSettings{Config: serving, Log: n.log, Store: n.store, Faults: n.faults})
	ctx, cancel := context.WithCancelCause(context.Background())
	n.cancel, n.served, n.frost = cancel, make(chan error, 1), &frost{}
	go func(l net.Listener) { n.served <- peers.ServeOn(ctx, l) }(&frostListener{n.listener, n.frost})
	return nil
}

// pass runs one pass of the node's engine.
func (n *Node) pass(ctx context.Context) (messages.Stats, error) {
	engine, err := n.Engine(true)
	if err != nil {
		return messages.Stats{}, err
	}
	if e, ok := engine.(*bootstrap.Engine); ok {
		n.passing.Store(e)
		defer n.passing.Store(nil)
	}
	stats, err := engine.Run(ctx)
	if err != nil {
		return stats, fmt.Errorf("run engine of node %d: %w", n.Number, err)
	}
	return stats, nil
}

// Passing is how many partitions the engines at work in a Round have looked at, of how
// many that they know of.
func (c *Cluster) Passing(ctx context.Context) (done, jobs int64) {
	for _, n := range c.Nodes {
		e := n.passing.Load()
		if e == nil {
			continue
		}
		s, err := e.Snapshot(ctx)
		if err != nil {
			continue // it ends, or will answer the next time
		}
		for i := range s.Devices {
			done += int64(s.Devices[i].Done)
			jobs += int64(s.Devices[i].Jobs)
		}
	}
	return done, jobs
}

// stop may be called on a node that did not start, and again.
func (n *Node) stop() error {
	var errs []error
	n.impostor.end()
	n.impostor = nil
	if n.outside != nil {
		p := n.outside
		n.outside = nil
		return p.end()
	}
	switch {
	case n.cancel != nil:
		n.frost.thaw()
		n.cancel(nil)
		errs = append(errs, <-n.served)
	case n.listener != nil:
		errs = append(errs, n.listener.Close())
	}
	n.cancel, n.listener = nil, nil
	if n.logs != nil {
		errs = append(errs, n.logs.Close())
		n.logs = nil
	}
	return errors.Join(errs...)
}

// DevicesRoot is the folder of the node's disks.
func (n *Node) DevicesRoot() string { return DevicesRoot(n.cluster.Dir, n.Number) }

// ConfPath is the node's object-server.conf.
func (n *Node) ConfPath() string { return filepath.Join(n.dir(), "object-server.conf") }

func (n *Node) cachePath() string { return filepath.Join(n.dir(), "cache") }

func (n *Node) dir() string { return filepath.Join(n.cluster.Dir, "nodes", strconv.Itoa(n.Number)) }

// Round is what happened in one pass of all engines.
type Round struct {
	Stats   messages.Stats // all nodes' numbers added up
	Elapsed time.Duration
}

// Round runs one pass of every node's engine, all at the same time. Partitions
// that failed are no error: they are in the Stats.
func (c *Cluster) Round(ctx context.Context) (Round, error) {
	var r Round
	var mu sync.Mutex
	begun := time.Now()
	group, ctx := errgroup.WithContext(ctx)
	for _, n := range c.Nodes {
		group.Go(func() error {
			stats, err := n.pass(ctx)
			mu.Lock()
			defer mu.Unlock()
			r.Stats.Add(stats)
			return err
		})
	}
	err := group.Wait()
	r.Elapsed = time.Since(begun)
	return r, err
}

// nodeWriter puts the node's name before each line. It is given whole lines.
type nodeWriter struct {
	node string
	out  *os.File // several nodes append to it
}

func (w *nodeWriter) Write(p []byte) (int, error) {
	if _, err := w.out.Write(append([]byte(w.node), p...)); err != nil {
		return 0, err
	}
	return len(p), nil
}
