"""What must be Swift's own doing: rings, bytes on disk, decoding and hashing.

usage: lab.py COMMAND <request.json >answer.json
Runs where /etc/swift is the cluster's. Everything but making rings runs as the
user of the daemons, so that nothing on the devices belongs to root.
"""
import hashlib
import http.client
import json
import os
import pickle
import pwd
import shutil
import sys
import tempfile

sys.path.insert(0, '/usr/lib/python3/dist-packages')

from swift.common.exceptions import (  # noqa: E402
    DiskFileDeleted, DiskFileNotExist)
from swift.common.ring import Ring, RingBuilder  # noqa: E402
from swift.common.storage_policy import POLICIES, REPL_POLICY  # noqa: E402
from swift.common.utils import Timestamp  # noqa: E402
from swift.obj import diskfile  # noqa: E402

RINGS = '/etc/swift'


class Quiet(object):
    """A logger for Swift's classes: what they say goes to stderr."""

    thread_locals = None

    def _say(self, message='', *args, **kwargs):
        print(message % args if args else message, file=sys.stderr)

    exception = error = warning = critical = _say

    def debug(self, *args, **kwargs):
        pass

    info = increment = timing = set_statsd_prefix = debug


class Node(object):
    """One node's devices through Swift's DiskFile classes."""

    def __init__(self, root):
        self.root = root
        self.router = diskfile.DiskFileRouter(
            {'devices': root, 'mount_check': 'false'}, Quiet())

    def disk_file(self, policy, device, part, name, **kwargs):
        account, container, obj = name[1:].split('/', 2)
        return self.router[policy].get_diskfile(
            device, part, account, container, obj, policy=policy, **kwargs)


class Lab(object):
    """The nodes by address, and the rings by policy."""

    def __init__(self, roots):
        self.nodes = {ip: Node(root) for ip, root in roots.items()}
        self.rings = {}

    def ring(self, policy):
        if policy.idx not in self.rings:
            self.rings[policy.idx] = Ring(RINGS, ring_name=policy.ring_name)
        return self.rings[policy.idx]

    def place(self, policy, name):
        """The partition of an object, its primaries, and all nodes in order."""
        ring = self.ring(policy)
        part, primaries = ring.get_nodes(*name[1:].split('/', 2))
        return part, primaries, primaries + list(ring.get_more_nodes(part))


def make_rings(request):
    for spec in request:
        builder = RingBuilder(spec['part_power'], spec['replicas'], 0)
        for dev in spec['devices']:
            builder.add_dev({
                'region': 1, 'zone': dev['zone'], 'weight': 100.0, 'meta': '',
                'ip': dev['ip'], 'port': dev['port'],
                'replication_ip': dev['ip'], 'replication_port': dev['port'],
                'device': dev['device']})
        builder.rebalance(seed=7)
        builder.get_ring().save(spec['path'])


def reweight_ring(request):
    """Change a ring as an operator does: the builder stays beside it, and each
    rebalance moves one replica of a partition at the most."""
    name = request['builder']
    builder = (RingBuilder.load(name) if os.path.exists(name) else
               RingBuilder(request['part_power'], request['replicas'], 1))
    here = {(d['ip'], d['device']): d for d in builder.devs if d}
    wanted = {(d['ip'], d['device']): d for d in request['devices']}
    for place, dev in here.items():
        if place not in wanted:
            builder.remove_dev(dev['id'])
    for place, dev in sorted(wanted.items()):
        if place in here:
            builder.set_dev_weight(here[place]['id'], dev['weight'])
        else:
            builder.add_dev({
                'region': 1, 'zone': dev['zone'], 'weight': dev['weight'],
                'ip': dev['ip'], 'port': dev['port'], 'meta': '',
                'replication_ip': dev['ip'], 'replication_port': dev['port'],
                'device': dev['device']})
    builder.pretend_min_part_hours_passed()
    builder.rebalance(seed=request['seed'])
    builder.save(name)
    builder.get_ring().save(request['path'])


