"""Swift's own dump_recon_cache.

"cases": reads [[start, [update, ...]], ...] from stdin, start being the text of
the file in latin-1 or null, and prints for each what the file holds after each
update (null when Swift logged an exception).
"write FILE NAME COUNT": puts COUNT entries into FILE, one update each.
"floats": reads [hexadecimal bits, ...] and prints how JSON shows each float.
"""
import json
import os
import struct
import sys
import tempfile

from swift.common.utils import dump_recon_cache


class Logger(object):
    failed = False

    def exception(self, msg):
        self.failed = True


def cases():
    out = []
    path = os.path.join(tempfile.mkdtemp(), 'object.recon')
    for start, updates in json.load(sys.stdin):
        if os.path.exists(path):
            os.unlink(path)
        if start is not None:
            with open(path, 'wb') as f:
                f.write(start.encode('latin-1'))
        states = []
        for update in updates:
            logger = Logger()
            dump_recon_cache(json.loads(update), path, logger)
            with open(path, 'rb') as f:
                states.append([not logger.failed, f.read().decode('latin-1')])
        out.append(states)
    os.unlink(path)
    os.rmdir(os.path.dirname(path))
    json.dump(out, sys.stdout)


def write(path, name, count):
    for i in range(int(count)):
        while True:
            logger = Logger()
            dump_recon_cache({'%s%d' % (name, i): {'n': i},
                              'shared': {'%s%d' % (name, i): float(i)}},
                             path, logger)
            if not logger.failed:
                break


def floats():
    json.dump([json.dumps(struct.unpack('>d', bytes.fromhex(h))[0])
               for h in json.load(sys.stdin)], sys.stdout)


{'cases': cases, 'write': write, 'floats': floats}[sys.argv[1]](*sys.argv[2:])
