"""User ids for runs: where the service is root, each run is a user that nobody else is."""

from __future__ import annotations

import contextlib
import queue
import socket
from collections.abc import Iterator

from grader.errors import SandboxUnavailable

# Users that no account has: systemd leaves these to nobody. Below 65536, so that they exist in user namespaces too.
UIDS = range(60706, 61184)


class UserPool:
    """User ids for runs, none of them in use by another sandbox on this host.

    The name of an abstract socket is the lock: the kernel gives it back when this process ends, however it ends.
    """

    def __init__(self, size: int) -> None:
        self._locks: list[socket.socket] = []
        self._free: queue.SimpleQueue[int] = queue.SimpleQueue()
        for uid in UIDS:
            lock = socket.socket(socket.AF_UNIX)
            try:
                lock.bind(f"\0lstm-grader-uid-{uid}")
            except OSError:
                lock.close()
                continue
            self._locks.append(lock)
            self._free.put(uid)
            if len(self._locks) == size:
                return
        raise SandboxUnavailable(f"the {len(UIDS)} user ids for runs are all in use")

    @contextlib.contextmanager
    def one(self) -> Iterator[int]:
        uid = self._free.get()
        try:
            yield uid
        finally:
            self._free.put(uid)

    def close(self) -> None:
        for lock in self._locks:
            lock.close()
