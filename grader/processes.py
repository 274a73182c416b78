"""Grades in separate processes: a service passes the box's output on, and never looks into it.

Decoding and judging hold the interpreter's lock for as long as a run makes them, and requests are answered under the
same lock. So a grade goes on in another process, one for each slot, all forks of one that has imported everything. The
sandbox, the references and the log stay here, and are asked for through its pipe.

Messages of a process are pickled: it runs our code alone, and has neither the environment nor the data of the service.
"""

import contextlib
import logging
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from grader.assignment import Assignment
from grader.errors import GraderError
from grader.pipeline import grade
from grader.report.artefacts import Sink
from grader.report.model import Report
from grader.sandbox import Kind, Limits, Outcome, Sandbox
from grader.submission import Submission
from reference import Case, CaseSpec, ReferenceStore
from reference.lstm.misconceptions import Table

MAIN = "from grader.processes import main; main()"
DYING_SECONDS = 2.0
# Memory limit of each process. A hostile answer of the largest size takes a third of it.
MEMORY_BYTES = 2 << 30


class GradeProcessLost(GraderError):
    """A grading process ended in the middle of a grade, by a fault of ours or of the host."""


class GradeProcesses:
    """Grades submissions, as many at a time as there are slots; they run while the context is entered.

    Args:
        sandbox, references: used in the threads that call.
        cache_dir: the references' folder.
    """

    def __init__(self, sandbox: Sandbox, references: ReferenceStore, cache_dir: Path, slots: int) -> None:
        self._sandbox = sandbox
        self._references = references
        self._cache_dir = cache_dir
        self._slots = slots
        self._lock = threading.Lock()
        self._idle: list[Connection] = []
        self._programs: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        self._idle = self._start(self._slots)
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        for process in self._programs:
            # A group of their own, so that Ctrl-C goes to the service only.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(DYING_SECONDS)
        for connection in self._idle:
            connection.close()

    def __call__(
        self,
        submission: Submission,
        assignment: Assignment,
        /,
        *,
        seed: bytes,
        progress: Callable[[str], None] | None = None,
        artefacts: Sink | None = None,
        beforehand: bool = False,
    ) -> Report:
        """Grade one submission as `grader.pipeline.grade` does.

        Raises:
            GradeProcessLost
        """
        connection = self._take()
        try:
            connection.send((submission, assignment, seed, artefacts is not None, beforehand))
            while True:
                what, *said = connection.recv()
                match what:
                    case "report":
                        break
                    case "failed":
                        raise said[0]
                    case "stage" if progress:
                        progress(*said)
                    case "artefact" if artefacts:
                        artefacts(*said)
                    case "log":
                        _log(*said)
                    case "run":
                        self._answer(connection, self._sandbox.run, *said)
                    case "load":
                        self._answer(connection, self._prepare, *said)
                    case "table":
                        self._answer(connection, self._prepare_table, *said)
        except (EOFError, ConnectionError) as exc:
            connection.close()
            raise GradeProcessLost("a process that grades has ended") from exc
        except BaseException:
            # In the middle of a conversation.
            connection.close()
            raise
        with self._lock:
            self._idle.append(connection)
        report: Report = said[0]
        return report

    def _take(self) -> Connection:
        with self._lock:
            while self._idle:
                connection = self._idle.pop()
                if not connection.poll():
                    return connection
                connection.close()  # It never speaks first, so it has ended.
        return self._start(1)[0]

    def _prepare(self, specs: Sequence[CaseSpec], digest: str) -> None:
        self._references.load(specs, digest=digest)

    def _prepare_table(self, case: Case) -> None:
        self._references.table(case)

    @staticmethod
    def _answer(connection: Connection, function: Callable[..., Any], *arguments: Any) -> None:
        try:
            answer = function(*arguments)
        except Exception as exc:  # As if it had been raised there.
            connection.send(exc)
            return
        if isinstance(answer, Outcome):
            # Sent separately, because pickling copies it under the lock.
            connection.send(answer.model_copy(update={"result": b""}))
            connection.send_bytes(answer.result)
        else:
            connection.send(answer)

    def _start(self, count: int) -> list[Connection]:
        """Start `count` processes without waiting for them."""
        pairs = [socket.socketpair() for _ in range(count)]
        theirs = [pair[1].fileno() for pair in pairs]
        with contextlib.ExitStack() as stack:
            for _, their in pairs:
                stack.enter_context(their)
            process = subprocess.Popen(
                [sys.executable, "-P", "-c", MAIN, str(self._cache_dir), *map(str, theirs)],
                # Our arrays are small: a second thread costs CPU time, and gains none.
                env={"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "OPENBLAS_NUM_THREADS": "1"},
                stdin=subprocess.DEVNULL,
                pass_fds=theirs,
                start_new_session=True,
            )
        with self._lock:
            self._programs = [each for each in self._programs if each.poll() is None] + [process]
        return [Connection(ours.detach()) for ours, _ in pairs]


def _log(record: logging.LogRecord) -> None:
    logger = logging.getLogger(record.name)
    if logger.isEnabledFor(record.levelno):
        logger.handle(record)


# --- in the process ---------------------------------------------------------------------------------------------------


def main() -> None:
    """Grade for whoever holds the other ends of these connections, a fork for each, until they close them."""
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_BYTES, MEMORY_BYTES))
    cache_dir, *fds = sys.argv[1:]
    for place, fd in enumerate(fds):
        if os.fork() == 0:
            for later in fds[place + 1 :]:
                os.close(int(later))
            with contextlib.suppress(EOFError, ConnectionError):
                _serve(Connection(int(fd)), Path(cache_dir))
            os._exit(0)
        os.close(int(fd))
    with contextlib.suppress(ChildProcessError):
        while True:
            os.wait()


