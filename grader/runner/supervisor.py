"""Watches and ends the runs of a warm process, which its template forks (template.py).

It watches through pidfds and a poll of /proc and of their folders: time, memory, threads, disk, and processes that were
left behind. On each child's status pipe it sends a blank once a second before the verdict, as a sign of life.
"""

import errno
import json
import os
import re
import selectors
import signal
import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import lockdown
from starvation import Starvation, cpu_seconds, waits
from template import REFUSED_EXIT_CODE, Template

POLL_SECONDS = 0.02
BEAT_SECONDS = 1.0
# A poll that returns this late, though this process did not wait for a core, means that it was stopped (a paused
# container), and its children too.
PAUSE_SECONDS = 0.5
# A run that has waited for a core this many times its wall limit is ended, to be tried again.
STARVED_FACTOR = 2
# The last try waits for longer: an endless loop that gets a hundredth of a core uses up its CPU time meanwhile, and has
# its verdict. Ended earlier, it would count as a failure of ours.
LAST_STARVED_FACTOR = 33
# In /proc/PID/status, in the kernel's order. Swapped-out memory counts, and so do page tables: touching one page in
# every 2 MiB of a read-only mapping takes a gigabyte of them in a second, and nothing else shows it.
USE = re.compile(
    rb"\nRssAnon:\s*(?P<anonymous>\d+) kB\n.*?\nRssShmem:\s*(?P<shared>\d+) kB\n.*?\nVmPTE:\s*(?P<tables>\d+) kB\n"
    rb"VmSwap:\s*(?P<swapped>\d+) kB\n.*?\nThreads:\s*(?P<threads>\d+)\n",
    re.DOTALL,
)
STATUS_BYTES = 4096
DEEPEST_FOLDER = 15


@dataclass
class Child:
    """One running submission, from its supervisor's view."""

    pid: int
    pidfd: int
    proc_fd: int
    status_fd: int
    folder_fd: int
    limits: dict[str, Any]
    started: float
    base_memory: int
    starved_factor: int
    paused: float = 0.0
    starvation: Starvation = field(default_factory=Starvation)
    reason: str | None = None

    def elapsed(self) -> float:
        """Return the seconds since it began, without paused time."""
        return time.monotonic() - self.started - self.paused

    def own_seconds(self) -> float:
        """Return the seconds in which it had a core, as far as is known."""
        return self.elapsed() - self.starvation.seconds

    def miss(self) -> float:
        """Add the time missed since the last look. Returns: `own_seconds`, now exact."""
        self.starvation.look(self.elapsed(), cpu_seconds(self.pid), waits(self.pid))
        return self.own_seconds()


