package cluster

import (
	"context"
	"fmt"
	"os"
	"time"
)

const auditorConf = `[DEFAULT]
devices = %s
mount_check = %t
user = %s
log_address = %s
reclaim_age = 86400
recon_cache_path = %s

[object-auditor]
files_per_second = 10000
bytes_per_second = 1000000000
zero_byte_files_per_second = 10000
rsync_tempfile_timeout = %d
`

// Audit lets Swift's object auditor read all of a node's objects once. Beside what it
// puts into quarantine, it removes the temporary files that rsyncs have left and that
// are older than the given time (whole seconds).
func (n *Node) Audit(ctx context.Context, old time.Duration) error {
	c := n.cluster
	conf := c.path(fmt.Sprintf("etc/auditor-%d.conf", n.Number))
	text := fmt.Sprintf(auditorConf, n.DevicesRoot(), n.Number <= c.spec.Mounted, User, n.logSocket(), n.CachePath(), int(old.Seconds()))
	if err := os.WriteFile(conf, []byte(text), 0o644); err != nil {
		return fmt.Errorf("audit node %d: %w", n.Number, err)
	}
	if out, err := c.command(ctx, "/usr/bin/swift-object-auditor", conf, "once").CombinedOutput(); err != nil {
		return fmt.Errorf("audit node %d: %w: %s", n.Number, err, out)
	}
	return nil
}
