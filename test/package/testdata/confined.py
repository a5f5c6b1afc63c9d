"""Starts a program as a systemd unit of ours would: as user swift, without capabilities,
with the unit's system calls and address families. What the unit refuses with an error
ends the program here, so that a passed test means that nothing is refused at all.

Usage: confined.py UNIT PROGRAM ARG...
"""

import ctypes
import mmap
import os
import pwd
import socket
import subprocess
import sys

import seccomp

PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 24, 38
CAPABILITIES = 41


def settings(path):
    pairs = [line.strip().split("=", 1) for line in open(path) if "=" in line and line[0] not in "#["]
    return dict(pairs)


def calls(group):
    """The system calls of a group of systemd's, with those of the groups in it."""
    names = set()
    for line in subprocess.check_output(["systemd-analyze", "syscall-filter", group], text=True).splitlines()[1:]:
        word = line.strip()
        if word.startswith("@"):
            names |= calls(word)
        elif word and not word.startswith("#"):
            names.add(word)
    return names


def confine(unit):
    kill = seccomp.KILL_PROCESS
    f = seccomp.SyscallFilter(defaction=kill)
    refined = {"socket", "mmap", "mprotect"}
    for name in calls(unit["SystemCallFilter"]) - refined:
        try:
            f.add_rule(seccomp.ALLOW, name)
        except RuntimeError:
            pass  # a call of other machines
    for family in unit["RestrictAddressFamilies"].split():
        f.add_rule(seccomp.ALLOW, "socket", seccomp.Arg(0, seccomp.EQ, getattr(socket, family)))
    both = mmap.PROT_WRITE | mmap.PROT_EXEC
    for harmless in (0, mmap.PROT_WRITE, mmap.PROT_EXEC):
        f.add_rule(seccomp.ALLOW, "mmap", seccomp.Arg(2, seccomp.MASKED_EQ, both, harmless))
    f.add_rule(seccomp.ALLOW, "mprotect", seccomp.Arg(2, seccomp.MASKED_EQ, mmap.PROT_EXEC, 0))
    # Dynamic programs make parts of themselves read-only and executable again: never.
    return f


def main():
    unit = settings(sys.argv[1])
    libc = ctypes.CDLL(None, use_errno=True)
    for needed in ("NoNewPrivileges", "MemoryDenyWriteExecute"):
        assert unit[needed] == "yes", needed
    assert unit["CapabilityBoundingSet"] == "", "capabilities"
    f = confine(unit)
    for cap in range(CAPABILITIES):
        if libc.prctl(PR_CAPBSET_DROP, cap, 0, 0, 0):
            raise OSError(ctypes.get_errno(), "drop capability %d" % cap)
    user = pwd.getpwnam("swift")
    os.setgroups([user.pw_gid])
    os.setgid(user.pw_gid)
    os.setuid(user.pw_uid)
    os.environ["HOME"] = user.pw_dir
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    f.load()
    os.execv(sys.argv[2], sys.argv[2:])


main()
