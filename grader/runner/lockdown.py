"""What a child does to itself before the first byte of a submission is looked at.

The order matters: file descriptors first, because nothing may be inherited by accident; limits next; what cannot be
undone last. Every step either works or ends the child (`Refused`): student code never runs behind a wall that is only
partly there. `STATE` says what is enforced; `lstm-grader doctor` prints it.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
from typing import Any

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38

STDOUT, STDERR, RESULT, REQUEST = 1, 2, 3, 4

# mechanism -> (is it enforced, what it stops)
STATE = {
    "descriptors": (True, "files, sockets and pipes of the service and of other runs"),
    "empty environment": (True, "secrets in environment variables"),
    "rlimits": (True, "memory, CPU time, huge files, many files, core dumps"),
    "no_new_privs": (True, "gaining rights through set-uid programs"),
    "session and parent-death signal": (True, "processes that outlive their run"),
    "non-dumpable": (True, "ptrace and /proc/PID/mem between runs of one user"),
    "landlock": (False, "reading and writing files outside the run's own directory"),
    "seccomp": (False, "network, new processes, signals to others and every other unneeded system call"),
    "uid per run": (False, "reaching the files and processes of other runs when the service is root"),
}

_libc = ctypes.CDLL(None, use_errno=True)


class Refused(OSError):
    """A step of the lockdown did not work; the child must end before any student code runs."""


def prepare() -> None:
    """What the warm process does for its children once: whatever they leave behind becomes its own child."""
    _prctl(PR_SET_CHILD_SUBREAPER, 1)


def apply(descriptors: dict[int, int], directory: str, limits: dict[str, Any], parent: int) -> None:
    """Lock this process down for good.

    Args:
        descriptors: number that the child shall have -> number it was received under.
        directory: the run's own directory, the only place it may write to.
        limits: ``memory_bytes`` (on top of what the warm process holds), ``cpu_seconds``, ``file_bytes``,
            ``open_files``.
        parent: process id of the warm process, to notice that it died before PDEATHSIG was set.
    Raises:
        OSError: a step failed.
    """
    _arrange_descriptors(descriptors)
    os.setsid()
    os.umask(0o077)
    _limit_resources(limits)
    os.chdir(directory)
    _prctl(PR_SET_DUMPABLE, 0)
    _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        raise Refused("the warm process is gone")
    _prctl(PR_SET_NO_NEW_PRIVS, 1)


def _arrange_descriptors(wanted: dict[int, int]) -> None:
    """Standard input from /dev/null, the wanted descriptors at their numbers, everything else closed."""
    # Out of the way first: a received number may be one of the wanted ones.
    high = {number: os.dup2(received, 100 + number, inheritable=False) for number, received in wanted.items()}
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    for number, moved in high.items():
        os.dup2(moved, number)
    os.closerange(max(wanted) + 1, resource.getrlimit(resource.RLIMIT_NOFILE)[0])


def _limit_resources(limits: dict[str, Any]) -> None:
    # RLIMIT_AS would abort TensorFlow; RLIMIT_DATA counts private writable memory, threads' stacks included.
    _set_limit(resource.RLIMIT_DATA, _data_bytes() + limits["memory_bytes"])
    # The supervisor decides on CPU time; this is for the case that it cannot. Soft and hard are equal, so that the kernel
    # kills at once and there is no SIGXCPU to ignore.
    _set_limit(resource.RLIMIT_CPU, 2 * limits["cpu_seconds"])
    _set_limit(resource.RLIMIT_FSIZE, limits["file_bytes"])
    _set_limit(resource.RLIMIT_NOFILE, limits["open_files"])
    for none_of in (resource.RLIMIT_CORE, resource.RLIMIT_MEMLOCK, resource.RLIMIT_MSGQUEUE):
        _set_limit(none_of, 0)


def _set_limit(which: int, value: int) -> None:
    hard = resource.getrlimit(which)[1]
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    resource.setrlimit(which, (value, value))


def _data_bytes() -> int:
    with open("/proc/self/status", encoding="ascii") as status:
        for line in status:
            if line.startswith("VmData:"):
                return int(line.split()[1]) * 1024
    raise Refused("/proc/self/status has no VmData")


def _prctl(option: int, value: int) -> None:
    if _libc.prctl(option, value, 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise Refused(number, f"prctl({option}): {os.strerror(number)}")
