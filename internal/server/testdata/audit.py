# Swift's object auditor and swift-object-info, over the objects of one device.
import contextlib
import io
import json
import logging
import sys

logging.disable(logging.CRITICAL)

import eventlet
eventlet.monkey_patch()

from swift.cli import info
from swift.common import utils
from swift.obj import auditor

utils.HASH_PATH_PREFIX, utils.HASH_PATH_SUFFIX = b'pre', b'suf'


class Logger(object):
    def __init__(self):
        self.lines = []

    def error(self, msg, *args, **kwargs):
        self.lines.append(msg % args if args else msg)

    warning = exception = error

    def __getattr__(self, name):
        return lambda *args, **kwargs: None


r = json.load(sys.stdin)
logger = Logger()
worker = auditor.AuditorWorker(
    {'devices': r['root'], 'mount_check': 'false', 'recon_cache_path': r['cache'], 'reclaim_age': str(100 * 365 * 86400)},
    logger, r['cache'] + '/object.recon', r['root'])
worker.audit_all_objects(mode='once')
texts = []
for path in r['data']:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        try:
            info.print_obj(path, swift_dir='/nonexistent')
        except info.InfoSystemExit:
            print('error')
    texts.append(out.getvalue())
json.dump({'passes': worker.total_files_processed, 'quarantines': worker.quarantines, 'errors': worker.errors, 'log': logger.lines, 'info': texts}, sys.stdout)