def body_of(seed, size):
    """Bytes that can be told apart and that a reader can compute by itself."""
    block = hashlib.sha256(str(seed).encode()).digest()
    return (block * (size // len(block) + 1))[:size]


def header(text):
    """A header value as Swift's servers hold it: bytes widened to code points."""
    return text.encode('utf8').decode('latin1')


def text_of(value):
    """The text of a header value read from disk. Swift 2.30 does not tell apart
    who pickled it: what Python 2 wrote comes back as text already."""
    try:
        return value.encode('latin1').decode('utf8')
    except UnicodeError:
        return value


def write_one(disk_file, op):
    at = Timestamp(op['at'])
    headers = {k: header(v) for k, v in (op.get('headers') or {}).items()}
    if op['kind'] == 'delete':
        disk_file.delete(at)
    elif op['kind'] == 'post':
        if 'Content-Type' in headers:
            headers['Content-Type-Timestamp'] = at.internal
        disk_file.write_metadata(dict(headers, **{'X-Timestamp': at.internal}))
    else:
        body = body_of(op['body'], op['size'])
        with disk_file.create(size=len(body)) as writer:
            for i in range(0, len(body), 65536):
                writer.write(body[i:i + 65536])
            writer.put(dict(headers, **{
                'X-Timestamp': at.internal, 'Content-Length': str(len(body)),
                'ETag': hashlib.md5(body).hexdigest()}))
            writer.commit(at)


def as_py2(path):
    """Rewrite a file's metadata as a Swift on Python 2 pickled it: byte strings."""
    with open(path, 'rb') as fp:
        metadata = diskfile.read_metadata(fp)
    out = b'\x80\x02}q\x00('
    for key, value in metadata.items():
        raw = value.encode('utf8') if key == 'name' else value.encode('latin1')
        for item in (key.encode('utf8'), raw):
            if len(item) < 256:
                out += b'U' + bytes([len(item)]) + item
            else:
                out += b'T' + len(item).to_bytes(4, 'little') + item
    out += b'u.'
    os.setxattr(path, 'user.swift.metadata', out)
    os.setxattr(path, 'user.swift.metadata_checksum',
                hashlib.md5(out).hexdigest().encode())


def write(request):
    """Apply operations to the devices; answers where each of them landed."""
    lab = Lab(request['roots'])
    missing = set(map(tuple, request.get('missing') or []))
    answer = []
    for op in request['ops']:
        policy = POLICIES.get_by_index(op['policy'])
        part, _, nodes = lab.place(policy, op['name'])
        landed = []
        for copy in op['copies']:
            dev = nodes[copy]
            if (dev['ip'], dev['device']) in missing:
                continue
            node = lab.nodes[dev['ip']]
            disk_file = node.disk_file(policy, dev['device'], part, op['name'])
            if op['kind'] in ('put', 'post', 'delete'):
                write_one(disk_file, op)
                if op.get('py2'):
                    newest = max(n for n in os.listdir(disk_file._datadir)
                                 if n.startswith(Timestamp(op['at']).normal))
                    as_py2(os.path.join(disk_file._datadir, newest))
            else:
                spoil(node, policy, dev['device'], part, disk_file._datadir,
                      op['kind'])
            landed.append([dev['ip'], dev['device']])
        answer.append({'partition': part, 'landed': landed})
    return answer


def spoil(node, policy, device, part, hash_dir, what):
    """Leave the kind of junk that real devices gather around an object."""
    suffix_dir = os.path.dirname(hash_dir)
    part_dir, suffix = os.path.split(suffix_dir)
    pkl = os.path.join(part_dir, diskfile.HASH_FILE)
    if what == 'tempfile':
        with open(os.path.join(hash_dir, '.1700000000.00000.data.Ab3_9z'),
                  'wb') as fp:
            fp.write(b'half a fi')
        return
    if what == 'invalid-line':
        diskfile.invalidate_hash(suffix_dir)
        return
    manager = node.router[policy]
    manager.get_hashes(device, str(part), [], policy)
    if what == 'hashes-fresh':
        return
    hashes = diskfile.read_hashes(part_dir)
    raw = open(pkl, 'rb').read()
    if what == 'hashes-garbage':
        raw = b'\x00\xffno pickle at all' * 9
    elif what == 'hashes-truncated':
        raw = raw[:len(raw) // 2]
    elif what == 'hashes-empty':
        raw = b''
    elif what == 'hashes-legacy':
        hashes.pop('valid'), hashes.pop('updated')
        raw = pickle.dumps(hashes, protocol=2)
    elif what == 'hashes-wrong':
        hashes[suffix] = hashlib.md5(hash_dir.encode() +
                                     part_dir.encode()).hexdigest()
        raw = pickle.dumps(hashes, protocol=2)
    elif what == 'hashes-none':
        hashes[suffix] = None
        raw = pickle.dumps(hashes, protocol=2)
    elif what == 'hashes-strange-key':
        hashes['not a suffix'] = hashes[suffix]
        raw = pickle.dumps(hashes, protocol=2)
    else:
        raise ValueError('no junk of kind %r' % what)
    with open(pkl, 'wb') as fp:
        fp.write(raw)


def decoded(path):
    with open(path, 'rb') as fp:
        try:
            return diskfile.read_metadata(fp)
        except (DiskFileNotExist, EOFError, OSError) as err:
            return {'unreadable': repr(err)}


def scan_partition(part_dir):
    files, others = {}, []
    for suffix in sorted(os.listdir(part_dir)):
        if not diskfile.valid_suffix(suffix):
            others.append(suffix)
            continue
        top = os.path.join(part_dir, suffix)
        for folder, _, names in os.walk(top):
            for name in names:
                path = os.path.join(folder, name)
                with open(path, 'rb') as fp:
                    body = fp.read()
                files[os.path.relpath(path, part_dir)] = {
                    'size': len(body), 'md5': hashlib.md5(body).hexdigest(),
                    'metadata': decoded(path)}
    return files, others


def fresh_hashes(part_dir, part, policy):
    """Swift's suffix hashes of the same names, with nothing cached: they depend on
    names only, so an empty copy of the tree will do."""
    box = tempfile.mkdtemp(prefix='understudy-fresh-')
    try:
        copy = os.path.join(box, 'd', diskfile.get_data_dir(policy), part)
        os.makedirs(copy)
        for suffix in filter(diskfile.valid_suffix, os.listdir(part_dir)):
            for folder, _, names in os.walk(os.path.join(part_dir, suffix)):
                there = os.path.join(copy, os.path.relpath(folder, part_dir))
                os.makedirs(there)
                for name in names:
                    open(os.path.join(there, name), 'w').close()
        return Node(box).router[policy].get_hashes('d', part, [], policy)
    finally:
        shutil.rmtree(box)


def ask(ip, port, device, part, policy):
    """A node's own answer: REPLICATE, as a replicator asks it."""
    conn = http.client.HTTPConnection(ip, port, timeout=60)
    try:
        conn.request('REPLICATE', '/%s/%s' % (device, part), headers={
            'X-Backend-Storage-Policy-Index': str(int(policy)),
            'Content-Length': '0'})
        response = conn.getresponse()
        body = response.read()
        if response.status != 200:
            return {'status': response.status}
        return {'status': 200, 'hashes': pickle.loads(body)}
    finally:
        conn.close()


def scan(request):
    """All that replicated policies have on the devices, as Swift reads it; with
    'port', also what the object servers answer (asked first: an answer brings
    hashes.pkl up to date)."""
    answer = []
    for ip, root in sorted(request['roots'].items()):
        for device in sorted(os.listdir(root)):
            for policy in POLICIES:
                if policy.policy_type != REPL_POLICY:
                    continue
                objects = os.path.join(root, device,
                                       diskfile.get_data_dir(policy))
                if not os.path.isdir(objects):
                    continue
                for part in sorted(os.listdir(objects)):
                    path = os.path.join(objects, part)
                    if not (part.isdigit() and os.path.isdir(path)):
                        continue
                    found = {'ip': ip, 'device': device, 'policy': int(policy),
                             'partition': int(part)}
                    if request.get('port'):
                        found['answer'] = ask(ip, request['port'], device,
                                              part, policy)
                    found['files'], found['others'] = scan_partition(path)
                    found['cached'] = diskfile.read_hashes(path)
                    found['fresh'] = fresh_hashes(path, part, policy)
                    invalid = os.path.join(path, diskfile.HASH_INVALIDATIONS_FILE)
                    if os.path.exists(invalid):
                        found['invalid'] = open(invalid).read()
                    answer.append(found)
    return answer


def read(request):
    """Every primary's reading of the named objects, through DiskFile.open."""
    lab = Lab(request['roots'])
    answer = []
    for want in request['objects']:
        policy = POLICIES.get_by_index(want['policy'])
        part, primaries, _ = lab.place(policy, want['name'])
        copies = []
        for dev in primaries:
            copy = {'ip': dev['ip'], 'device': dev['device'], 'partition': part}
            disk_file = lab.nodes[dev['ip']].disk_file(
                policy, dev['device'], part, want['name'], open_expired=True)
            try:
                with disk_file.open():
                    body = b''.join(disk_file.reader())
                    copy.update(state='data', size=len(body), metadata={
                        k: v if k == 'name' else text_of(v)
                        for k, v in disk_file.get_metadata().items()},
                        md5=hashlib.md5(body).hexdigest())
            except DiskFileDeleted as err:
                copy.update(state='deleted', at=err.timestamp.internal)
            except DiskFileNotExist:
                copy.update(state='absent')
            copies.append(copy)
        answer.append(copies)
    return answer


def primaries(request):
    """The primaries of every partition of a policy, as [ip, device] pairs."""
    ring = Ring(RINGS, ring_name=POLICIES.get_by_index(request['policy']).ring_name)
    return [[[d['ip'], d['device']] for d in ring.get_part_nodes(part)]
            for part in range(ring.partition_count)]


COMMANDS = {'rings': make_rings, 'reweight': reweight_ring, 'write': write, 'scan': scan, 'read': read,
            'primaries': primaries}


def main(commands):
    name = sys.argv[1]
    if name not in ('rings', 'reweight'):
        user = pwd.getpwnam('swift')
        os.setgroups([])
        os.setgid(user.pw_gid)
        os.setuid(user.pw_uid)
        os.umask(0o022)
    json.dump(commands[name](json.load(sys.stdin)), sys.stdout)


if __name__ == '__main__':
    main(COMMANDS)
