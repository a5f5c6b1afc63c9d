package cluster

import "context"

// File is one file below a hash dir, its metadata decoded by Swift.
type File struct {
	Size     int            `json:"size"`
	MD5      string         `json:"md5"`
	Metadata map[string]any `json:"metadata"`
}

// Copy is one partition on one device, as Swift reads it.
type Copy struct {
	IP        string            `json:"ip"`
	Device    string            `json:"device"`
	Policy    int               `json:"policy"`
	Partition int               `json:"partition"`
	Files     map[string]File   `json:"files"`  // by suffix/hash/name
	Others    []string          `json:"others"` // names beside the suffixes
	Cached    map[string]any    `json:"cached"` // hashes.pkl
	Fresh     map[string]string `json:"fresh"`  // hashed by Swift with nothing cached
	Invalid   string            `json:"invalid"`
	Answer    *Answer           `json:"answer"` // nil if the servers were not asked
}

// Answer is what the node's object server says to REPLICATE.
type Answer struct {
	Status int            `json:"status"`
	Hashes map[string]any `json:"hashes"` // null: could not be hashed
}

// Reading is an object as one primary opens it.
type Reading struct {
	IP        string            `json:"ip"`
	Device    string            `json:"device"`
	Partition int               `json:"partition"`
	State     string            `json:"state"` // data, deleted or absent
	At        string            `json:"at"`    // of a tombstone
	Size      int               `json:"size"`
	MD5       string            `json:"md5"`
	Metadata  map[string]string `json:"metadata"`
}

// Scan reads all partitions of all devices. With ask, the object servers of all
// nodes must run: each is sent REPLICATE for each of its partitions first.
func (c *Cluster) Scan(ctx context.Context, ask bool) ([]Copy, error) {
	port := 0
	if ask {
		port = ServerPort
	}
	var copies []Copy
	err := c.helper(ctx, "scan", map[string]any{"roots": c.roots(), "port": port}, &copies)
	return copies, err
}

// Read opens objects on all of their primaries.
func (c *Cluster) Read(ctx context.Context, objects []ObjectKey) ([][]Reading, error) {
	var readings [][]Reading
	err := c.helper(ctx, "read", map[string]any{"roots": c.roots(), "objects": objects}, &readings)
	return readings, err
}

// Primaries returns the primary devices of each partition of a policy.
func (c *Cluster) Primaries(ctx context.Context, policy int) ([][]Device, error) {
	var pairs [][][2]string
	if err := c.helper(ctx, "primaries", map[string]any{"policy": policy}, &pairs); err != nil {
		return nil, err
	}
	devices := make([][]Device, len(pairs))
	for part, nodes := range pairs {
		for _, n := range nodes {
			devices[part] = append(devices[part], Device{n[0], n[1]})
		}
	}
	return devices, nil
}

// Node returns the node with an address, or nil.
func (c *Cluster) Node(ip string) *Node {
	for _, n := range c.Nodes {
		if n.IP == ip {
			return n
		}
	}
	return nil
}
