# Runs Swift's own code for the tests: reads requests as lines of JSON, answers each with one line.
import json
import logging
import os
import pickle
import sys

logging.disable(logging.CRITICAL)

from swift.common import constraints, exceptions, utils
from swift.common.storage_policy import POLICIES
from swift.obj import diskfile


class Quiet(object):
    def __getattr__(self, name):
        return lambda *args, **kwargs: None


def consolidate(partition_dir):
    # Newer Swift ignores lines that are no suffixes; this one would make hashes.pkl
    # invalid with them. Take them out first.
    path = os.path.join(partition_dir, 'hashes.invalid')
    try:
        with open(path) as f:
            lines = [line.strip() for line in f]
    except FileNotFoundError:
        lines = []
    if not all(diskfile.valid_suffix(line) for line in lines):
        with open(path, 'w') as f:
            f.write(''.join(line + '\n' for line in lines if diskfile.valid_suffix(line)))
    return diskfile.consolidate_hashes(partition_dir)


def get_hashes(r):
    manager = diskfile.DiskFileManager({'devices': r['root'], 'mount_check': 'false', 'reclaim_age': str(r['reclaim_age'])}, Quiet())
    manager.consolidate_hashes = consolidate
    hashed, hashes = manager._get_hashes(r['device'], r['part'], POLICIES[0], recalculate=r['recalculate'], do_listdir=r['do_listdir'])
    return {'hashed': hashed, 'hashes': hashes}


def read_hashes(r):
    h = diskfile.read_hashes(r['path'])
    return {'valid': h.pop('valid'), 'updated': h.pop('updated', None), 'hashes': h}


def write_pickle(r):
    with open(r['path'], 'wb') as f:
        pickle.dump(r['value'], f, r['protocol'])
    return {}


held = []


def lock(r):
    context = utils.lock_path(r['path'], timeout=r['timeout'], limit=r['limit'], name=r['name'])
    try:
        context.__enter__()
    except exceptions.LockTimeout:
        return {'ok': False}
    held.append(context)
    return {'ok': True}


def unlock(r):
    held.pop().__exit__(None, None, None)
    return {}


def invalidate(r):
    diskfile.invalidate_hash(r['path'])
    return {}


def check_drive(r):
    try:
        return {'path': constraints.check_drive(r['root'], r['device'], r['mount_check'])}
    except ValueError as err:
        return {'message': str(err)}


def parse(r):
    manager = diskfile.DiskFileManager({'devices': '/'}, Quiet())
    out = []
    for name in r['names']:
        try:
            i = manager.parse_on_disk_filename(name, POLICIES[0])
            ctype = i['ctype_timestamp']
            out.append([i['ext'], i['timestamp'].internal, ctype.internal if ctype else ''])
        except exceptions.DiskFileError:
            out.append(None)
    return {'parsed': out}


for line in sys.stdin:
    request = json.loads(line)
    try:
        answer = globals()[request['op']](request)
    except Exception as err:
        answer = {'error': repr(err)}
    sys.stdout.write(json.dumps(answer) + '\n')
    sys.stdout.flush()
