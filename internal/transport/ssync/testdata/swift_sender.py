# Runs Swift's own ssync Sender for the tests: one request as JSON, one answer.
import json
import logging
import sys

logging.disable(logging.CRITICAL)

import eventlet
eventlet.monkey_patch()

from swift.common import utils
from swift.common.storage_policy import POLICIES
from swift.obj import diskfile, ssync_sender

utils.HASH_PATH_PREFIX, utils.HASH_PATH_SUFFIX = b'', b'changeme'


class Logger(object):
    def __init__(self):
        self.lines = []

    def debug(self, msg, *args, **kwargs):
        self.lines.append(msg % args if args else msg)

    info = warning = error = debug

    def exception(self, msg, *args, **kwargs):
        self.lines.append((msg % args if args else msg) + ': ' + repr(sys.exc_info()[1]))

    def __getattr__(self, name):
        return lambda *args, **kwargs: None


class Daemon(object):
    def __init__(self, r):
        self.logger = Logger()
        self.conn_timeout, self.node_timeout, self.http_timeout = 30.0, 30.0, 60
        self.network_chunk_size = 65536
        self._df_router = diskfile.DiskFileRouter(
            {'devices': r['root'], 'mount_check': 'false', 'reclaim_age': str(100 * 365 * 86400)}, self.logger)


r = json.load(sys.stdin)
daemon = Daemon(r)
node = {'replication_ip': '127.0.0.1', 'replication_port': r['port'], 'device': r['target'], 'index': 0}
job = {'device': r['device'], 'partition': r['part'], 'policy': POLICIES[0]}
ok, deletable = ssync_sender.Sender(daemon, node, job, r['suffixes'], r.get('check'))()
json.dump({'ok': ok, 'deletable': sorted(deletable), 'log': daemon.logger.lines}, sys.stdout)
