"""The trusted end of one warm process: starts it, sends it requests, and drains its output.

``grader/runner/zygote.py`` is that process itself. A run has its own pipes for its result, stdout, stderr and its
supervisor's verdict, so runs never wait for one another and no message has to be routed. A zygote that dies closes the
verdict pipes of its runs: they are lost, which says nothing about the submissions. A zygote that falls silent on them,
or loses one run after another, is killed.
"""

import contextlib
import json
import os
import select
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Collection, Mapping
from typing import IO

from grader.errors import RunLost, RunnerOutputInvalid, SandboxError, SandboxStartFailed, SandboxUnavailable
from grader.sandbox import namespaces, protocol
from grader.sandbox.host.device import CPU, Device
from grader.sandbox.limits import Limits
from grader.sandbox.namespaces import RUNNER, Ring
from grader.sandbox.outcome import Mechanism, Outcome
from grader.sandbox.pulse import Pulse
from grader.sandbox.requests import Kind

START_SECONDS = 120.0
DYING_SECONDS = 2.0
MOST_FAILURES = 3
READ_SIZE = 65536
# A run is over after its last answer. This is its time to say more; it counts against the run.
ENDING_SECONDS = 1.0
# A run that writes in small pieces wakes us for each, so after this many we let them gather. A pipe holds more than
# comes meanwhile, so the run never waits.
FREE_LOOKS = 500
GATHERING_SECONDS = 0.01
LITTLE = 16384
ENDED = "ended"
STATUS_BYTES = 2**20