def _serve(connection: Connection, cache_dir: Path) -> None:
    service = _Service(connection)
    references = _References(cache_dir, service)
    logging.basicConfig(level=logging.INFO, handlers=[_Forwarding(connection)], force=True)
    while True:
        submission, assignment, seed, keeps, beforehand = connection.recv()
        try:
            report = grade(
                submission,
                assignment,
                seed=seed,
                sandbox=service,
                references=references,
                progress=lambda stage: connection.send(("stage", stage)),
                artefacts=(lambda name, content: connection.send(("artefact", name, content))) if keeps else None,
                beforehand=beforehand,
            )
        except (EOFError, ConnectionError):
            raise
        except Exception as exc:
            exc.add_note(traceback.format_exc())
            connection.send(("failed", exc))
        else:
            connection.send(("report", report))


class _Service:
    """The service as seen from this process, which uses it as its sandbox."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def ask(self, *question: Any) -> Any:
        """Ask, and return the answer. Raises: the answer, where it is an exception."""
        self._connection.send(question)
        answer = self._connection.recv()
        if isinstance(answer, Exception):
            raise answer
        return answer

    def run(self, kind: Kind, request: bytes, limits: Limits) -> Outcome:
        outcome: Outcome = self.ask("run", kind, request, limits)
        return outcome.model_copy(update={"result": self._connection.recv_bytes()})


class _References(ReferenceStore):
    """The references that the service has built, read from its folder."""

    def __init__(self, cache_dir: Path, service: _Service) -> None:
        super().__init__(cache_dir)
        self._service = service
        self._known: set[object] = set()

    def load(self, specs: Sequence[CaseSpec], *, digest: str) -> tuple[Case, ...]:
        key = (digest, tuple(specs))
        if key not in self._known:
            self._service.ask("load", tuple(specs), digest)
            self._known.add(key)
        return super().load(specs, digest=digest)

    def table(self, case: Case) -> Table:
        if case.spec not in self._known:
            self._service.ask("table", case)
            self._known.add(case.spec)
        return super().table(case)


class _Forwarding(logging.Handler):
    def __init__(self, connection: Connection) -> None:
        super().__init__()
        self._connection = connection

    def emit(self, record: logging.LogRecord) -> None:
        facts = {**vars(record), "msg": record.getMessage(), "args": None, "exc_info": None}
        if record.exc_info:
            facts["traceback"] = logging.Formatter().formatException(record.exc_info)
        self._connection.send(("log", logging.makeLogRecord(facts)))
