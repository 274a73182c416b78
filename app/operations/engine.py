"""The engine in a process that grades, with the parts that it needs.

A service on SQLite and a worker on PostgreSQL grade with the same parts: threads that wait for processes, a sandbox
that is warm before the first student needs it, and a self-test. Only their queues differ.
"""

import contextlib
import logging
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor

from app.courses.assignments import Assignments
from app.operations.about import About
from app.operations.metrics import CountedSandbox, Metrics
from app.operations.sandbox import WARM, start_sandbox
from app.operations.selftest import SelfTest
from app.queue import Engine, Grading
from app.settings import Settings
from app.storage.database import Database
from app.submissions.uploads import DEFAULT_ASSIGNMENT
from grader import SandboxError
from grader.errors import SandboxClosed
from grader.processes import GradeProcesses
from grader.sandbox import ForkSandbox, Kind
from reference import ReferenceMismatch, ReferenceStore, ReferenceUnavailable
from reference.errors import ReferenceClosed

logger = logging.getLogger(__name__)


@contextlib.asynccontextmanager
async def grading_parts(
    settings: Settings,
    database: Database,
    assignments: Assignments,
    metrics: Metrics,
    about: About,
    engine: Engine | None = None,
    sandbox: ForkSandbox | None = None,
) -> AsyncIterator[tuple[Grading, SelfTest]]:
    """Yield the grading of claimed submissions, and the self-test of this process. Stop the queue before leaving.

    Args:
        about: receives the device, the wall and the self-test.
        engine: grades one submission; None: the engine with `sandbox`.
        sandbox: see `warm_engine`.
    Raises:
        SandboxUnavailable: this host lacks the device in the settings.
    """
    async with contextlib.AsyncExitStack() as stack:
        # Closed in reverse order: the sandbox ends the remaining runs, which frees the threads.
        # One more for the spare slot (`app.queue.slots`).
        threads = stack.enter_context(ThreadPoolExecutor(settings.slots + 1, thread_name_prefix="grade"))
        engine = engine or stack.enter_context(warm_engine(settings, assignments, metrics, about, sandbox))
        self_test = await stack.enter_async_context(
            SelfTest(engine, assignments[DEFAULT_ASSIGNMENT], threads, every_seconds=settings.self_test_seconds)
        )
        about.self_test = self_test
        yield Grading(database, assignments, engine, threads, [metrics.count_report, self_test.note_report]), self_test


@contextlib.contextmanager
def warm_engine(
    settings: Settings, assignments: Assignments, metrics: Metrics, about: About, sandbox: ForkSandbox | None = None
) -> Iterator[Engine]:
    """Yield the engine, which warms up in the background.

    Args:
        sandbox: from `start_sandbox`, closed at the end of the context; None: start one.
    """
    references = ReferenceStore(settings.cache_dir)
    sandbox = sandbox or start_sandbox(settings)
    processes = GradeProcesses(CountedSandbox(sandbox, metrics), references, settings.cache_dir, settings.slots)
    # The sandbox is closed first, which ends its runs, and with them the grades.
    with contextlib.closing(references), processes, sandbox:
        about.device = str(sandbox.device)
        warming = (sandbox, references, assignments, about)
        threading.Thread(target=_warm_up, args=warming, name="warm-up", daemon=True).start()
        yield processes


def _warm_up(sandbox: ForkSandbox, references: ReferenceStore, assignments: Assignments, about: About) -> None:
    """Import TensorFlow in the warm process and build the reference answers, before the first student needs them."""
    try:
        sandbox.warm_up(*WARM)
        about.wall = {name: each.enforced for name, each in sandbox.wall(Kind.KERAS3).items()}
        for assignment in assignments.values():
            references.prepare([case.spec() for case in assignment.cases], digest=assignment.digest)
    except (SandboxClosed, ReferenceClosed):
        logger.info("warm_up_ended")
    except (SandboxError, ReferenceMismatch, ReferenceUnavailable):
        logger.exception("warm_up_failed")
    else:
        logger.info("ready_to_grade")
