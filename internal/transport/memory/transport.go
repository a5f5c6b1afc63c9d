package memory

import (
	"context"
	"errors"
	"path"
	"regexp"
	"slices"
	"strings"

	"understudy/messages"
)

// temporaryName is the shape of rsync's temporary files.
var temporaryName = regexp.MustCompile(`^\..*\.[0-9a-zA-Z]{6}$`)

func temporary(p string) bool { return temporaryName.MatchString(path.Base(p)) }

// Transport copies from the devices of one server to others, by the rules of an
// rsync with --ignore-existing.
type Transport struct {
	cluster *Cluster
	server  messages.Node
}

// Transport makes the transport of the server that a node belongs to.
func (c *Cluster) Transport(server messages.Node) *Transport {
	return &Transport{cluster: c, server: server}
}

// Sync copies suffixes and notifies the target as the rsync transport does.
func (t *Transport) Sync(ctx context.Context, job messages.SyncJob) (messages.SyncResult, error) {
	c := t.cluster
	c.mu.Lock()
	job.Suffixes = slices.Clone(job.Suffixes)
	c.syncs = append(c.syncs, job)
	c.mu.Unlock()

	ok := false
	err := c.reach(ctx, job.Node)
	if peer := (*messages.PeerError)(nil); err != nil && !errors.As(err, &peer) {
		return messages.SyncResult{}, err
	}
	if !t.hasAny(job) {
		return messages.SyncResult{}, nil
	}
	if err == nil {
		ok = t.copy(job)
	}
	if ok || !job.Handoff {
		err := c.Peers().Invalidate(ctx, job.Node, job.Partition.Policy, job.Partition.Number, job.Suffixes)
		if err != nil {
			return messages.SyncResult{}, err
		}
	}
	result := messages.SyncResult{OK: ok}
	if ok && job.Handoff {
		result.Proven = t.proven(job)
	}
	return result, nil
}

// proven are the files of a revert job that the target holds with the same
// content.
func (t *Transport) proven(job messages.SyncJob) messages.Files {
	t.cluster.mu.Lock()
	defer t.cluster.mu.Unlock()
	key := partition{job.Partition.Policy, job.Partition.Number}
	from, to := t.source(job).partitions[key], t.cluster.device(job.Node).partitions[key]
	files := messages.Files{}
	for p, f := range from {
		hash, name := path.Base(path.Dir(p)), path.Base(p)
		if twin, ok := to[p]; ok && twin.equal(f) && slices.Contains(job.Held[hash], name) {
			files[hash] = append(files[hash], name)
		}
	}
	return files
}

func (t *Transport) source(job messages.SyncJob) *device {
	local := t.server
	local.Device = job.Partition.Device
	return t.cluster.device(local)
}

// hasAny reports whether one of the job's suffixes is there.
func (t *Transport) hasAny(job messages.SyncJob) bool {
	t.cluster.mu.Lock()
	defer t.cluster.mu.Unlock()
	from := t.source(job)
	for p := range from.partitions[partition{job.Partition.Policy, job.Partition.Number}] {
		if suffix, _, _ := strings.Cut(p, "/"); from.mounted && slices.Contains(job.Suffixes, suffix) {
			return true
		}
	}
	return false
}

func (t *Transport) copy(job messages.SyncJob) bool {
	t.cluster.mu.Lock()
	defer t.cluster.mu.Unlock()
	from, to := t.source(job), t.cluster.device(job.Node)
	if !from.mounted || !to.mounted {
		return false
	}
	key := partition{job.Partition.Policy, job.Partition.Number}
	target := to.open(key)
	for p, f := range from.partitions[key] {
		suffix, _, _ := strings.Cut(p, "/")
		if _, exists := target[p]; !exists && !temporary(p) && slices.Contains(job.Suffixes, suffix) {
			target[p] = f.clone()
		}
	}
	return true
}

// Peers are the object servers of a cluster.
type Peers struct{ cluster *Cluster }

// Peers asks the cluster's object servers.
func (c *Cluster) Peers() Peers { return Peers{c} }

// Hashes answers as a REPLICATE request does.
func (p Peers) Hashes(ctx context.Context, node messages.Node, policy int, part uint32) (messages.Hashes, error) {
	c := p.cluster
	if err := c.reach(ctx, node); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	d := c.device(node)
	if !d.mounted {
		return nil, &messages.StatusError{Node: node, Status: 507}
	}
	return d.hashes(partition{policy, part}), nil
}

// Invalidate notes the request. Its status does not matter, so an unmounted
// device is no error.
func (p Peers) Invalidate(ctx context.Context, node messages.Node, policy int, part uint32, suffixes []string) error {
	c := p.cluster
	if err := c.reach(ctx, node); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.device(node).mounted {
		c.told = append(c.told, Invalidation{Node: node, Policy: policy, Partition: part, Suffixes: slices.Clone(suffixes)})
	}
	return nil
}
