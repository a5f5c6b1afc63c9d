package cluster

import (
	"context"
	"time"
)

// Fill puts the same number of objects of one size into every partition of policy 0,
// on all primaries. Nothing of it is fsynced: it is meant for large trees.
func (c *Cluster) Fill(ctx context.Context, objects, size int, at time.Time) error {
	return c.script(ctx, "bulk.py", "fill", map[string]any{
		"roots": c.roots(), "objects": objects, "size": size, "at": at.Unix(),
	}, nil)
}

// Digest sums up what a node has cached of its suffixes.
type Digest struct {
	Partitions int    `json:"partitions"`
	Suffixes   int    `json:"suffixes"`
	Sum        string `json:"sum"`
}

// Digest reads all hashes.pkl of policy 0 with Swift.
func (n *Node) Digest(ctx context.Context) (Digest, error) {
	var d Digest
	err := n.cluster.script(ctx, "bulk.py", "digest", map[string]any{"root": n.DevicesRoot()}, &d)
	return d, err
}
