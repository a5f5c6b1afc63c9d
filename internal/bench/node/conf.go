package node

import (
	"fmt"
	"maps"
	"os"
	"slices"
)

const swiftConf = `[swift-hash]
swift_hash_path_prefix = before
swift_hash_path_suffix = after

[storage-policy:0]
name = gold
default = yes
`

const serverConf = `[DEFAULT]
devices = %s
mount_check = false
bind_ip = %s
bind_port = %d
user = swift
log_address = %s
log_level = INFO
recon_cache_path = %s

[object-replicator]
`

// configure writes the node's files of configuration; options go over the Spec's.
func (n *Node) configure(options map[string]string) error {
	if err := os.WriteFile(n.path("etc/swift.conf"), []byte(swiftConf), 0o644); err != nil {
		return fmt.Errorf("write swift.conf: %w", err)
	}
	ip, port := n.Peers.address(0)
	text := fmt.Sprintf(serverConf, n.path("srv"), ip, port, n.path("log"), n.path("cache"))
	merged := map[string]string{"concurrency": "4"}
	maps.Copy(merged, n.spec.Options)
	maps.Copy(merged, options)
	for _, k := range slices.Sorted(maps.Keys(merged)) {
		text += k + " = " + merged[k] + "\n"
	}
	if err := os.WriteFile(n.confPath(), []byte(text), 0o644); err != nil {
		return fmt.Errorf("write object-server.conf: %w", err)
	}
	return nil
}

func (n *Node) confPath() string { return n.path("etc/object-server.conf") }