class Zygote:
    """One warm process. The constructor starts it; it is ready after `wait_ready`."""

    def __init__(self, kind: Kind, ring: Ring, accept_missing: Collection[str] = (), device: Device = CPU) -> None:
        self.kind = kind
        self.device = device
        self._ring = ring
        self.facts: dict[str, str] = {}
        self.wall: dict[str, Mechanism] = {}
        self.opens: dict[str, str] = {}
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._control = ours
        self._send_lock = threading.Lock()
        self._ready_lock = threading.Lock()
        self._ready = False
        self._start_error: SandboxError | None = None
        self._failures = 0
        with theirs:
            self._process, self.pid = ring.start(
                [
                    *(sys.executable, "-I", str(RUNNER / "zygote.py")),
                    *(kind.value, str(theirs.fileno()), ",".join(accept_missing), ",".join(device.nodes)),
                ],
                theirs.fileno(),
                device.environment(),
            )

    def wait_ready(self) -> None:
        """Block until it can fork.

        Raises:
            SandboxUnavailable: a part of the wall does not work on this host.
            SandboxStartFailed: it ended or did not answer in time; the message ends with its output.
        """
        with self._ready_lock:
            if self._start_error:
                raise self._start_error
            if self._ready:
                return
            self._control.settimeout(START_SECONDS)
            silence = "it ended and printed nothing"
            try:
                message = self._control.recv(65536)
                self._control.settimeout(None)
            except TimeoutError:
                message, silence = b"", f"no answer within {START_SECONDS:g} s"
            except OSError:  # It was closed meanwhile.
                message = b""
            if not message:
                self._kill()
                _, printed = self._process.communicate()
                tail = printed.decode("utf-8", "replace").strip()[-2000:]
                if tail.startswith("refused: "):
                    self._start_error = SandboxUnavailable(tail.removeprefix("refused: "))
                else:
                    self._start_error = SandboxStartFailed(
                        f"the {self.kind.value} process did not start{self._ring.where}: {tail or silence}"
                    )
                raise self._start_error
            greeting = json.loads(message)
            self.facts = {**greeting["facts"], "device": str(self.device)}
            self.opens = greeting["opens"]
            self.wall = {name: Mechanism(*state) for name, state in greeting["wall"].items()}
            self.wall[namespaces.NAME] = self._ring.mechanism
            self._ready = True
            # The warm process's output is not needed any more, but a full pipe would stop it.
            threading.Thread(target=_discard, args=[self._process.stderr], daemon=True).start()

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def _kill(self) -> None:
        """End it and its runs."""
        if self.alive:
            with contextlib.suppress(ProcessLookupError):  # bubblewrap outlives it briefly and has reaped it
                os.kill(self.pid, signal.SIGKILL)
        try:
            self._process.wait(DYING_SECONDS)
        except subprocess.TimeoutExpired:  # bubblewrap was stopped, and notices nothing
            self._process.kill()

    def close(self) -> None:
        """Close the control socket: the zygote ends its runs and itself. A zygote that is still importing is killed."""
        # First, because a thread that waits for the greeting would not notice a closed descriptor.
        with contextlib.suppress(OSError):
            self._control.shutdown(socket.SHUT_RDWR)
        self._control.close()
        if not self._ready:
            self._kill()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._kill()
            self._process.wait()
        with self._ready_lock:  # Another thread may be reading its output.
            if not self._ready and self._process.stderr:
                self._process.stderr.close()

    def run(self, request: bytes, limits: Limits, directory: str, uid: int | None, *, yields: bool) -> Outcome:
        """Run one request in one child, which works in `directory` as user `uid` (None: as we are).

        Args: yields: let the service run first where both want a core.

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
            order = {"run": run_id, "directory": directory, "uid": uid, "yields": yields, "limits": limits.model_dump()}
            fds = [pipes["status"][1], request_fd, *(pipes[name][1] for name in ("result", "stdout", "stderr"))]
            try:
                self._send(order, fds)
            finally:
                for _, writer in pipes.values():
                    os.close(writer)
            return self._drain(run_id, {name: reader for name, (reader, _) in pipes.items()}, limits)

    def _send(self, order: Mapping[str, object], fds: list[int]) -> None:
        try:
            with self._send_lock:
                socket.send_fds(self._control, [json.dumps(order).encode()], fds)
        except OSError as exc:
            raise self._run_lost(f"is gone: {exc}") from exc

    def _run_lost(self, what: str) -> RunLost:
        """Make the exception for a lost run."""
        # A dying process is silent a moment before it counts as dead; the next try must not meet it again.
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(DYING_SECONDS)
        self._failures += 1
        if self._failures >= MOST_FAILURES:
            self._kill()
        return RunLost(f"the {self.kind.value} process {what}")

    def _drain(self, run_id: str, readers: dict[str, int], limits: Limits) -> Outcome:
        caps = dict.fromkeys(("stdout", "stderr"), limits.log_bytes)
        caps |= {"result": limits.result_bytes, "status": STATUS_BYTES}
        kept = {name: bytearray() for name in readers}
        totals = dict.fromkeys(readers, 0)
        frames = protocol.Frames(protocol.READING if self.kind is Kind.READER else protocol.EVENTS)
        pulse = Pulse(self.pid)
        flooded = False
        ended_at: float | None = None
        looks = 0
        with selectors.DefaultSelector() as selector:
            for pipe, fd in readers.items():
                selector.register(fd, selectors.EVENT_READ, pipe)
            # A grandchild may hold the log pipes open: the verdict is the end, and the pipes are then read as they are.
            verdict_in = False
            while selector.get_map():
                events = selector.select(0 if verdict_in else 1.0 if ended_at is None else ENDING_SECONDS)
                if verdict_in and not events:
                    break
                if not self.alive and not events:
                    raise self._run_lost("died during a run")
                heard = any(key.data == "status" for key, _ in events)
                if not (verdict_in or pulse.beats(heard) or _readable(readers["status"])):
                    self._kill()
                    raise self._run_lost("does not answer")
                looks += 1
                before = sum(totals.values())
                for key, _ in events:
                    name: str = key.data
                    chunk = os.read(key.fd, READ_SIZE)
                    if not chunk:
                        selector.unregister(key.fd)
                        verdict_in = verdict_in or name == "status"
                        continue
                    totals[name] += len(chunk)
                    kept[name] += chunk[: max(0, caps[name] - len(kept[name]))]
                    if name == "result" and ended_at is None and _has_ended(frames, kept["result"]):
                        ended_at = time.monotonic()
                    limit = limits.result_bytes if name == "result" else limits.flood_bytes
                    if totals[name] > limit and not flooded:
                        flooded = True
                        self._send({"kill": run_id, "reason": "output"}, [])
                if looks > FREE_LOOKS and not verdict_in and sum(totals.values()) - before < LITTLE:
                    time.sleep(GATHERING_SECONDS)
                if ended_at is not None and not verdict_in and time.monotonic() - ended_at > ENDING_SECONDS:
                    self._send({"kill": run_id, "reason": ENDED}, [])
        if not kept["status"].strip():
            raise self._run_lost("gave no verdict on a run")
        verdict = json.loads(kept["status"])
        # Any code can end with that exit code. But the runner speaks only once the wall is closed.
        refused, printed = verdict.pop("refused"), bytes(kept["stderr"]).decode("utf-8", "replace")[-500:]
        if self.device.is_gpu and not kept["result"]:
            # The runner speaks before it looks at a submission, so it was CUDA's start that failed.
            raise SandboxUnavailable(
                f"CUDA did not start (killed for {verdict['killed_for']}, exit code {verdict['exit_code']}): {printed}"
            )
        if refused and not kept["result"]:
            raise self._run_lost(f"could not close the box: {printed}")
        self._failures = 0
        if verdict["killed_for"] == ENDED:
            verdict |= {"killed_for": None, "exit_code": 0}
        return Outcome(
            result=bytes(kept["result"]),
            stdout=bytes(kept["stdout"]),
            stderr=bytes(kept["stderr"]),
            truncated=any(totals[name] > caps[name] for name in ("stdout", "stderr")),
            facts=self.facts,
            wall=[name for name, mechanism in self.wall.items() if mechanism.enforced],
            **verdict,
        )


def _has_ended(frames: protocol.Frames, answer: bytearray) -> bool:
    try:
        frames.follow(answer)
    except RunnerOutputInvalid:  # and will be so when it is decoded
        return False
    return frames.has_ended(answer)


def _readable(fd: int) -> bool:
    poll = select.poll()  # select() cannot handle descriptors above 1023
    poll.register(fd, select.POLLIN)
    return bool(poll.poll(0))


def _discard(stream: IO[bytes]) -> None:
    with stream:
        while stream.read(READ_SIZE):
            pass


def _as_file(data: bytes) -> int:
    """Put the bytes in an anonymous file: unlike a pipe it has no limit and needs no writer."""
    fd = os.memfd_create("request", os.MFD_CLOEXEC)
    with open(fd, "wb", closefd=False) as file:
        file.write(data)
    return fd