class Supervisor:
    """Watches the runs of one warm process; single-threaded.

    Args:
        template: forks and collects them.
        strays: a run can leave processes behind, because there is no seccomp.
    """

    def __init__(self, control: socket.socket, template: Template, *, strays: bool) -> None:
        self._control = control
        self._template = template
        self._strays = strays
        # Before a run has done anything, the memory of the template is its own.
        with open(f"/proc/{template.pid}/status", "rb") as status:
            self._base_memory, _ = _memory_and_threads(status.fileno()) or (0, 0)
        self._selector = selectors.DefaultSelector()
        self._selector.register(control, selectors.EVENT_READ)
        self._children: dict[str, Child] = {}
        self._next_beat = 0.0

    def serve(self) -> None:
        """Serve until the trusted side closes its end; then nothing is left running."""
        looked, waited = time.monotonic(), _own_wait()
        while True:
            events = self._selector.select(POLL_SECONDS if self._children else None)
            late, looked = time.monotonic() - looked, time.monotonic()
            before, waited = waited, _own_wait()
            late -= waited - before
            if late > PAUSE_SECONDS:
                for child in self._children.values():
                    child.paused += late
            for key, _ in events:
                if key.data is not None:
                    self._bury(key.data)
                elif not self._receive():
                    for child in self._children.values():
                        signal.pidfd_send_signal(child.pidfd, signal.SIGKILL)
                    return
            for child in self._children.values():
                self._check(child)
            if looked > self._next_beat:
                self._next_beat = looked + BEAT_SECONDS
                self._beat()

    def _receive(self) -> bool:
        message, fds, _, _ = socket.recv_fds(self._control, 65536, 8)
        if not message:
            return False
        order = json.loads(message)
        if "kill" in order:
            child = self._children.get(order["kill"])
            if child:
                self._kill(child, order["reason"])
            return True
        status_fd, *child_fds = fds
        self._start(order, status_fd, child_fds)
        for fd in child_fds:
            os.close(fd)
        return True

    def _start(self, order: dict[str, Any], status_fd: int, child_fds: Sequence[int]) -> None:
        os.set_blocking(status_fd, False)  # a reader that does not read must not block this process
        try:
            folder_fd = os.open(order["directory"], os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except OSError:
            pid = None
        else:
            # The wall time that is left of a budget would tell how long the earlier runs of a submission took.
            limits = {name: value for name, value in order["limits"].items() if name != "wall_seconds"}
            passed_on = {name: order[name] for name in ("directory", "uid", "yields")} | {"limits": limits}
            message = json.dumps(passed_on).encode()
            pid = self._template.fork(message, child_fds, lambda: self._beat(status_fd))
            if pid is None:
                os.close(folder_fd)
        if pid is None:  # no folder or no process: without a verdict the trusted side counts the run as lost
            os.close(status_fd)
            return
        pidfd = os.pidfd_open(pid)
        proc_fd = os.open(f"/proc/{pid}/status", os.O_RDONLY)
        # Only the last try yields to nobody.
        factor = STARVED_FACTOR if order["yields"] else LAST_STARVED_FACTOR
        watched, began, memory = (pid, pidfd, proc_fd, status_fd, folder_fd), time.monotonic(), self._base_memory
        child = Child(*watched, order["limits"], began, memory, factor)
        self._children[order["run"]] = child
        self._selector.register(pidfd, selectors.EVENT_READ, order["run"])

    def _beat(self, *starting: int) -> None:
        """Give all runs, and those whose status descriptors these are, their sign of life."""
        for child in self._children.values():
            child.miss()
            if not _tell(child.status_fd, b" "):
                self._kill(child, None)
        for status_fd in starting:
            _tell(status_fd, b" ")

    def _check(self, child: Child) -> None:
        limits = child.limits
        use = _memory_and_threads(child.proc_fd)
        if use is None:
            # The main thread has ended. If others go on without it, their memory can no longer be measured.
            self._kill(child, None)
            return
        memory, threads = use
        if memory - child.base_memory > limits["memory_bytes"]:
            self._kill(child, "memory")
        elif cpu_seconds(child.pid) > limits["cpu_seconds"]:
            self._kill(child, "cpu")
        elif child.own_seconds() > limits["wall_seconds"] and child.miss() > limits["wall_seconds"]:
            self._kill(child, "wall")
        elif child.starvation.seconds > child.starved_factor * limits["wall_seconds"]:
            self._kill(child, "starved")
        elif threads > lockdown.most_threads(limits):
            self._kill(child, "threads")
        elif _fills_disk(child.folder_fd, limits["disk_bytes"], limits["disk_files"]):
            self._kill(child, "disk")

    def _kill(self, child: Child, reason: str | None) -> None:
        if child.reason is None:
            child.reason = reason
            signal.pidfd_send_signal(child.pidfd, signal.SIGKILL)

    def _bury(self, run: str) -> None:
        child = self._children.pop(run)
        self._selector.unregister(child.pidfd)
        for fd in (child.pidfd, child.proc_fd, child.folder_fd):
            os.close(fd)
        code, cpu = self._template.wait(child.pid, lambda: self._beat(child.status_fd))
        if self._strays:
            self._end_strays()
        if child.reason is None and code == -signal.SIGKILL and cpu > child.limits["cpu_seconds"]:
            child.reason = "cpu"  # by the kernel (RLIMIT_CPU), before this process came to it
        verdict = {
            "exit_code": code,
            "killed_for": child.reason,
            "refused": code == REFUSED_EXIT_CODE,
            "cpu_seconds": cpu,
            "wall_seconds": time.monotonic() - child.started,
            "missed_seconds": child.paused + child.starvation.seconds,
            "idle_seconds": child.starvation.idle_seconds,
        }
        _tell(child.status_fd, json.dumps(verdict).encode())
        os.close(child.status_fd)

    def _end_strays(self) -> None:
        """Kill what a child started and left behind, which only a run without seccomp can.

        As the nearest subreaper this process became its parent. Processes that die slowly are collected after a later
        run.
        """
        with open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii") as children:
            strays = {int(pid) for pid in children.read().split()} - {self._template.pid}
        for pid in strays:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, os.WNOHANG)


def _own_wait() -> float:
    """Return the seconds for which this process was ready to run and had no core."""
    return sum(waits(os.getpid()).values())


def _tell(status_fd: int, message: bytes) -> bool:
    """Send a message. Returns: False when the trusted side gave this run up."""
    try:
        os.write(status_fd, message)
    except BlockingIOError:
        pass
    except BrokenPipeError:
        return False
    return True


def _memory_and_threads(proc_fd: int) -> tuple[int, int] | None:
    """Return the memory of a process in bytes, and its threads; None when its main thread has ended.

    Args:
        proc_fd: its /proc/PID/status. It stays open: opening it takes longer than reading, and this is done fifty times
            a second. A child that was not waited for keeps it. (smaps would take 50 ms.)
    """
    use = USE.search(os.pread(proc_fd, STATUS_BYTES, 0))
    if use is None:
        return None
    *memory, threads = map(int, use.groups())
    return sum(memory) * 1024, threads


def _fills_disk(folder: int, most_bytes: int, most_files: int) -> bool:
    """Return whether a folder holds more than a run may write; counting stops there.

    No link is followed, and there is none: a run can make plain files and folders, and neither move nor remove them.
    """
    try:
        size = 0
        for files, info in enumerate(_entries(folder), start=1):
            size += max(info.st_size, 512 * info.st_blocks)
            if size > most_bytes or files > most_files:
                return True
    except FileNotFoundError:  # only without seccomp: something was removed meanwhile; the next poll counts again
        return False
    except OSError:  # a folder that cannot be counted is too full
        return True
    return False


def _entries(folder: int) -> Iterator[os.stat_result]:
    """Yield everything below an open folder. Raises: OSError: a folder is nested too deeply, or cannot be read."""
    pending = ["."]
    while pending:
        path = pending.pop()
        if path.count("/") > DEEPEST_FOLDER:
            raise OSError(errno.ENAMETOOLONG, path)
        inner = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
        try:
            with os.scandir(inner) as entries:
                for entry in entries:
                    yield entry.stat(follow_symlinks=False)
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(f"{path}/{entry.name}")
        finally:
            os.close(inner)
