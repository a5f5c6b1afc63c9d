"""Build random rings with Swift's own builder and dump what its Ring says.

Usage: build_rings.py DIR SEED. Writes DIR/N.ring.gz and DIR/N.json.
"""
import array
import json
import os
import random
import sys

from swift.common import utils
from swift.common.exceptions import EmptyRingError, RingValidationError
from swift.common.ring import Ring, RingBuilder, RingData

utils.HASH_PATH_SUFFIX = b'endcap'
utils.HASH_PATH_PREFIX = b''


def build(rng, part_power, replicas, regions, zones, nodes, disks, zero, removed):
    builder = RingBuilder(part_power, replicas, 0)
    for region in range(1, regions + 1):
        for zone in range(1, zones + 1):
            for node in range(nodes):
                for disk in range(disks):
                    ip = '10.%d.%d.%d' % (region, zone, node)
                    dev = {'region': region, 'zone': zone, 'ip': ip,
                           'port': 6200 + disk, 'device': 'sd%d' % disk,
                           'weight': rng.choice([50.0, 100.0, 100.0, 333.3]),
                           'replication_ip': 'fd00::%d' % rng.randint(1, 3),
                           'replication_port': 6300 + disk,
                           'meta': rng.choice(['', 'rack \u2603'])}
                    if rng.random() < zero:
                        dev['weight'] = 0
                    builder.add_dev(dev)
    builder.rebalance(seed=str(rng.random()))
    ids = [d['id'] for d in builder.devs]
    for dev_id in rng.sample(ids, removed):
        builder.remove_dev(dev_id)
    builder.pretend_min_part_hours_passed()
    builder.rebalance(seed=str(rng.random()))
    return builder


def scatter(rng):
    """A table that no builder makes: devices twice in a partition, big steps."""
    part_power = rng.randint(0, 7)
    devs = [{'id': i, 'region': rng.randint(1, 3), 'zone': rng.randint(1, 2),
             'ip': '10.0.0.%d' % rng.randint(1, 4), 'port': 6200,
             'device': 'd%d' % i, 'weight': 1} for i in range(rng.randint(1, 20))]
    if rng.random() < 0.5:
        for dev in devs:
            del dev['region']  # as in files older than regions
    rows = [array.array('H', (rng.randrange(len(devs)) for _ in range(1 << part_power)))
            for _ in range(rng.randint(1, 5))]
    if len(rows) > 1:
        del rows[-1][rng.randint(0, 1 << part_power):]
    return RingData(rows, devs + [None], 32 - part_power)


def dump(path, rng):
    ring = Ring(path)
    parts = range(ring.partition_count)
    if len(parts) > 4096:
        parts = sorted(rng.sample(parts, 300)) + [0, len(parts) - 1]
    return {
        'devs': ring.devs,
        'replica_count': ring.replica_count,
        'part_shift': 32 - ring.part_power,
        'version': ring.version,
        'next_part_power': ring.next_part_power,
        'parts': {
            part: [[n['id'] for n in ring.get_part_nodes(part)],
                   [n['id'] for n in ring.get_more_nodes(part)]]
            for part in parts},
        'beyond': [n['id'] for n in ring.get_more_nodes(len(ring._replica2part2dev_id[0]))],
        'objects': {'o%d' % i: ring.get_part('a', 'c', 'o%d' % i) for i in range(50)},
    }


def main(folder, seed):
    rng = random.Random(int(seed))
    # part_power, replicas, regions, zones, nodes, disks, zero, removed
    shapes = [
        (6, 3, 1, 3, 2, 4, 0.0, 0),
        (6, 2.4, 2, 2, 2, 3, 0.2, 2),
        (5, 3.01, 2, 3, 1, 2, 0.1, 1),
        (7, 1, 1, 1, 5, 3, 0.3, 1),
        (4, 3.5, 1, 2, 2, 1, 0.0, 0),
        (0, 3, 1, 1, 4, 1, 0.0, 0),
        (1, 1.5, 2, 1, 2, 2, 0.0, 1),
        (8, 3, 3, 2, 2, 2, 0.1, 4),
        (3, 3, 2, 4, 3, 4, 0.0, 5),    # fewer slots than devices
        (9, 2, 1, 1, 1, 9, 0.5, 1),
        (17, 2.5, 2, 2, 2, 2, 0.1, 1),  # handoff steps of two partitions
    ]
    for _ in range(9):
        shapes.append((rng.randint(1, 9), rng.choice([1, 2, 2.5, 3, 3.3, 4]),
                       rng.randint(1, 3), rng.randint(1, 3), rng.randint(1, 3),
                       rng.randint(2, 5), rng.choice([0, 0.2, 0.4]), rng.randint(0, 2)))
    os.chdir(folder)
    for n, shape in enumerate(shapes):
        builder = None
        while builder is None:
            try:
                builder = build(rng, *shape)
            except (EmptyRingError, RingValidationError):  # too few, or too many without weight
                shape = shape[:5] + (shape[5] + 1,) + shape[6:]
        if n % 5 == 4:
            builder.next_part_power = builder.part_power + 1
        path = '%d.ring.gz' % n
        builder.get_ring().save(path)
        with open('%d.json' % n, 'w') as out:
            json.dump(dump(path, rng), out)
    for n in range(len(shapes), len(shapes) + 10):
        path = '%d.ring.gz' % n
        scatter(rng).save(path)
        with open('%d.json' % n, 'w') as out:
            json.dump(dump(path, rng), out)
    print(len(shapes) + 10)


main(*sys.argv[1:])
