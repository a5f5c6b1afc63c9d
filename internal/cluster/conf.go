package cluster

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
)

func (s Spec) swiftConf() string {
	var b strings.Builder
	b.WriteString("[swift-hash]\nswift_hash_path_prefix = before\nswift_hash_path_suffix = after\n")
	for i, p := range s.Policies {
		fmt.Fprintf(&b, "\n[storage-policy:%d]\nname = %s\n", p.Index, p.Name)
		if i == 0 {
			b.WriteString("default = yes\n")
		}
		if p.Erasure {
			b.WriteString("policy_type = erasure_coding\nec_type = liberasurecode_rs_vand\n" +
				"ec_num_data_fragments = 4\nec_num_parity_fragments = 2\n")
		}
	}
	return b.String()
}

const serverConf = `[DEFAULT]
devices = %[1]s
mount_check = %[8]t
disable_fallocate = true
fallocate_reserve = 0
bind_ip = %[2]s
bind_port = %[3]d
user = %[4]s
workers = 1
log_address = %[5]s
log_level = DEBUG
reclaim_age = 86400
recon_cache_path = %[6]s

[pipeline:main]
pipeline = recon object-server

[filter:recon]
use = egg:swift#recon
recon_cache_path = %[6]s

[app:object-server]
use = egg:swift#object

[object-replicator]
rsync_module = rsync://{replication_ip}:%[7]d/object
`

// WriteConf writes the node's object-server.conf. The options come last in
// [object-replicator], over the cluster's own.
func (n *Node) WriteConf(options map[string]string) error {
	c := n.cluster
	text := fmt.Sprintf(serverConf, n.DevicesRoot(), n.IP, ServerPort,
		User, n.logSocket(), n.CachePath(), RsyncPort, n.Number <= c.spec.Mounted)
	merged := map[string]string{"concurrency": "4"}
	maps.Copy(merged, c.spec.Replicator)
	maps.Copy(merged, options)
	for _, k := range slices.Sorted(maps.Keys(merged)) {
		text += k + " = " + merged[k] + "\n"
	}
	if err := os.WriteFile(n.ConfPath(), []byte(text), 0o644); err != nil {
		return fmt.Errorf("write object-server.conf of node %d: %w", n.Number, err)
	}
	return nil
}

func (n *Node) renderRsyncd() string {
	return fmt.Sprintf(`uid = %[1]s
gid = %[1]s
use chroot = no
reverse lookup = no
address = %[2]s
port = %[3]d
log file = %[4]s

[object]
path = %[5]s
read only = false
max connections = 25
lock file = %[6]s
`, User, n.IP, RsyncPort, n.cluster.path(fmt.Sprintf("run/rsyncd-%d.log", n.Number)),
		n.DevicesRoot(), n.cluster.path(fmt.Sprintf("run/rsyncd-%d.lock", n.Number)))
}
