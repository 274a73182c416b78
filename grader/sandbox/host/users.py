"""User ids for runs: where the service is root, each run has a user of its own."""

import contextlib
import queue
import socket
from collections.abc import Iterator

from grader.errors import SandboxUnavailable

# Ids that no account has: systemd leaves them unused. Below 65536, so that they exist in user namespaces too.
UIDS = range(60706, 61184)


class UserPool:
    """User ids for runs that no other sandbox on this host uses.

    An abstract socket's name is the lock: the kernel frees it when this process ends, however it ends.
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
