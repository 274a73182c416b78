"""Starts the warm processes and talks to them.

    ForkSandbox.run          one thread per run; waits for a slot
      Zygote.run             sends the request's descriptors over the control socket, then drains this run's own pipes

A run has pipes of its own for result, stdout, stderr and for its supervisor's verdict, so runs never wait for one
another and no message has to be routed. A zygote that dies closes the verdict pipes of its runs: they are lost, which
says nothing about the submissions, and are run again on a new zygote.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import queue
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Collection, Iterator
from pathlib import Path
from types import TracebackType
from typing import IO

from grader.errors import RunLost, SandboxStartFailed, SandboxUnavailable
from grader.sandbox.limits import Limits
from grader.sandbox.outcome import Kind, Mechanism, Outcome

logger = logging.getLogger(__name__)

RUNNER = Path(__file__).resolve().parent.parent / "runner"
START_SECONDS = 120.0
# Beyond its own wall limit a run gets this long to be killed and buried; then its zygote is taken for wedged.
GRACE_SECONDS = 15.0
ATTEMPTS = 3
# Users that no account has: below 65536, so that they exist in user namespaces too.
UIDS = range(61000, 62000)
READ_SIZE = 65536


class Zygote:
    """One warm process. Started by the constructor, ready after `wait_ready`."""

    def __init__(self, kind: Kind, accept_missing: Collection[str] = ()) -> None:
        self.kind = kind
        self.facts: dict[str, str] = {}
        self.wall: dict[str, Mechanism] = {}
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._control = ours
        self._send_lock = threading.Lock()
        self._ready_lock = threading.Lock()
        self._ready = False
        with theirs:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-I", str(RUNNER / "zygote.py")),
                    *(kind.value, str(theirs.fileno()), ",".join(accept_missing)),
                ],
                env={},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )

    def wait_ready(self) -> None:
        """Block until it can fork.

        Raises:
            SandboxUnavailable: a part of the wall does not work on this host.
            SandboxStartFailed: it ended or did not answer in time; the message ends with what it printed.
        """
        with self._ready_lock:
            if self._ready:
                return
            self._control.settimeout(START_SECONDS)
            try:
                message = self._control.recv(65536)
            except TimeoutError:
                message = b""
            self._control.settimeout(None)
            if not message:
                self._process.kill()
                _, printed = self._process.communicate()
                tail = printed.decode("utf-8", "replace").strip()[-2000:]
                if tail.startswith("refused: "):
                    raise SandboxUnavailable(tail.removeprefix("refused: "))
                raise SandboxStartFailed(f"the {self.kind.value} process did not start: {tail or 'no answer in time'}")
            greeting = json.loads(message)
            self.facts = greeting["facts"]
            self.wall = {name: Mechanism(*state) for name, state in greeting["wall"].items()}
            self._ready = True
            # Nobody needs what a warm process prints from here on, but a full pipe would stop it.
            threading.Thread(target=_discard, args=[self._process.stderr], daemon=True).start()

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    @property
    def pid(self) -> int:
        return self._process.pid

    def close(self) -> None:
        """Close the control socket: the zygote ends its runs and itself."""
        self._control.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def run(self, request: bytes, limits: Limits, directory: str, uid: int | None) -> Outcome:
        """One request in one child, which works in `directory` as user `uid` (None: as we are).

        Raises:
            RunLost: the zygote died, or the child never got as far as the student's code.
        """
        run_id = uuid.uuid4().hex
        with contextlib.ExitStack() as stack:
            request_fd = _as_file(request)
            stack.callback(os.close, request_fd)
            pipes = {name: os.pipe() for name in ("status", "result", "stdout", "stderr")}
            for reader, _ in pipes.values():
                stack.callback(os.close, reader)
            order: dict[str, object] = {
                "run": run_id,
                "directory": directory,
                "uid": uid,
                "limits": limits.model_dump(),
            }
            fds = [pipes["status"][1], request_fd, *(pipes[name][1] for name in ("result", "stdout", "stderr"))]
            try:
                self._send(order, fds)
            finally:
                for _, writer in pipes.values():
                    os.close(writer)
            return self._drain(run_id, {name: reader for name, (reader, _) in pipes.items()}, limits)

    def _send(self, order: dict[str, object], fds: list[int]) -> None:
        try:
            with self._send_lock:
                socket.send_fds(self._control, [json.dumps(order).encode()], fds)
        except OSError as exc:
            raise RunLost(f"the {self.kind.value} process is gone: {exc}") from exc

    def _drain(self, run_id: str, readers: dict[str, int], limits: Limits) -> Outcome:
        caps = {"result": limits.result_bytes, "stdout": limits.log_bytes, "stderr": limits.log_bytes, "status": 65536}
        kept = {name: bytearray() for name in readers}
        seen = dict.fromkeys(readers, 0)
        deadline = time.monotonic() + 10 * limits.wall_seconds + GRACE_SECONDS
        flooded = False
        with selectors.DefaultSelector() as selector:
            for pipe, fd in readers.items():
                selector.register(fd, selectors.EVENT_READ, pipe)
            # A grandchild may hold the log pipes open: the verdict is the end, and what is in the pipes then is read.
            verdict_in = False
            while selector.get_map():
                events = selector.select(0 if verdict_in else 1.0)
                if verdict_in and not events:
                    break
                if not self.alive and not events:
                    raise RunLost(f"the {self.kind.value} process died during a run")
                if time.monotonic() > deadline:
                    self._process.send_signal(signal.SIGKILL)
                    raise RunLost(f"the {self.kind.value} process did not end a run in time")
                for key, _ in events:
                    name: str = key.data
                    chunk = os.read(key.fd, READ_SIZE)
                    if not chunk:
                        selector.unregister(key.fd)
                        verdict_in = verdict_in or name == "status"
                        continue
                    seen[name] += len(chunk)
                    kept[name] += chunk[: max(0, caps[name] - len(kept[name]))]
                    limit = limits.result_bytes if name == "result" else limits.flood_bytes
                    if seen[name] > limit and not flooded:
                        flooded = True
                        self._send({"kill": run_id, "reason": "output"}, [])
        if not kept["status"]:
            raise RunLost(f"the {self.kind.value} process died during a run")
        verdict = json.loads(kept["status"])
        if verdict.pop("refused"):
            raise SandboxUnavailable(
                f"the box did not close: {bytes(kept['stderr']).decode('utf-8', 'replace')[-500:]}"
            )
        return Outcome(
            result=bytes(kept["result"]),
            stdout=bytes(kept["stdout"]),
            stderr=bytes(kept["stderr"]),
            truncated=any(seen[name] > caps[name] for name in ("stdout", "stderr")),
            facts=self.facts,
            wall=[name for name, mechanism in self.wall.items() if mechanism.enforced],
            **verdict,
        )


def _discard(stream: IO[bytes]) -> None:
    with stream:
        while stream.read(READ_SIZE):
            pass


def _as_file(data: bytes) -> int:
    """The bytes in an anonymous file: unlike a pipe it has no limit and needs no writer."""
    fd = os.memfd_create("request", os.MFD_CLOEXEC)
    with open(fd, "wb", closefd=False) as file:
        file.write(data)
    return fd


class _UserPool:
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


class ForkSandbox:
    """The real sandbox: one zygote per kind, started on first need and replaced when it dies.

    Args:
        slots: how many runs may hold a core at once; None: as many as this process may use.
        accept_missing: parts of the wall (``landlock``, ``seccomp``) that the operator agrees to run without.
    """

    def __init__(self, slots: int | None = None, *, accept_missing: Collection[str] = ()) -> None:
        self.slots = len(os.sched_getaffinity(0)) if slots is None else slots
        if self.slots < 1:
            raise ValueError(f"slots is {slots}; at least 1 is needed")
        self._slots = threading.BoundedSemaphore(self.slots)
        self._lock = threading.Lock()
        self._zygotes: dict[Kind, Zygote] = {}
        self._closed = False
        if unknown := set(accept_missing) - {"landlock", "seccomp"}:
            raise ValueError(f"accept_missing names {', '.join(sorted(unknown))}; possible are landlock and seccomp")
        self._accept_missing = tuple(accept_missing)
        self._users = _UserPool(self.slots) if os.geteuid() == 0 else None
        self._directory = tempfile.mkdtemp(prefix="lstm-grader-")
        if self._users:
            Path(self._directory).chmod(0o711)  # runs have users of their own, and enter their folders by name

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

    def close(self) -> None:
        """End everything that runs here."""
        with self._lock:
            self._closed = True
            zygotes, self._zygotes = list(self._zygotes.values()), {}
        for zygote in zygotes:
            zygote.close()
        shutil.rmtree(self._directory, ignore_errors=True)
        if self._users:
            self._users.close()

    def run(self, kind: Kind, request: bytes, limits: Limits) -> Outcome:
        with self._slots, self._users.one() if self._users else contextlib.nullcontext() as uid:
            for attempt in range(1, ATTEMPTS + 1):
                directory = tempfile.mkdtemp(dir=self._directory)
                try:
                    zygote = self._zygote(kind)
                    zygote.wait_ready()
                    if uid is not None:
                        os.chown(directory, uid, uid)
                    return zygote.run(request, limits, directory, uid)
                except RunLost as exc:
                    logger.warning("run_lost", extra={"kind": kind.value, "attempt": attempt, "reason": str(exc)})
                    if attempt == ATTEMPTS or self._closed:
                        raise
                finally:
                    # Only ever removed: after the start nothing of ours opens or changes anything in there.
                    shutil.rmtree(directory, ignore_errors=True)
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
                zygote = self._zygotes[kind] = Zygote(kind, self._accept_missing)
            return zygote
