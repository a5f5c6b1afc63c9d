"""Load a ring with Swift's own Ring and dump its answers as JSON."""
import json
import sys

from swift.common import utils
from swift.common.ring import Ring

utils.HASH_PATH_SUFFIX = b'endcap'
ring = Ring(sys.argv[1])
json.dump({
    'devs': ring.devs,
    'replica_count': ring.replica_count,
    'part_power': ring.part_power,
    'version': ring.version,
    'next_part_power': ring.next_part_power,
    'parts': [[[n['id'] for n in ring.get_part_nodes(part)],
               [n['id'] for n in ring.get_more_nodes(part)]]
              for part in range(ring.partition_count)],
}, sys.stdout)
