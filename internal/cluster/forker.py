"""Starts programs for a lab quickly: Swift is imported once, and every program of
Swift is a fork that runs its stock script. Each program gets a mount namespace of
its own in which /etc/swift is the folder that the request names.

Requests are lines of JSON on standard input:
  {"id", "etc", "argv", "in", "out", "err"}   paths; out and err may be one
Answers on standard output: {"id", "pid"} at once, and at the end
  {"id", "status", "user", "system"}   status as a shell knows it, -N: by signal N
When standard input ends, so do all programs, and this.
"""
import ctypes
import json
import os
import runpy
import signal
import sys
import traceback

sys.path.insert(0, '/usr/lib/python3/dist-packages')

# What the programs import; they find it here.
from eventlet import patcher  # noqa: E402
from swift.common import daemon, storage_policy, utils, wsgi  # noqa: E402,F401
from swift.common.middleware import recon  # noqa: E402,F401
from swift.obj import replicator, server, ssync_receiver  # noqa: E402,F401

# They would do it anyway; it takes half a second, which they need not all wait.
utils.eventlet_monkey_patch()
select = patcher.original('select')  # a hub must not be there before the forks

LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNS, MS_BIND, MS_REC, MS_SLAVE = 0x20000, 0x1000, 0x4000, 0x80000
PR_SET_PDEATHSIG = 1


def check(result, what):
    if result != 0:
        raise OSError(ctypes.get_errno(), what)


def own_etc_swift(folder):
    check(LIBC.unshare(CLONE_NEWNS), 'unshare')
    # A slave: disks that are mounted and unmounted here come and go there, too.
    check(LIBC.mount(b'none', b'/', None, MS_REC | MS_SLAVE, None), 'mount /')
    check(LIBC.mount(folder.encode(), b'/etc/swift', None, MS_BIND, None),
          'mount /etc/swift')


def of_swift(argv):
    return argv[0].startswith('/usr/bin/swift-') or argv[0].endswith('.py')


def read_swift_conf(argv):
    # What was read when it was imported came from another /etc/swift.
    utils.HASH_PATH_PREFIX = utils.HASH_PATH_SUFFIX = b''
    try:
        utils.validate_hash_conf()
        storage_policy.reload_storage_policies()
    except BaseException:  # the program shall say it in its own way
        os.execv('/usr/bin/python3', ['/usr/bin/python3', '-B'] + argv)


def become(request):
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for fd, path, flags in (
            (0, request['in'] or '/dev/null', os.O_RDONLY),
            (1, request['out'],
             os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND),
            (2, request['err'],
             os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND)):
        opened = os.open(path, flags, 0o644)
        os.dup2(opened, fd)
        os.close(opened)
    sys.stdin = os.fdopen(0, 'r', closefd=False)
    sys.stdout = os.fdopen(1, 'w', closefd=False)
    sys.stderr = os.fdopen(2, 'w', closefd=False)
    own_etc_swift(request['etc'])
    argv = request['argv']
    if of_swift(argv):
        read_swift_conf(argv)
        sys.argv = argv
        runpy.run_path(argv[0], run_name='__main__')
    else:
        os.execv(argv[0], argv)


def child(request, unwanted):
    status = 1
    try:
        os.setpgid(0, 0)
        for fd in unwanted:
            os.close(fd)
        become(request)
        status = 0
    except SystemExit as err:
        status = err.code if isinstance(err.code, int) else bool(err.code)
        if isinstance(err.code, str):
            print(err.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
    finally:
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(int(status))


class Forker(object):
    def __init__(self):
        self.requests = os.dup(0)
        self.answers = os.dup(1)
        self.wake, wake_write = os.pipe()
        os.set_blocking(wake_write, False)
        self.unwanted = [self.requests, self.answers, self.wake, wake_write]
        signal.signal(signal.SIGCHLD, lambda *args: None)
        signal.set_wakeup_fd(wake_write)
        self.live = {}
        null = os.open('/dev/null', os.O_RDWR)
        os.dup2(null, 0)
        os.dup2(null, 1)
        os.close(null)

    def say(self, **answer):
        os.write(self.answers, (json.dumps(answer) + '\n').encode())

    def fork(self, request):
        pid = os.fork()
        if pid == 0:
            child(request, self.unwanted)
        try:
            os.setpgid(pid, pid)
        except OSError:
            pass  # it has done so itself, or is gone
        self.live[pid] = request['id']
        self.say(id=request['id'], pid=pid)

    def reap(self):
        while self.live:
            pid, status, usage = os.wait4(-1, os.WNOHANG)
            if not pid:
                return
            if pid in self.live:
                self.say(id=self.live.pop(pid),
                         status=os.waitstatus_to_exitcode(status),
                         user=usage.ru_utime, system=usage.ru_stime)

    def run(self):
        rest = b''
        while True:
            ready, _, _ = select.select([self.requests, self.wake], [], [])
            if self.wake in ready:
                os.read(self.wake, 4096)
            self.reap()
            if self.requests not in ready:
                continue
            got = os.read(self.requests, 1 << 16)
            if not got:
                break
            *lines, rest = (rest + got).split(b'\n')
            for line in lines:
                self.fork(json.loads(line))
        for pid in self.live:
            try:
                os.killpg(pid, signal.SIGKILL)
            except OSError:
                pass


if __name__ == '__main__':
    Forker().run()
