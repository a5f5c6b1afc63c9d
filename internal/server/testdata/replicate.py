# Makes an object ring of two devices and runs Swift's replicator over one of them.
import json
import os
import subprocess
import sys

from swift.common.ring import RingBuilder

r = json.load(sys.stdin)
builder = RingBuilder(8, 2, 1)
for i, (device, port) in enumerate([('sda1', r['mine']), ('sdb1', r['theirs'])]):
    builder.add_dev({'id': i, 'region': 1, 'zone': i, 'ip': '127.0.0.1', 'port': port,
                     'replication_ip': '127.0.0.1', 'replication_port': port, 'device': device, 'weight': 1})
builder.rebalance()
ring = builder.get_ring()
ring.save('/etc/swift/object.ring.gz')
ring.save('/etc/swift/object-1.ring.gz')
with open('/etc/swift/object-server.conf', 'w') as f:
    f.write('''[DEFAULT]
devices = %s
mount_check = false
bind_ip = 127.0.0.1
bind_port = %d
user = root
recon_cache_path = /etc/swift
[object-replicator]
sync_method = ssync
reclaim_age = 3153600000
log_address = /nonexistent
''' % (r['root'], r['mine']))
done = subprocess.run(['/usr/bin/swift-object-replicator', '/etc/swift/object-server.conf', '-o', '-v'],
                      stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300)
json.dump({'rc': done.returncode, 'log': done.stdout.decode('utf8', 'replace')}, sys.stdout)
