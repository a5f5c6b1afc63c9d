// Package lab runs many storage nodes in one process: their disks are folders,
// their object servers and replication engines are the real ones. Where the engines
// push by rsync, one real rsync daemon on the loopback serves them all. It seeds objects as Swift writes
// them, breaks things, and checks the end state byte for byte.
package lab

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"understudy/internal/fault"
	"understudy/internal/lab/links"
	"understudy/internal/swift/hashpath"
	"understudy/internal/swift/ring"
)

// Spec describes a cluster. Everything is required but Options.
type Spec struct {
	Dir       string // an existing folder on a file system with user xattrs
	Nodes     int    // 1 to MaxNodes, each in a zone of its own
	Disks     int    // of each node, 1 to MaxDisks
	Replicas  int    // at most Nodes × Disks
	PartPower int
	Seed      uint64            // places the partitions
	Options   map[string]string // more options of [object-replicator]

	// Log makes the log of a node; nil: all write to LogPath.
	Log func(node int) zerolog.Logger
	// OwnRings gives each node a folder of rings for itself, so that they can disagree.
	OwnRings bool
	// Faults is the injector of a node; nil, or when it returns nil: none.
	Faults func(node int) *fault.Injector

	// Process is a program, and its first arguments, that runs Inside for a folder and
	// the name of a node; then each node is a process of its own. Nil: all are in this one.
	Process []string
	Heard   func(node int, line []byte) // a line of such a node's log, in JSON
	Died    func(node int)              // such a node has ended by itself

	// Links are networks of the nodes, which are processes then. Nil: all are on the loopback.
	Links *links.Net
	// Leaked hears what the process of a node still had when it was told to end, and had
	// not when it began; each is given so long to be rid of it.
	Leaked func(node int, found []string)
	Linger time.Duration
}

// Bounds of a Spec. Node n listens on 127.0.1.n.
const (
	MaxNodes = 64
	MaxDisks = 64
)

// Cluster is a running cluster: servers and, if need be, the rsync daemon are up,
// engines run when Round is called. It has one storage policy.
type Cluster struct {
	Dir   string
	Nodes []*Node
	Ring  *ring.Ring

	spec   Spec
	hasher hashpath.Hasher
	log    *os.File
	rsyncd []*rsyncd // none with ssync; one for all nodes, or one each
}

