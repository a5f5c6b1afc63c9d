// Package cluster runs real Swift storage nodes on loopback addresses: rings made
// by Swift's own builder, one swift-object-server and one rsyncd a node, and
// replicators (Swift's or ours) as short runs. It needs root, because every
// process gets its own /etc/swift by a private mount namespace, so that several
// clusters and the machine's own Swift never meet.
package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
)

// User owns the devices and is what every daemon drops its privileges to.
const User = "swift"

// Spec says what to build.
type Spec struct {
	Base       string            // parent of the root folder; "" is os.TempDir
	Nodes      int               // storage nodes, each in its own zone
	Devices    int               // devices a node, named d1, d2, …
	Policies   []Policy          // in swift.conf order; none: index 0, part power 4
	Replicator map[string]string // more options of [object-replicator]
	Mounted    int               // the first nodes have mount_check: their devices are for the caller to mount
	Forker     *Forker           // starts the programs, in a fraction of the time; nil: they start as anywhere
}

// Policy is one storage policy and the size of its ring (three replicas, or six
// fragments when erasure coded).
type Policy struct {
	Index     int
	Name      string
	PartPower int
	Erasure   bool
}

// Node is one storage node.
type Node struct {
	Number  int // from 1
	IP      string
	Devices []string
	Log     *Log
	cluster *Cluster
	server  *process
	own     *Server // nil: the cluster's
	rsyncd  *process
}

// Cluster is a set of nodes in one folder. Its methods are not safe for
// concurrent use; the methods of different nodes are.
type Cluster struct {
	Root  string
	Nodes []*Node

	spec     Spec
	net      *network
	keeper   *keeper
	borrowed bool // the network belongs to another cluster
	serving  Server
	mu       sync.Mutex
	live     []*process
}

// New makes rings, configuration and empty devices. Nothing runs yet.
func New(ctx context.Context, spec Spec) (*Cluster, error) {
	if len(spec.Policies) == 0 {
		spec.Policies = []Policy{{Index: 0, Name: "gold", PartPower: 4}}
	}
	net, err := reserveNetwork()
	if err != nil {
		return nil, err
	}
	c := &Cluster{spec: spec, net: net, serving: StockServer}
	if err := c.layOut(); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	if err := c.makeRings(ctx); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// Copy makes a second cluster with the same addresses, rings and bytes in a
// folder of its own. Only one of the two may run at a time.
func (c *Cluster) Copy(ctx context.Context) (*Cluster, error) {
	twin := &Cluster{spec: c.spec, net: c.net, borrowed: true, serving: c.serving}
	if err := twin.layOut(); err != nil {
		return nil, errors.Join(err, twin.Close())
	}
	cmd := exec.CommandContext(ctx, "sh", "-ec",
		`cp -a "$0"/etc/*.ring.gz "$1"/etc/; rm -r "$1"/srv; cp -a "$0"/srv "$1"/srv`, c.Root, twin.Root)
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, errors.Join(fmt.Errorf("copy %s: %w: %s", c.Root, err, out), twin.Close())
	}
	return twin, nil
}

// Close stops every process and removes the folder.
func (c *Cluster) Close() error {
	c.CloseAndKeep()
	return os.RemoveAll(c.Root)
}

// CloseAndKeep stops every process and leaves the folder for someone to look at.
func (c *Cluster) CloseAndKeep() {
	c.Stop()
	for _, n := range c.Nodes {
		n.Log.close()
	}
	c.keeper.release()
	if !c.borrowed {
		c.net.release()
	}
}

