package cluster

import (
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
)

func (c *Cluster) path(sub string) string { return filepath.Join(c.Root, sub) }

// SwiftConf is the swift.conf of this cluster's nodes.
func (c *Cluster) SwiftConf() string { return c.path("etc/swift.conf") }

// RingPath is the ring file of a policy.
func (c *Cluster) RingPath(policy int) string {
	return c.path("etc/" + policyName("object", policy) + ".ring.gz")
}

// policyName writes a policy's directory or ring name as Swift does: the first
// policy has no suffix.
func policyName(base string, policy int) string {
	if policy == 0 {
		return base
	}
	return base + "-" + strconv.Itoa(policy)
}

// DevicesRoot is the parent of a node's devices.
func (n *Node) DevicesRoot() string { return n.cluster.path(fmt.Sprintf("srv/%d", n.Number)) }

// DevicePath is the root of one device.
func (n *Node) DevicePath(device string) string { return filepath.Join(n.DevicesRoot(), device) }

// ObjectsPath is the folder of a policy's partitions on a device.
func (n *Node) ObjectsPath(device string, policy int) string {
	return filepath.Join(n.DevicePath(device), policyName("objects", policy))
}

// CachePath is the node's recon_cache_path.
func (n *Node) CachePath() string { return n.cluster.path(fmt.Sprintf("cache/%d", n.Number)) }

// ConfPath is the node's object-server.conf.
func (n *Node) ConfPath() string { return n.cluster.path(fmt.Sprintf("etc/object-%d.conf", n.Number)) }

// Addr is where the node's object server listens.
func (n *Node) Addr() string { return fmt.Sprintf("%s:%d", n.IP, ServerPort) }

// RsyncAddr is where the node's rsyncd listens.
func (n *Node) RsyncAddr() string { return fmt.Sprintf("%s:%d", n.IP, RsyncPort) }

func (n *Node) rsyncdConf() string {
	return n.cluster.path(fmt.Sprintf("etc/rsyncd-%d.conf", n.Number))
}
func (n *Node) logSocket() string { return n.cluster.path(fmt.Sprintf("run/log-%d", n.Number)) }

func (n *Node) devicePaths() []string {
	var paths []string
	for _, d := range n.Devices {
		paths = append(paths, n.DevicePath(d))
	}
	return paths
}

// swiftIDs looks up the user of the daemons.
func swiftIDs() (uid, gid int, err error) {
	u, err := user.Lookup(User)
	if err != nil {
		return 0, 0, fmt.Errorf("look up the user of the Swift packages: %w", err)
	}
	if uid, err = strconv.Atoi(u.Uid); err != nil {
		return 0, 0, fmt.Errorf("read the uid of %s: %w", User, err)
	}
	if gid, err = strconv.Atoi(u.Gid); err != nil {
		return 0, 0, fmt.Errorf("read the gid of %s: %w", User, err)
	}
	return uid, gid, nil
}

// chownToSwift gives a path to the user of the daemons.
func chownToSwift(path string) error {
	uid, gid, err := swiftIDs()
	if err != nil {
		return err
	}
	if err := os.Chown(path, uid, gid); err != nil {
		return fmt.Errorf("give %s to %s: %w", path, User, err)
	}
	return nil
}

// GiveToSwift makes the user of the daemons own all that is on the node's devices.
func (n *Node) GiveToSwift() error {
	return filepath.WalkDir(n.DevicesRoot(), func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return chownToSwift(path)
	})
}
