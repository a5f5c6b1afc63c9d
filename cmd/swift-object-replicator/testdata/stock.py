"""Runs Swift's own swift-object-replicator once for each command line.

Reads from stdin a JSON list of {"argv", "env"} and writes a JSON list of
{"status", "stdout", "stderr", "started"}. The program is the installed one; only
run_daemon is replaced, by one that tells what it would have been given and how
the lists of the once mode read.
"""
import json
import os
import sys
import tempfile

PROGRAM = '/usr/bin/swift-object-replicator'

import swift.common.daemon                      # noqa: E402
import swift.obj.replicator                     # noqa: E402
from swift.common.utils import parse_override_options  # noqa: E402


def child(case, started):
    def run_daemon(klass, conf_file, section_name='', once=False, **kwargs):
        told = {'config': conf_file, 'once': bool(once),
                'verbose': bool(kwargs.get('verbose')),
                'ignored': kwargs.get('extra_args', [])}
        try:
            o = parse_override_options(once=True, **kwargs)
            told['overrides'] = [list(o.devices), list(o.partitions),
                                 list(o.policies)]
        except (ValueError, AttributeError):
            told['overrides'] = None
        with open(started, 'w') as f:
            json.dump(told, f)

    swift.common.daemon.run_daemon = run_daemon
    os.environ.pop('COLUMNS', None)
    os.environ.update(case.get('env') or {})
    sys.argv = [os.fsdecode(a.encode('latin-1')) for a in case['argv']]
    with open(PROGRAM) as f:
        exec(compile(f.read(), PROGRAM, 'exec'), {'__name__': '__main__'})


def run(case, folder):
    paths = [os.path.join(folder, n) for n in ('stdout', 'stderr', 'started')]
    for p in paths:
        if os.path.exists(p):
            os.unlink(p)
    pid = os.fork()
    if pid == 0:
        for fd, p in ((1, paths[0]), (2, paths[1])):
            f = os.open(p, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(f, fd)
        status = 0
        try:
            child(case, paths[2])
        except SystemExit as e:
            status = e.code if isinstance(e.code, int) else int(bool(e.code))
        except BaseException:
            status = 1
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    _, status = os.waitpid(pid, 0)
    told = None
    if os.path.exists(paths[2]):
        with open(paths[2]) as f:
            told = json.load(f)
    texts = [open(p, 'rb').read().decode('latin-1') for p in paths[:2]]
    return {'status': os.WEXITSTATUS(status), 'stdout': texts[0],
            'stderr': texts[1], 'started': told}


with tempfile.TemporaryDirectory() as folder:
    json.dump([run(c, folder) for c in json.load(sys.stdin)], sys.stdout)
