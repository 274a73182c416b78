"""Locks down a child before it looks at the first byte of a submission.

One sequence, top to bottom: `Wall.apply` is the order. File descriptors first, so that none is inherited by accident;
then limits and identity; then the steps that cannot be undone: Landlock for files, seccomp for everything else. Every
step works or ends the child: student code never runs behind a wall that is only partly there.

`prepare` runs once in the warm process. It finds out what this host offers, refuses to start where Landlock or seccomp
is missing (unless the operator accepts that by name), and builds the `Wall` that all children share.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import resource
import signal
import sysconfig
import time
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cuda
import landlockpy
import own_proc
from landlockpy import AccessFS, AccessNet, Scope

if TYPE_CHECKING:
    from seccomp_filter import Program

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_KEEPCAPS = 8
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38

CAPABILITY_VERSION_3 = 0x20080522
CAP_DAC_READ_SEARCH = 2

STDOUT, STDERR, RESULT, REQUEST = 1, 2, 3, 4

READ_FILE = AccessFS.READ_FILE
READ_TREE = AccessFS.READ_FILE | AccessFS.READ_DIR
# No links, sockets, pipes or devices: a run leaves only plain files and folders there. None of them can be removed or
# renamed, so that everything a run has written can be counted (seccomp_filter.py says more).
WRITE_TREE = READ_TREE | AccessFS.WRITE_FILE | AccessFS.TRUNCATE | AccessFS.MAKE_REG | AccessFS.MAKE_DIR
SYSTEM_LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib")
# TensorFlow aborts without /proc/self/cmdline. schedstat tells a run how long it had no core, and the last three tell
# how many cores there are. The state of the machine (free memory, speeds of cores, how long each was idle) must stay
# unreadable: other runs change it.
CPU_TREE = "/sys/devices/system/cpu"
SINGLE_FILES = (
    *("/etc/ld.so.cache", "/proc/self/cmdline", "/proc/self/schedstat", "/dev/urandom"),
    *(f"{CPU_TREE}/{name}" for name in ("online", "possible", "present")),
)
QUEUED_SIGNALS = 64  # the kernel counts them per user, so a run could take those of the service
# A third of the share of a process with the default weight. With 10, a tenth, runs on a busy host hardly ever got a
# core and were given up. Time that a run waits for a core does not count as its own.
NICENESS = 5
DEVICE = READ_FILE | AccessFS.WRITE_FILE | AccessFS.IOCTL_DEV

State = dict[str, tuple[bool, str]]
EVERYWHERE: State = {
    "descriptors": (True, "files, sockets and pipes of the service and of other runs"),
    "empty environment": (True, "secrets in environment variables"),
    "rlimits": (True, "memory, CPU time, huge files, many files, core dumps"),
    "session, parent-death signal": (True, "processes that outlive their run"),
    "no_new_privs": (True, "gaining rights through set-uid programs"),
    "non-dumpable": (True, "ptrace and /proc/PID/mem between runs of one user"),
}

_libc = ctypes.CDLL(None, use_errno=True)


class Refused(OSError):
    """A step of the lockdown failed; the child must end before any student code runs."""


@dataclass
class Wall:
    """The parts of the wall that all children share; `prepare` builds it.

    Attributes:
        state: mechanism -> (is it enforced, the attacks it stops).
        call_filter: the filter for system calls; None where there is no seccomp.
        readable_trees: folders and files that a submission may read.
        gpu_nodes: device files of the GPU that submissions run on; none: they run on the CPU.
        page_filter: the filter that keeps pages, see `keep`.
    """

    state: State
    call_filter: Program | None
    readable_trees: Collection[str] = ()
    gpu_nodes: Collection[str] = ()
    page_filter: Program | None = None

    def apply(
        self,
        descriptors: dict[int, int],
        directory: str,
        limits: dict[str, Any],
        uid: int | None,
        parent: int,
        *,
        yields: bool,
    ) -> float:
        """Lock this process down for good.

        Args:
            descriptors: number in the child -> number under which it was received.
            directory: the run's own directory, the only place where it may write.
            limits: ``memory_bytes`` (on top of what the warm process holds), ``cpu_seconds``, ``file_bytes``,
                ``open_files``, ``threads``.
            uid: user and group that no other run has; None when the warm process is not root.
            parent: process id of the warm process.
            yields: let the service run first.
        Returns: the seconds it took.
        Raises:
            OSError: a step failed.
        """
        began = time.monotonic()
        if len(os.listdir("/proc/self/task")) > 1:
            raise Refused("a library has started a thread: Landlock and seccomp would not hold for it")
        _arrange_descriptors(descriptors)
        os.setsid()
        os.umask(0o077)
        _die_first()
        if yields:
            _yield_cores()
        _limit_resources(limits, private_uid=uid is not None)
        if uid is not None:
            _become(uid, keeps_reading=not all(map(_open_to_all, self.readable_trees)))
        elif os.geteuid() == 0:
            raise Refused("the warm process is root and no user was given to this run")
        else:
            _keep_capabilities(0)  # in the ring the warm process has one in its own user namespace
        os.chdir(directory)
        _prctl(PR_SET_DUMPABLE, 0)  # after the change of user, which sets it again
        die_with(parent)
        _prctl(PR_SET_NO_NEW_PRIVS, 1)
        if self.state["landlock"][0]:
            self._restrict_files(directory)
        for program in (self.page_filter, self.call_filter):
            if program is not None:
                program.load()
        return time.monotonic() - began

    def hide(self, paths: Iterable[str]) -> None:
        """Make files and folders unreadable for this process and its children, for good.

        Called once, in the warm process, after it has read them. A child inherits this, however many rules it takes.
        """
        if not self.state["landlock"][0]:
            return
        _prctl(PR_SET_NO_NEW_PRIVS, 1)
        # Landlock only grants rights, so everything beside the hidden paths is granted. Only reading is ruled here.
        with landlockpy.Ruleset(handled_fs=READ_FILE, handled_net=AccessNet.NONE) as rules:
            for path in _without("/", {os.path.realpath(path) for path in paths}):
                with contextlib.suppress(FileNotFoundError):  # removed in the meantime
                    rules.allow_path(path, READ_FILE)
            rules.restrict()

    def keep(self, first: int, last: int) -> bool:
        """Let no child change the pages from one address up to another.

        Returns: False when there is no seccomp here, and the operator accepted that.
        """
        if self.call_filter is None:
            return False
        import kept_pages  # not above, for the same reason as the other filter

        self.page_filter = kept_pages.compile_filter(first, last)
        return True

    def _restrict_files(self, directory: str) -> None:
        # Built here and not before the fork: /proc/self is another process there.
        with landlockpy.Ruleset(scoped=Scope.ABSTRACT_UNIX_SOCKET | Scope.SIGNAL) as rules:
            for tree in self.readable_trees:
                rules.allow_path(tree, READ_TREE if os.path.isdir(tree) else READ_FILE)
            for file in SINGLE_FILES:
                if os.path.exists(file):
                    rules.allow_path(file, READ_FILE)
            rules.allow_path(directory, WRITE_TREE)
            if self.gpu_nodes:
                _allow_cuda(rules, self.gpu_nodes)
            rules.restrict()


def prepare(accepted_missing: Collection[str], gpu_nodes: Collection[str] = ()) -> Wall:
    """Find out what this host offers and build the parts that all children share. Called once, in the warm process.

    Args:
        accepted_missing: ``landlock``, ``seccomp`` or both: the operator agrees to run without these.
        gpu_nodes: device files of the GPU that submissions run on; none: they run on the CPU.
    Raises:
        Refused: one of them does not work here and was not accepted.
    """
    state = dict(EVERYWHERE)
    if os.getpid() == 1:  # bubblewrap is the parent. (Elsewhere it is a thread, which may end before its process.)
        _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        problem = own_proc.enter()
        state["a /proc of its own"] = (problem is None, f"seeing other runs{f': {problem}' if problem else ''}")
    _prctl(PR_SET_CHILD_SUBREAPER, 1)
    abi = landlockpy.abi_version()
    problem = "the kernel has no Landlock (5.13 or newer, with landlock in its list of LSMs)" if abi < 1 else None
    _require("landlock", problem, accepted_missing)
    call_filter = problem = None
    try:
        import seccomp_filter  # not above: without libseccomp it cannot be imported

        call_filter = seccomp_filter.compile_filter(gpu=bool(gpu_nodes))
    except OSError as exc:
        problem = f"seccomp cannot be used: {exc}"
    _require("seccomp", problem, accepted_missing)
    private_uid = os.geteuid() == 0
    lacks = _lacks(abi, has_filter=call_filter is not None)
    state["landlock"] = (abi >= 1, f"reading and writing files outside the run's own directory (ABI {abi}{lacks})")
    stops = "network, new processes, signals to others, every unneeded system call"
    state["seccomp"] = (call_filter is not None, stops)
    stops = "reaching files and processes of others" if private_uid else "(only where the service runs as root)"
    state["uid per run"] = (private_uid, stops)
    if abi < 1:
        return Wall(state, call_filter)
    return Wall(state, call_filter, tuple(_python_trees()), tuple(gpu_nodes))


def die_with(parent: int) -> None:
    """Have the kernel kill this process when its parent ends. Raises: Refused: it has ended already."""
    _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        raise Refused("the warm process is gone")


def _lacks(abi: int, *, has_filter: bool) -> str:
    """Describe what this version of Landlock does not restrict; seccomp stops it in every case."""
    younger = {3: "truncating", 4: "TCP", 5: "ioctl", 6: "signals and abstract sockets"}
    lacking = [what for since, what in younger.items() if abi < since]
    if not lacking:
        return ""
    return f", which leaves to seccomp: {', '.join(lacking)}" if has_filter else f", without {', '.join(lacking)}"


def _require(name: str, problem: str | None, accepted_missing: Collection[str]) -> None:
    if problem is not None and name not in accepted_missing:
        raise Refused(
            f"{problem}. Submissions would run without this part of the wall, so the box does not start. "
            f"An operator who accepts that sets LSTM_GRADER_ACCEPT_MISSING={name}"
        )


def _arrange_descriptors(targets: dict[int, int]) -> None:
    """Connect standard input to /dev/null, put the descriptors at their target numbers, and close everything else."""
    # To free numbers first: a received number may be a target too.
    moved = {number: fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, max(targets) + 1) for number, fd in targets.items()}
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for number, fd in moved.items():
        os.dup2(fd, number)
    os.closerange(max(targets) + 1, max(map(int, os.listdir("/proc/self/fd"))) + 1)


def _die_first() -> None:
    """Ask the kernel to kill the run, not the service, when memory runs out. Best effort, and no part of the wall."""
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w", encoding="ascii") as adjustment:
        adjustment.write("1000")


def _yield_cores() -> None:
    """Let the service run first where both want a core. Best effort, too.

    Linux may divide cores among sessions before it compares their processes, so the session yields as well.
    """
    with contextlib.suppress(OSError):
        os.nice(NICENESS)
    with contextlib.suppress(OSError), open("/proc/self/autogroup", "w", encoding="ascii") as session:
        session.write(str(NICENESS))


def _become(uid: int, *, keeps_reading: bool) -> None:
    """Become another user, without capabilities.

    One capability is kept where root's Python lies in a folder that only root may enter: it reads the files that
    Landlock allows.
    """
    if keeps_reading:
        _prctl(PR_SET_KEEPCAPS, 1)
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    _keep_capabilities(1 << CAP_DAC_READ_SEARCH if keeps_reading else 0)


def _keep_capabilities(kept: int) -> None:
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    # Effective, permitted and inheritable; the lower and then the upper 32 capabilities.
    sets = (ctypes.c_uint32 * 6)(kept, kept, 0, 0, 0, 0)
    if _libc.capset(header, sets) != 0:
        number = ctypes.get_errno()
        raise Refused(number, f"capset: {os.strerror(number)}")


def _open_to_all(path: str) -> bool:
    """Return whether every user may enter all folders down to `path`, and read it."""
    folders = [path] if os.path.isdir(path) else []
    while (path := os.path.dirname(path)) != "/":
        folders.append(path)
    return all(os.stat(folder).st_mode & 0o001 for folder in folders)


def _limit_resources(limits: dict[str, Any], *, private_uid: bool) -> None:
    # RLIMIT_AS would abort TensorFlow; RLIMIT_DATA counts private writable memory, threads' stacks included.
    # Higher than the supervisor's own limit, because programs that hit this one crash in many ways.
    _set_limit(resource.RLIMIT_DATA, _data_bytes() + limits["memory_bytes"] * 5 // 4)
    # The supervisor enforces CPU time; this is a fallback for when it cannot. Soft and hard limits are equal, so that
    # the kernel kills at once and there is no SIGXCPU to ignore.
    _set_limit(resource.RLIMIT_CPU, 2 * limits["cpu_seconds"])
    _set_limit(resource.RLIMIT_FSIZE, limits["file_bytes"])
    _set_limit(resource.RLIMIT_NOFILE, limits["open_files"])
    if private_uid:  # counts all processes of a user, so it fits only a run with its own user
        _set_limit(resource.RLIMIT_NPROC, most_threads(limits))
    _set_limit(resource.RLIMIT_SIGPENDING, QUEUED_SIGNALS)
    for none_of in (resource.RLIMIT_CORE, resource.RLIMIT_MEMLOCK, resource.RLIMIT_MSGQUEUE):
        _set_limit(none_of, 0)


def most_threads(limits: dict[str, Any]) -> int:
    """Add to the limit the threads that libraries start for each core by themselves (XLA: up to two)."""
    return int(limits["threads"]) + 2 * (os.cpu_count() or 1)


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


def _allow_cuda(rules: landlockpy.Ruleset, nodes: Collection[str]) -> None:
    for node in nodes:
        rules.allow_path(node, DEVICE | READ_TREE if os.path.isdir(node) else DEVICE)
    for tree in (*cuda.trees(), CPU_TREE):
        rules.allow_path(tree, READ_TREE)
    for file in filter(os.path.exists, cuda.READABLE_FILES):
        rules.allow_path(file, READ_FILE)
    rules.allow_path(cuda.OWN_THREADS, READ_FILE | AccessFS.WRITE_FILE)


def _python_trees() -> Iterator[str]:
    """Yield Python's own trees and the system's libraries, without ours: a submission needs nothing of the grader."""
    ours = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
    packages = [os.path.join(ours, name) for name in ("app", "grader", "reference")]
    paths = sysconfig.get_paths()
    trees = {paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    for tree in sorted({os.path.realpath(path) for path in (*trees, *SYSTEM_LIBRARIES)}):
        if os.path.isdir(tree):
            yield from _without(tree, packages)


def _without(tree: str, excluded: Collection[str]) -> Iterator[str]:
    """Yield `tree`, or its entries other than `excluded` where it holds one of them: Landlock can only grant."""
    if tree in excluded:
        return
    inside = [path for path in excluded if path.startswith(tree.rstrip(os.sep) + os.sep)]
    if not inside:
        yield tree
        return
    try:
        entries = sorted(entry.path for entry in os.scandir(tree) if not entry.is_symlink())
    except PermissionError:  # may be entered, but not listed
        depth = tree.rstrip(os.sep).count(os.sep) + 2
        entries = sorted({os.sep.join(path.split(os.sep)[:depth]) for path in inside})
    for entry in entries:
        yield from _without(entry, inside)


def _prctl(option: int, value: int) -> None:
    if _libc.prctl(option, value, 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise Refused(number, f"prctl({option}): {os.strerror(number)}")
