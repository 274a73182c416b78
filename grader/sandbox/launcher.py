"""The real sandbox: warm processes, slots, run folders, and another try for runs that were lost or killed by others."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections.abc import Collection
from types import TracebackType

from grader.errors import RunLost, RunStarved, SandboxClosed, SandboxStartFailed, SandboxUnavailable
from grader.sandbox import namespaces
from grader.sandbox.host.cores import available_cores
from grader.sandbox.host.device import CPU, Device, DeviceChoice, choose_device
from grader.sandbox.host.users import UserPool
from grader.sandbox.limits import Limits
from grader.sandbox.namespaces import find_ring, without_ring
from grader.sandbox.outcome import Mechanism, Outcome, Use
from grader.sandbox.requests import Kind
from grader.sandbox.run_folder import SandboxFolder, run_folder
from grader.sandbox.warm_process import Zygote

logger = logging.getLogger(__name__)

TRIES = 3
# The first may take three times its wall limit, the last eleven times.
STARVED_TRIES = 2
# Parts of the wall that an operator may do without, by name.
CAN_BE_MISSING = ("landlock", "seccomp", namespaces.NAME)


class ForkSandbox:
    """The real sandbox: one zygote per kind, started on first need and replaced when it dies.

    Args:
        slots: number of runs that may hold a core at once; None: one for each core of this process.
        accept_missing: parts of the wall that the operator agrees to run without (`CAN_BE_MISSING`). Namespaces are
            then not even tried, so a host without them is no problem.
        device: the device that runs submissions, see `choose_device`.
    Raises:
        SandboxUnavailable: this host lacks the device, a temporary directory or free user ids, or root may not give
            runs their users.
    """

    def __init__(
        self, slots: int | None = None, *, accept_missing: Collection[str] = (), device: DeviceChoice = "cpu"
    ) -> None:
        self.slots = available_cores() if slots is None else slots
        if not (isinstance(self.slots, int) and self.slots >= 1):
            raise ValueError(f"slots is {slots}; a whole number, at least 1, is needed")
        self._slots = threading.BoundedSemaphore(self.slots)
        self._lock = threading.Lock()
        self._zygotes: dict[Kind, Zygote] = {}
        self._closed = False
        if unknown := ", ".join(sorted(set(accept_missing) - set(CAN_BE_MISSING))):
            raise ValueError(f"accept_missing names {unknown}; possible are {', '.join(CAN_BE_MISSING)}")
        self._accept_missing = tuple(accept_missing)
        self.device = choose_device(device)
        self._users = UserPool(self.slots) if os.geteuid() == 0 else None
        self._folder = SandboxFolder()
        self._directory = self._folder.path
        if self._users:
            self._directory.chmod(0o711)  # runs have their own users, and enter their folders by name
            self._check_users(self._users)
        unwanted = namespaces.NAME in accept_missing
        self._ring = without_ring("the operator does without") if unwanted else find_ring(self._directory)

    def _check_users(self, users: UserPool) -> None:
        """Raises: SandboxUnavailable: a folder cannot be given to the user of a run."""
        try:
            with users.one() as uid, run_folder(self._directory, uid):
                pass
        except SandboxUnavailable:
            self.close()
            raise

    def __enter__(self) -> ForkSandbox:
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def warm_up(self, *kinds: Kind) -> None:
        """Start these warm processes side by side, and wait until they are ready."""
        try:
            for zygote in [self._zygote(kind) for kind in kinds]:
                zygote.wait_ready()
        except SandboxStartFailed:
            self._check_open()
            raise

    def start(self, *kinds: Kind) -> None:
        """Start these warm processes without waiting."""
        for kind in kinds:
            self._zygote(kind)

    def wall(self, kind: Kind = Kind.READER) -> dict[str, Mechanism]:
        """List the mechanisms around a child of this kind on this host: whether each is in force, and what it stops."""
        return self._ready(kind).wall

    def opens(self) -> dict[str, str]:
        """List the parts of the wall that the device opens for submissions, with reasons; nothing for the CPU."""
        return self._ready(Kind.KERAS3).opens if self.device.is_gpu else {}

    def pids(self) -> list[int]:
        """Return the process ids of the warm processes."""
        with self._lock:
            return [zygote.pid for zygote in self._zygotes.values()]

    def close(self) -> None:
        """End everything that runs here."""
        with self._lock:
            self._closed = True
            zygotes, self._zygotes = list(self._zygotes.values()), {}
        for zygote in zygotes:
            zygote.close()
        self._folder.remove()
        if self._users:
            self._users.close()

    def run(self, kind: Kind, request: bytes, limits: Limits) -> Outcome:
        """Run a request as `Sandbox.run` does.

        A lost run says nothing about the submission, and never has an outcome, even if that happens again. One that
        hardly ever had a core is tried once more, and then yields to nobody. A killed run may have killed itself: if it
        is killed every time, or has idled its time away, that counts as its own doing.
        """
        lost = killed = starved = 0
        used, idle = Use(), 0.0
        granted = limits
        with self._slots, self._users.one() if self._users else contextlib.nullcontext() as uid:
            while True:
                try:
                    outcome = self._try(kind, request, granted, uid, yields=not starved)
                    earlier, used = used, used.plus(outcome.use)
                    idle += outcome.idle_seconds
                    if outcome.killed_for == "starved":
                        starved += 1
                        raise RunStarved("the run hardly ever had a core")
                except (RunLost, SandboxStartFailed) as exc:
                    self._check_open()
                    lost += 1
                    logger.warning("run_lost", extra={"kind": kind.value, "try": lost, "reason": str(exc)})
                    if lost == TRIES or starved == STARVED_TRIES:
                        raise
                else:
                    killed += outcome.killed_by_others
                    left = limits.less_idle(idle)
                    if not outcome.killed_by_others or killed == TRIES or left is None:
                        return outcome.model_copy(update={"earlier": earlier, "idle_seconds": idle})
                    granted = left
                    logger.warning("run_killed_by_others", extra={"kind": kind.value, "try": killed})

    def _try(self, kind: Kind, request: bytes, limits: Limits, uid: int | None, *, yields: bool) -> Outcome:
        granted = limits.with_cuda() if self._device_of(kind).is_gpu else limits
        overhead = Use(granted.cpu_seconds - limits.cpu_seconds, granted.wall_seconds - limits.wall_seconds)
        zygote = self._ready(kind)
        with run_folder(self._directory, uid) as folder:
            outcome = zygote.run(request, granted, folder, uid, yields=yields)
        return outcome.model_copy(update={"overhead": overhead})

    def _ready(self, kind: Kind) -> Zygote:
        zygote = self._zygote(kind)
        zygote.wait_ready()
        return zygote

    def _zygote(self, kind: Kind) -> Zygote:
        with self._lock:
            self._check_open()
            zygote = self._zygotes.get(kind)
            if zygote is None or not zygote.alive:
                if zygote is not None:
                    logger.warning("zygote_replaced", extra={"kind": kind.value})
                    zygote.close()
                device = self._device_of(kind)
                # It is not known well enough which files CUDA needs in the ring.
                ring = without_ring("submissions run on a GPU") if device.is_gpu else self._ring
                try:
                    zygote = self._zygotes[kind] = Zygote(kind, ring, self._accept_missing, device)
                except OSError as exc:
                    raise SandboxStartFailed(f"the {kind.value} process cannot be started: {exc}") from exc
            return zygote

    def _check_open(self) -> None:
        if self._closed:
            raise SandboxClosed("the sandbox is closed")

    def _device_of(self, kind: Kind) -> Device:
        """Choose the CPU for reading files, so that they get none of the access that a GPU needs."""
        return CPU if kind is Kind.READER else self.device
