package memory

import (
	"context"
	"errors"
	"testing"

	"understudy/internal/transport/conformance"
	"understudy/messages"
)

var (
	local  = messages.Node{ReplicationIP: "127.0.0.1", ReplicationPort: 6200, Device: "sda", Region: 1}
	remote = messages.Node{ReplicationIP: "127.0.0.2", ReplicationPort: 6200, Device: "sdb", Region: 1}
)

// side is one device for the conformance suite.
type side struct {
	cluster *Cluster
	node    messages.Node
}

func (s side) Put(part uint32, path string, f conformance.File) {
	s.cluster.Put(s.node, 0, part, path, File{Data: []byte(f.Data), Metadata: []byte(f.Metadata)})
}

func (s side) Files(part uint32) map[string]conformance.File {
	files := s.cluster.Files(s.node, 0, part)
	if files == nil {
		return nil
	}
	out := map[string]conformance.File{}
	for path, f := range files {
		out[path] = conformance.File{Data: string(f.Data), Metadata: string(f.Metadata)}
	}
	return out
}

func job(part uint32, suffixes ...string) messages.SyncJob {
	return messages.SyncJob{
		Partition: messages.Partition{Device: local.Device, Number: part},
		Region:    local.Region, Node: remote, Suffixes: suffixes,
	}
}

func TestConformance(t *testing.T) {
	conformance.Run(t, func(t *testing.T) conformance.Fixture {
		c := NewCluster()
		c.Mount(local, remote)
		return conformance.Fixture{
			Transport:  c.Transport(local),
			Job:        job,
			Source:     side{c, local},
			Target:     side{c, remote},
			Unmount:    func() { c.Unmount(remote) },
			MountPoint: func() []string { return names(c, remote) },
			Freeze:     func() { c.Hold(remote) },
		}
	})
}

func names(c *Cluster, node messages.Node) []string {
	var names []string
	for _, part := range c.Partitions(node, 0) {
		names = append(names, messages.Partition{Device: node.Device, Number: part}.String())
	}
	return names
}

func newPair(t *testing.T) *Cluster {
	t.Helper()
	c := NewCluster()
	c.Mount(local, remote)
	c.Put(local, 0, 1, "abc/0abc/1.data", File{Data: []byte("x")})
	return c
}

// A refusing target is a failure for a revert, which does not notify; an update
// notifies whatever happened, and that cannot be done here.
func TestRefusingTarget(t *testing.T) {
	c := newPair(t)
	c.Refuse(remote, true)
	revert := job(1, "abc")
	revert.Handoff = true
	if res, err := c.Transport(local).Sync(t.Context(), revert); res.OK || err != nil {
		t.Errorf("revert: %v, %v", res, err)
	}
	_, err := c.Transport(local).Sync(t.Context(), job(1, "abc"))
	if peer := (*messages.PeerError)(nil); !errors.As(err, &peer) || peer.Why != "Connection refused" {
		t.Errorf("update: %v", err)
	}
	if _, err := c.Peers().Hashes(t.Context(), remote, 0, 1); err == nil {
		t.Error("hashes came from a refusing server")
	}
	c.Refuse(remote, false)
	if res, err := c.Transport(local).Sync(t.Context(), job(1, "abc")); !res.OK || err != nil {
		t.Errorf("after that: %v, %v", res, err)
	}
}

func TestUnmountedTarget(t *testing.T) {
	c := newPair(t)
	c.Unmount(remote)
	_, err := c.Peers().Hashes(t.Context(), remote, 0, 1)
	if status := (*messages.StatusError)(nil); !errors.As(err, &status) || status.Status != 507 {
		t.Errorf("hashes: %v", err)
	}
	if res, err := c.Transport(local).Sync(t.Context(), job(1, "abc")); res.OK || err != nil {
		t.Errorf("sync: %v, %v", res, err)
	}
	if told := c.Invalidations(); len(told) != 0 {
		t.Errorf("an unmounted device was told %v", told)
	}
}

// Equal file names hash alike, temporary files do not count, and a hold ends.
func TestHashesAndHold(t *testing.T) {
	c := newPair(t)
	before := c.Hashes(local, 0, 1)
	c.Put(local, 0, 1, "abc/0abc/.1.data.a1B2c3", File{})
	if got := c.Hashes(local, 0, 1); len(got) != 1 || got["abc"] != before["abc"] {
		t.Errorf("hashes are %v, were %v", got, before)
	}
	release := c.Hold(remote)
	done := make(chan error, 1)
	go func() {
		res, err := c.Transport(local).Sync(context.Background(), job(1, "abc"))
		if err == nil && !res.OK {
			err = errors.New("the sync was no success")
		}
		done <- err
	}()
	release()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	got, err := c.Peers().Hashes(t.Context(), remote, 0, 1)
	if err != nil || got["abc"] != before["abc"] {
		t.Errorf("remote hashes: %v, %v, want %v", got, err, before)
	}
	if len(c.Syncs()) != 1 || len(c.Invalidations()) != 1 || c.Invalidations()[0].Suffixes[0] != "abc" {
		t.Errorf("journal: %v, %v", c.Syncs(), c.Invalidations())
	}
	c.Remove(remote, 0, 1, "abc")
	if got := c.Hashes(remote, 0, 1); len(got) != 0 {
		t.Errorf("after the removal: %v", got)
	}
	c.Remove(remote, 0, 1, "")
	if c.Files(remote, 0, 1) != nil {
		t.Error("the partition is still there")
	}
}