// New makes a cluster in a folder and starts its servers. Close ends them; the
// folder is the caller's.
func New(ctx context.Context, spec Spec) (*Cluster, error) {
	c := &Cluster{Dir: spec.Dir, spec: spec}
	if err := c.start(ctx); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

func (s Spec) check() error {
	switch {
	case !filepath.IsAbs(s.Dir) || strings.ContainsAny(s.Dir, "\n\r"):
		return fmt.Errorf("make cluster: the folder %q is not an absolute path", s.Dir)
	case s.Nodes < 1 || s.Nodes > MaxNodes:
		return fmt.Errorf("make cluster: %d nodes, not 1 to %d", s.Nodes, MaxNodes)
	case s.Disks < 1 || s.Disks > MaxDisks:
		return fmt.Errorf("make cluster: %d disks, not 1 to %d", s.Disks, MaxDisks)
	case s.Replicas < 1 || s.Replicas > s.Nodes*s.Disks:
		return fmt.Errorf("make cluster: %d replicas on %d disks", s.Replicas, s.Nodes*s.Disks)
	}
	return nil
}

func (c *Cluster) start(ctx context.Context) error {
	if err := c.spec.check(); err != nil {
		return err
	}
	disks := make([][]string, c.spec.Nodes)
	for node := range disks {
		for disk := 1; disk <= c.spec.Disks; disk++ {
			disks[node] = append(disks[node], "d"+strconv.Itoa(disk))
		}
	}
	return c.serve(ctx, disks, func() error {
		return cmp.Or(c.writeRing(), c.writeSwiftConf())
	})
}

// serve makes everything in the order in which one thing needs another: ports,
// rsync daemon, rings and swift.conf, servers. The disks are those of each node.
func (c *Cluster) serve(ctx context.Context, disks [][]string, writeRings func() error) error {
	if err := os.MkdirAll(c.etc(), 0o755); err != nil {
		return fmt.Errorf("make cluster: %w", err)
	}
	log, err := os.OpenFile(c.LogPath(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return fmt.Errorf("make cluster: %w", err)
	}
	c.log = log
	for i := range disks {
		n, err := newNode(c, i+1, disks[i])
		if err != nil {
			return err
		}
		c.Nodes = append(c.Nodes, n)
	}
	if c.usesRsync() {
		if err := c.startRsyncds(ctx); err != nil {
			return err
		}
	}
	if err := writeRings(); err != nil {
		return err
	}
	for _, n := range c.Nodes {
		if err := n.start(); err != nil {
			return err
		}
	}
	return nil
}

func (c *Cluster) writeRing() error {
	spec := RingSpec{PartPower: c.spec.PartPower, Replicas: float64(c.spec.Replicas), Seed: c.spec.Seed, Version: 1}
	for _, n := range c.Nodes {
		for _, disk := range n.Disks {
			spec.Devices = append(spec.Devices, ring.Device{
				ID: len(spec.Devices), Region: 1, Zone: n.Number, IP: n.IP, Port: n.Port,
				ReplicationIP: n.IP, ReplicationPort: n.Port, Device: disk, Weight: 100,
			})
		}
	}
	path := filepath.Join(c.etc(), "object.ring.gz")
	if err := WriteRing(path, spec); err != nil {
		return err
	}
	var err error
	c.Ring, err = ring.Load(path)
	return err
}

// LogPath is the file that the engines and servers of all nodes log to.
func (c *Cluster) LogPath() string { return filepath.Join(c.Dir, "cluster.log") }

func (c *Cluster) etc() string { return filepath.Join(c.Dir, "etc") }

// RingDir is the folder of the rings that a node reads.
func (c *Cluster) RingDir(node int) string {
	if c.spec.OwnRings {
		return filepath.Join(c.Dir, "nodes", strconv.Itoa(node), "etc")
	}
	return c.etc()
}

// Node is the node with a number, from 1.
func (c *Cluster) Node(number int) *Node { return c.Nodes[number-1] }

// Primaries are the places of a partition's copies, in ring order.
func (c *Cluster) Primaries(part uint32) []Place {
	devices := c.Ring.PartNodes(part)
	places := make([]Place, len(devices))
	for i, d := range devices {
		places[i] = Place{Node: c.Node(d.Zone), Disk: d.Device}
	}
	return places
}

// Place is one disk of one node.
type Place struct {
	Node *Node
	Disk string
}

// Path is the disk's folder.
func (p Place) Path() string { return filepath.Join(p.Node.DevicesRoot(), p.Disk) }

func (p Place) String() string { return "node " + strconv.Itoa(p.Node.Number) + " disk " + p.Disk }

// places are all disks, in order.
func (c *Cluster) places() (all []Place) {
	for _, n := range c.Nodes {
		for _, disk := range n.Disks {
			all = append(all, Place{n, disk})
		}
	}
	return all
}

// Lose empties a disk, as a disk that was replaced by a new one is empty.
func (c *Cluster) Lose(p Place) error {
	entries, err := os.ReadDir(p.Path())
	for _, e := range entries {
		err = errors.Join(err, os.RemoveAll(filepath.Join(p.Path(), e.Name())))
	}
	if err != nil {
		return fmt.Errorf("empty %s: %w", p, err)
	}
	return nil
}

// Close stops the servers and the rsync daemon and waits for them. It may be
// called on a cluster that did not start.
func (c *Cluster) Close() error {
	var errs []error
	for _, n := range c.Nodes {
		errs = append(errs, n.stop())
	}
	for _, d := range c.rsyncd {
		d.stop()
	}
	c.rsyncd = nil
	if c.log != nil {
		errs = append(errs, c.log.Close())
		c.log = nil
	}
	return errors.Join(errs...)
}

// listen opens a port of an address, 0 for a free one, and keeps it open.
func listen(ip string, port int) (net.Listener, int, error) {
	l, err := net.Listen("tcp4", net.JoinHostPort(ip, strconv.Itoa(port)))
	if err != nil {
		return nil, 0, fmt.Errorf("listen on the loopback: %w", err)
	}
	return l, l.Addr().(*net.TCPAddr).Port, nil
}
