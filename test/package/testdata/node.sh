#!/bin/sh
# A storage node of one machine: both devices of the ring, an rsyncd, and one object,
# written by Swift on sda only.
set -eu
mkdir -p /srv/node/sda /srv/node/sdb /var/cache/swift /run/swift /run/lock/swift
cat >/etc/swift/swift.conf <<END
[swift-hash]
swift_hash_path_suffix = package
END
cat >/etc/swift/object-server.conf <<END
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = 6210
devices = /srv/node
mount_check = false
[pipeline:main]
pipeline = object-server
[app:object-server]
use = egg:swift#object
[object-replicator]
nice_priority = 5
ionice_class = IOPRIO_CLASS_IDLE
ionice_priority = 0
[object-updater]
[object-auditor]
END
sed 's/^mount_check = true/mount_check = false/; s/^bind_ip = .*/bind_ip = 127.0.0.1/' \
	/usr/share/doc/understudy/examples/understudy-server.conf >/etc/swift/understudy-server.conf
cd /etc/swift
swift-ring-builder object.builder create 2 2 0
for device in sda sdb; do swift-ring-builder object.builder add "r1z1-127.0.0.1:6210/$device" 1; done
swift-ring-builder object.builder rebalance >/dev/null
touch account.ring.gz container.ring.gz
cat >/etc/rsyncd.conf <<END
uid = swift
gid = swift
pid file = /run/rsyncd.pid
[object]
path = /srv/node
read only = false
lock file = /run/lock/object.lock
END
/usr/bin/python3 - <<END
import logging
from swift.common.ring import Ring
from swift.common.storage_policy import POLICIES
from swift.common.utils import Timestamp, get_logger
from swift.obj.diskfile import DiskFileManager
manager = DiskFileManager({"devices": "/srv/node", "mount_check": "false"}, get_logger({}))
part, _ = Ring("/etc/swift", ring_name="object").get_nodes("a", "c", "o")
file = manager.get_diskfile("sda", part, "a", "c", "o", POLICIES[0])
with file.create(size=5) as writer:
    writer.write(b"bytes")
    writer.put({"X-Timestamp": Timestamp.now().internal, "Content-Length": "5", "ETag": "4b3a6218bb3e3a7303e8a171a60fcf92",
                "Content-Type": "text/plain"})
    writer.commit(Timestamp.now())
END
chown -R swift: /srv/node /var/cache/swift /run/swift /run/lock/swift
rsync --daemon
