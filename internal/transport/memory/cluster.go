// Package memory is a small cluster without disks, processes and sockets: devices
// that hold partitions of files, a transport that copies between them by rsync's
// rules, and peers that answer for them. Tests of actors run on it. Nothing in it
// waits, except for what a test has put on hold.
package memory

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"understudy/messages"
)

// File is one file of a hash directory.
type File struct {
	Data     []byte
	Metadata []byte // the extended attribute user.swift.metadata
}

// Cluster is a set of devices, each known by its node's String: replication
// address and device name. It is safe for concurrent use.
type Cluster struct {
	mu      sync.Mutex
	devices map[string]*device
	syncs   []messages.SyncJob
	told    []Invalidation
}

// Invalidation is one request to hash suffixes afresh.
type Invalidation struct {
	Node      messages.Node
	Policy    int
	Partition uint32
	Suffixes  []string
}

type device struct {
	mounted    bool
	refusing   bool
	hold       chan struct{} // nil, or closed when the hold ends
	partitions map[partition]map[string]File
}

type partition struct {
	policy int
	number uint32
}

// NewCluster makes a cluster without devices.
func NewCluster() *Cluster { return &Cluster{devices: map[string]*device{}} }

// Mount adds devices, empty at first, or brings back unmounted ones with what
// they hold. Their policies' directories count as present.
func (c *Cluster) Mount(nodes ...messages.Node) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, node := range nodes {
		c.device(node).mounted = true
	}
}

// Unmount takes a device away: its server answers 507, syncs to and from it fail.
func (c *Cluster) Unmount(node messages.Node) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.device(node).mounted = false
}

// Refuse makes a device's server refuse connections, or end that.
func (c *Cluster) Refuse(node messages.Node, refuse bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.device(node).refusing = refuse
}

// Hold makes everything that is asked of a device wait until release is called or
// the asker's context ends.
func (c *Cluster) Hold(node messages.Node) (release func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	gate := make(chan struct{})
	d := c.device(node)
	d.hold = gate
	return sync.OnceFunc(func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if d.hold == gate {
			d.hold = nil
		}
		close(gate)
	})
}

// Put stores a file, replacing one of the same path: suffix/hash/name. An empty
// path makes the partition only.
func (c *Cluster) Put(node messages.Node, policy int, part uint32, path string, f File) {
	c.mu.Lock()
	defer c.mu.Unlock()
	files := c.device(node).open(partition{policy, part})
	if path != "" {
		files[path] = f.clone()
	}
}

// Remove deletes a path and all below it; all of the partition when it is empty.
func (c *Cluster) Remove(node messages.Node, policy int, part uint32, path string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	d, key := c.device(node), partition{policy, part}
	if path == "" {
		delete(d.partitions, key)
		return
	}
	maps.DeleteFunc(d.partitions[key], func(name string, _ File) bool { return name == path || strings.HasPrefix(name, path+"/") })
}

// Files copies what a partition holds, by path; nil when there is no partition.
func (c *Cluster) Files(node messages.Node, policy int, part uint32) map[string]File {
	c.mu.Lock()
	defer c.mu.Unlock()
	files, ok := c.device(node).partitions[partition{policy, part}]
	if !ok {
		return nil
	}
	out := make(map[string]File, len(files))
	for path, f := range files {
		out[path] = f.clone()
	}
	return out
}

// Partitions are the numbers of a device's partitions, ascending.
func (c *Cluster) Partitions(node messages.Node, policy int) []uint32 {
	c.mu.Lock()
	defer c.mu.Unlock()
	var numbers []uint32
	for p := range c.device(node).partitions {
		if p.policy == policy {
			numbers = append(numbers, p.number)
		}
	}
	slices.Sort(numbers)
	return numbers
}

// Hashes are the suffix hashes of a partition: equal for equal file names, as in
// Swift, but not Swift's. Temporary files do not count.
func (c *Cluster) Hashes(node messages.Node, policy int, part uint32) messages.Hashes {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.device(node).hashes(partition{policy, part})
}

// Syncs are the jobs that transports were given, in order.
func (c *Cluster) Syncs() []messages.SyncJob {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.syncs)
}

// Invalidations are the requests to hash afresh that devices have answered.
func (c *Cluster) Invalidations() []Invalidation {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.told)
}

// device finds or makes a device; the caller holds the lock.
func (c *Cluster) device(node messages.Node) *device {
	d, ok := c.devices[node.String()]
	if !ok {
		d = &device{partitions: map[partition]map[string]File{}}
		c.devices[node.String()] = d
	}
	return d
}

// reach waits for a hold to end and reports whether the device's server can be
// talked to.
func (c *Cluster) reach(ctx context.Context, node messages.Node) error {
	c.mu.Lock()
	d := c.device(node)
	hold := d.hold
	c.mu.Unlock()
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if d.refusing {
		return &messages.PeerError{Node: node, Why: "Connection refused", Err: fmt.Errorf("connect to %s: connection refused", node)}
	}
	return nil
}

func (d *device) open(key partition) map[string]File {
	if d.partitions[key] == nil {
		d.partitions[key] = map[string]File{}
	}
	return d.partitions[key]
}

func (d *device) hashes(key partition) messages.Hashes {
	names := slices.Sorted(maps.Keys(d.partitions[key]))
	sums := map[string][]byte{}
	for _, path := range names {
		suffix, rest, _ := strings.Cut(path, "/")
		if !temporary(path) {
			sums[suffix] = append(sums[suffix], rest+"\n"...)
		}
	}
	hashes := make(messages.Hashes, len(sums))
	for suffix, text := range sums {
		sum := md5.Sum(text)
		hashes[suffix] = hex.EncodeToString(sum[:])
	}
	return hashes
}

func (f File) clone() File {
	return File{Data: bytes.Clone(f.Data), Metadata: bytes.Clone(f.Metadata)}
}

func (f File) equal(o File) bool {
	return bytes.Equal(f.Data, o.Data) && bytes.Equal(f.Metadata, o.Metadata)
}
