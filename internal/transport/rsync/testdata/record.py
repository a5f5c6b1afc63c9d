"""Runs Swift's own ObjectReplicator.rsync over cases read from stdin, and prints
what it did: the command line of rsync, the log lines, the REPLICATE request.

rsync is a script in the first directory of PATH; it writes its arguments to
$RSYNC_ARGV and does what $RSYNC_SCRIPT says.
"""
import json
import os
import re
import sys
import traceback

from eventlet import Timeout
from swift.common.storage_policy import StoragePolicy
from swift.obj import replicator


class Logger(object):
    def __init__(self):
        self.lines = []

    def _note(level):
        def note(self, msg, *args):
            if args:
                msg = msg % (args[0] if isinstance(args[0], dict) else args)
            self.lines.append([level, msg])
        return note

    debug, info, warning, error = map(
        _note, ('debug', 'info', 'warn', 'error'))
    exception = error
    thread_locals = None

    def set_prefix(self, prefix):
        pass


class Response(object):
    def read(self):
        return b''

    def getresponse(self):
        return self


def run(case):
    devices = case['devices']
    job = case['job']
    out = {'argv': None, 'ok': False, 'error': '', 'replicate': None}
    logger = Logger()
    conf = dict(case['conf'], devices=devices)
    rep = replicator.ObjectReplicator(conf, logger=logger)
    rep.logger = logger

    def http_connect(ip, port, device, part, method, path, headers):
        out['replicate'] = [ip, port, device, part, path, headers[
            'X-Backend-Storage-Policy-Index']]
        return Response()

    replicator.http_connect = http_connect
    argv = os.environ['RSYNC_ARGV']
    if os.path.exists(argv):
        os.unlink(argv)
    os.environ['RSYNC_SCRIPT'] = case['script']
    policy = StoragePolicy(job['policy'], 'p', is_default=job['policy'] == 0)
    pyjob = dict(job, policy=policy, path=os.path.join(
        devices, job['device'], replicator.get_data_dir(policy),
        job['partition']))
    try:
        out['ok'] = rep.rsync(case['node'], pyjob, job['suffixes'])[0]
    except (Exception, Timeout) as err:
        out['error'] = '%s: %s' % (type(err).__name__, err)
    if os.path.exists(argv):
        with open(argv, 'rb') as f:
            out['argv'] = f.read().decode('utf8').split('\0')[:-1]
    out['log'] = [[level, re.sub(r'\(\d+\.\d{3}\)$', '(TIME)', line)]
                  for level, line in logger.lines]
    return out


print(json.dumps([run(case) for case in json.load(sys.stdin)]))
