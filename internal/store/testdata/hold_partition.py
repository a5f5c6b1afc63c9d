# Takes Swift's own partition_lock for the tests: says "locked" or "timeout", and keeps it until a line is read.
import logging
import sys

logging.disable(logging.CRITICAL)

from swift.common.exceptions import PartitionLockTimeout
from swift.common.storage_policy import POLICIES
from swift.obj.diskfile import DiskFileManager


class Quiet(object):
    def __getattr__(self, name):
        return lambda *args, **kwargs: None


root, device, partition = sys.argv[1:]
manager = DiskFileManager({'devices': root, 'mount_check': 'false'}, Quiet())
try:
    with manager.partition_lock(device, POLICIES[0], partition, name='replication', timeout=0.2):
        print('locked', flush=True)
        sys.stdin.readline()
except PartitionLockTimeout:
    print('timeout', flush=True)