// layOut makes the folders, the configuration files and the log sockets.
func (c *Cluster) layOut() error {
	root, err := os.MkdirTemp(c.spec.Base, "understudy-lab-")
	if err != nil {
		return fmt.Errorf("make the cluster's folder: %w", err)
	}
	c.Root = root
	if err := os.Chmod(root, 0o755); err != nil {
		return fmt.Errorf("open the cluster's folder: %w", err)
	}
	for _, sub := range []string{"etc", "srv", "run", "cache"} {
		if err := os.MkdirAll(filepath.Join(root, sub), 0o755); err != nil {
			return fmt.Errorf("make the cluster's folder: %w", err)
		}
	}
	if c.keeper, err = newKeeper(c.path("run/pids")); err != nil {
		return err
	}
	if err := os.CopyFS(c.path("run"), scripts); err != nil {
		return fmt.Errorf("write the lab's scripts: %w", err)
	}
	if err := os.WriteFile(c.path("etc/swift.conf"), []byte(c.spec.swiftConf()), 0o644); err != nil {
		return fmt.Errorf("write swift.conf: %w", err)
	}
	for i := 1; i <= c.spec.Nodes; i++ {
		n := &Node{Number: i, IP: c.net.host(i), cluster: c}
		for d := 1; d <= c.spec.Devices; d++ {
			n.Devices = append(n.Devices, fmt.Sprintf("d%d", d))
		}
		if err := n.layOut(); err != nil {
			return err
		}
		c.Nodes = append(c.Nodes, n)
	}
	return nil
}

func (n *Node) layOut() error {
	for _, dir := range append([]string{n.CachePath()}, n.devicePaths()...) {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("make node %d: %w", n.Number, err)
		}
		if err := chownToSwift(dir); err != nil {
			return err
		}
	}
	if err := chownToSwift(n.DevicesRoot()); err != nil {
		return err
	}
	if err := n.WriteConf(nil); err != nil {
		return err
	}
	if err := os.WriteFile(n.rsyncdConf(), []byte(n.renderRsyncd()), 0o644); err != nil {
		return fmt.Errorf("write rsyncd.conf: %w", err)
	}
	log, err := listenLog(n.logSocket())
	n.Log = log
	return err
}

// makeRings builds one ring a policy with Swift's ring builder.
func (c *Cluster) makeRings(ctx context.Context) error {
	type device struct {
		Zone   int    `json:"zone"`
		IP     string `json:"ip"`
		Port   int    `json:"port"`
		Device string `json:"device"`
	}
	type ring struct {
		Path      string   `json:"path"`
		PartPower int      `json:"part_power"`
		Replicas  int      `json:"replicas"`
		Devices   []device `json:"devices"`
	}
	var rings []ring
	for _, p := range c.spec.Policies {
		r := ring{Path: c.RingPath(p.Index), PartPower: p.PartPower, Replicas: 3}
		if p.Erasure {
			r.Replicas = 6
		}
		for _, n := range c.Nodes {
			for _, d := range n.Devices {
				r.Devices = append(r.Devices, device{n.Number, n.IP, ServerPort, d})
			}
		}
		rings = append(rings, r)
	}
	return c.helper(ctx, "rings", rings, nil)
}

// SwiftRecon runs Swift's own swift-recon against the cluster.
func (c *Cluster) SwiftRecon(ctx context.Context, args ...string) (string, error) {
	args = append([]string{"--swiftdir=" + c.path("etc")}, args...)
	out, err := c.command(ctx, "/usr/bin/swift-recon", args...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("run swift-recon: %w: %s", err, out)
	}
	return string(out), nil
}

// helper runs one command of lab.py with a JSON request and a JSON answer.
func (c *Cluster) helper(ctx context.Context, name string, request, answer any) error {
	return c.script(ctx, "lab.py", name, request, answer)
}

func (c *Cluster) script(ctx context.Context, script, name string, request, answer any) error {
	in, err := json.Marshal(request)
	if err != nil {
		return fmt.Errorf("encode request %s: %w", name, err)
	}
	out, err := c.runScript(ctx, script, name, in)
	if err != nil {
		return err
	}
	if answer == nil {
		return nil
	}
	if err := json.Unmarshal(out, answer); err != nil {
		return fmt.Errorf("decode answer of %s: %w", name, err)
	}
	return nil
}
