"""The real sandbox: warm processes, slots, run folders, and another try for runs that were lost."""

from __future__ import annotations

import contextlib
import logging
import os
import tempfile
import threading
from collections.abc import Collection
from pathlib import Path
from types import TracebackType

from grader.errors import RunLost, SandboxUnavailable
from grader.sandbox import namespaces
from grader.sandbox.limits import Limits
from grader.sandbox.namespaces import find_ring, without_ring
from grader.sandbox.outcome import Kind, Mechanism, Outcome
from grader.sandbox.run_folder import remove_folder, run_folder
from grader.sandbox.users import UserPool
from grader.sandbox.zygote import Zygote

logger = logging.getLogger(__name__)

ATTEMPTS = 3
# Parts of the wall that an operator may do without, by name.
CAN_BE_MISSING = ("landlock", "seccomp", namespaces.NAME)


class ForkSandbox:
    """The real sandbox: one zygote per kind, started on first need and replaced when it dies.

    Args:
        slots: how many runs may hold a core at once; None: as many as this process may use.
        accept_missing: parts of the wall that the operator agrees to run without (`CAN_BE_MISSING`). Namespaces are
            then not even tried: a host without them needs no such word.
    """

    def __init__(self, slots: int | None = None, *, accept_missing: Collection[str] = ()) -> None:
        self.slots = len(os.sched_getaffinity(0)) if slots is None else slots
        if self.slots < 1:
            raise ValueError(f"slots is {slots}; at least 1 is needed")
        self._slots = threading.BoundedSemaphore(self.slots)
        self._lock = threading.Lock()
        self._zygotes: dict[Kind, Zygote] = {}
        self._closed = False
        if unknown := set(accept_missing) - set(CAN_BE_MISSING):
            raise ValueError(
                f"accept_missing names {', '.join(sorted(unknown))}; possible are {', '.join(CAN_BE_MISSING)}"
            )
        self._accept_missing = tuple(accept_missing)
        self._users = UserPool(self.slots) if os.geteuid() == 0 else None
        self._directory = Path(tempfile.mkdtemp(prefix="lstm-grader-"))
        if self._users:
            self._directory.chmod(0o711)  # runs have users of their own, and enter their folders by name
        unwanted = namespaces.NAME in accept_missing
        self._ring = without_ring("the operator does without") if unwanted else find_ring(self._directory)

    def __enter__(self) -> ForkSandbox:
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def warm_up(self, *kinds: Kind) -> None:
        """Start these warm processes, side by side, and wait until they are ready."""
        for zygote in [self._zygote(kind) for kind in kinds]:
            zygote.wait_ready()

    def start(self, *kinds: Kind) -> None:
        """Start these warm processes and do not wait."""
        for kind in kinds:
            self._zygote(kind)

    def wall(self) -> dict[str, Mechanism]:
        """What is in force around a child of this host, and what is not."""
        zygote = self._zygote(Kind.READER)
        zygote.wait_ready()
        return zygote.wall

    def pids(self) -> list[int]:
        """Process ids of the warm processes."""
        with self._lock:
            return [zygote.pid for zygote in self._zygotes.values()]

    def close(self) -> None:
        """End everything that runs here."""
        with self._lock:
            self._closed = True
            zygotes, self._zygotes = list(self._zygotes.values()), {}
        for zygote in zygotes:
            zygote.close()
        remove_folder(self._directory)
        if self._users:
            self._users.close()

    def run(self, kind: Kind, request: bytes, limits: Limits) -> Outcome:
        with self._slots, self._users.one() if self._users else contextlib.nullcontext() as uid:
            for attempt in range(1, ATTEMPTS + 1):
                zygote = self._zygote(kind)
                zygote.wait_ready()
                with run_folder(self._directory, uid) as folder:
                    try:
                        return zygote.run(request, limits, folder, uid)
                    except RunLost as exc:
                        logger.warning("run_lost", extra={"kind": kind.value, "attempt": attempt, "reason": str(exc)})
                        if attempt == ATTEMPTS or self._closed:
                            raise
        raise AssertionError("unreachable")

    def _zygote(self, kind: Kind) -> Zygote:
        with self._lock:
            if self._closed:
                raise SandboxUnavailable("the sandbox is closed")
            zygote = self._zygotes.get(kind)
            if zygote is None or not zygote.alive:
                if zygote is not None:
                    logger.warning("zygote_replaced", extra={"kind": kind.value})
                    zygote.close()
                zygote = self._zygotes[kind] = Zygote(kind, self._ring, self._accept_missing)
            return zygote
