package lab

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"understudy/internal/swift/hashpath"
)

// What swift.conf says. The secrets are none in a lab.
const (
	hashPrefix = "under"
	hashSuffix = "study"
	policyName = "gold"
)

const swiftConf = `[swift-hash]
swift_hash_path_prefix = ` + hashPrefix + `
swift_hash_path_suffix = ` + hashSuffix + `

[storage-policy:0]
name = ` + policyName + `
default = yes
`

func (c *Cluster) swiftConfPath() string { return filepath.Join(c.etc(), "swift.conf") }

func (c *Cluster) writeSwiftConf() error {
	if err := os.WriteFile(c.swiftConfPath(), []byte(swiftConf), 0o644); err != nil {
		return fmt.Errorf("write swift.conf: %w", err)
	}
	c.hasher = hashpath.Hasher{Prefix: []byte(hashPrefix), Suffix: []byte(hashSuffix)}
	return nil
}

// A busy machine with many nodes is no broken peer, so conn_timeout is longer
// than Swift's half a second; and all nodes may push to an empty disk at once.
const serverConf = `[DEFAULT]
devices = %s
mount_check = false
swift_dir = %s
bind_ip = %s
bind_port = %d
fallocate_reserve = 0

[pipeline:main]
pipeline = object-server

[app:object-server]
use = egg:swift#object
replication_concurrency = 0
replication_concurrency_per_device = 0

[filter:recon]
use = egg:swift#recon
recon_cache_path = %[5]s

[object-replicator]
recon_cache_path = %[5]s
`

const patientConf = "conn_timeout = 10\n"

// usesRsync tells whether the engines push by rsync, as they do by default.
func (c *Cluster) usesRsync() bool { return c.spec.Options["sync_method"] != "ssync" }

// writeConf writes the node's object-server.conf. The cluster's options come
// last and so count.
func (n *Node) writeConf() error {
	c := n.cluster
	text := fmt.Sprintf(serverConf, escaped(n.DevicesRoot()), escaped(c.RingDir(n.Number)), n.IP, n.Port, escaped(n.cachePath()))
	if _, ok := c.spec.Options["conn_timeout"]; !ok {
		text += patientConf
	}
	switch {
	case len(c.rsyncd) == 0:
	case c.spec.Links != nil: // one each, all with the same port
		text += fmt.Sprintf("rsync_module = rsync://{replication_ip}:%d/{replication_ip}\n", c.rsyncd[0].port)
	default:
		text += fmt.Sprintf("rsync_module = rsync://%s:%d/{replication_ip}\n", rsyncdAddress, c.rsyncd[0].port)
	}
	for _, name := range slices.Sorted(maps.Keys(c.spec.Options)) {
		text += name + " = " + c.spec.Options[name] + "\n"
	}
	if err := os.WriteFile(n.ConfPath(), []byte(text), 0o644); err != nil {
		return fmt.Errorf("write object-server.conf of node %d: %w", n.Number, err)
	}
	return nil
}

// escaped writes a path for a file in which % begins a substitution.
func escaped(path string) string { return strings.ReplaceAll(path, "%", "%%") }
