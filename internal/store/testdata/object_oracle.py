# Runs Swift's own DiskFile for the tests: one request as JSON, one answer.
import json
import logging
import sys

logging.disable(logging.CRITICAL)

from swift.common import utils
from swift.common.exceptions import DiskFileDeleted, DiskFileError, DiskFileNotExist, DiskFileQuarantined
from swift.common.storage_policy import POLICIES
from swift.obj import diskfile

utils.HASH_PATH_PREFIX, utils.HASH_PATH_SUFFIX = b'', b'changeme'


class Quiet(object):
    def __getattr__(self, name):
        return lambda *args, **kwargs: None


def manager(r):
    return diskfile.DiskFileManager(
        {'devices': r['root'], 'mount_check': 'false', 'reclaim_age': str(r['reclaim_age'])}, Quiet())


def yield_hashes(r):
    return {h: {k: v.internal for k, v in times.items()}
            for h, times in manager(r).yield_hashes('sda', '7', POLICIES[0], r['suffixes'])}


def raw(value):
    return value.encode('utf8', 'surrogateescape').hex()


def open_all(r):
    answer = {}
    m = manager(r)
    for h in r['hashes']:
        path = '%s/sda/objects/7/%s/%s' % (r['root'], h[-3:], h)
        try:
            df = diskfile.DiskFile(m, r['root'] + '/sda', '7', _datadir=path, policy=POLICIES[0], open_expired=True)
            df.open()
        except DiskFileDeleted as err:
            answer[h] = {'what': 'deleted', 'at': err.timestamp.internal}
        except DiskFileQuarantined as err:
            answer[h] = {'what': 'quarantined', 'why': str(err)}
        except DiskFileNotExist:
            answer[h] = {'what': 'gone'}
        except (DiskFileError, KeyError, OSError) as err:
            answer[h] = {'what': 'unreadable', 'why': repr(err)}
        else:
            posts = df.get_metafile_metadata()
            answer[h] = {
                'what': 'data', 'size': df.content_length,
                'data': {raw(k): raw(v) for k, v in df.get_datafile_metadata().items()},
                'posts': posts and {raw(k): raw(v) for k, v in posts.items()}}
    return answer


request = json.load(sys.stdin)
json.dump(globals()[request['do']](request), sys.stdout)
