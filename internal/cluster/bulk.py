"""Large trees, and what is cached of them. usage as of lab.py"""
import hashlib
import json
import os

from lab import Lab, body_of, main

from swift.common.storage_policy import POLICIES
from swift.common.utils import Timestamp, hash_path
from swift.obj import diskfile


def fill(request):
    """As many objects in every partition of policy 0 as asked, on all of their
    primaries, all alike: a large tree in little time. Straight to the final names,
    with Swift's metadata writer but without its fsyncs."""
    lab = Lab(request['roots'])
    policy = POLICIES.get_by_index(0)
    ring = lab.ring(policy)
    left = [request['objects']] * ring.partition_count
    todo, serial = sum(left), 0
    body = body_of('fill', request['size'])
    etag = hashlib.md5(body).hexdigest()
    while todo:
        serial += 1
        name = '/AUTH_lab/c%d/o%08d' % (serial % 8, serial)
        name_hash = hash_path(*name[1:].split('/', 2))
        part = ring.get_part(*name[1:].split('/', 2))
        if not left[part]:
            continue
        left[part] -= 1
        todo -= 1
        at = Timestamp(request['at'] + serial * 0.01)
        for dev in ring.get_part_nodes(part):
            folder = os.path.join(
                lab.nodes[dev['ip']].root, dev['device'],
                diskfile.get_data_dir(policy), str(part), name_hash[-3:], name_hash)
            os.makedirs(folder)
            with open(os.path.join(folder, at.internal + '.data'), 'wb') as fp:
                fp.write(body)
                diskfile.write_metadata(fp, {
                    'name': name, 'X-Timestamp': at.internal, 'ETag': etag,
                    'Content-Type': 'application/octet-stream',
                    'Content-Length': str(len(body))})
    return serial


def digest(request):
    """One sum of all suffix hashes that a node has cached, without their dates."""
    total, partitions, suffixes = hashlib.md5(), 0, 0
    for folder, names, _ in sorted(os.walk(request['root'])):
        if os.path.basename(os.path.dirname(folder)) != 'objects':
            continue
        del names[:]
        hashes = diskfile.read_hashes(folder)
        hashes.pop('updated', None)
        partitions += 1
        suffixes += len(hashes) - 1
        total.update(json.dumps([folder, hashes], sort_keys=True).encode())
    return {'partitions': partitions, 'suffixes': suffixes,
            'sum': total.hexdigest()}


if __name__ == '__main__':
    main({'fill': fill, 'digest': digest})
