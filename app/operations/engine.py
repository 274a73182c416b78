"""The engine in a process of the service: one sandbox, warm before the first student needs it."""

from __future__ import annotations

import contextlib
import functools
import logging
import threading
from collections.abc import Iterator, Mapping

from app.operations.metrics import CountedSandbox, Metrics
from app.queue import Grade
from app.settings import Settings
from grader import Assignment, SandboxError, grade
from grader.errors import SandboxClosed
from grader.sandbox import ForkSandbox, Kind
from reference import ReferenceMismatch, ReferenceStore, ReferenceUnavailable
from reference.errors import ReferenceClosed

logger = logging.getLogger(__name__)


@contextlib.contextmanager
def warm_engine(settings: Settings, assignments: Mapping[str, Assignment], metrics: Metrics) -> Iterator[Grade]:
    """Give the engine, with a sandbox that lives as long as the context and warms up in the background."""
    references = ReferenceStore(settings.cache_dir)
    with (
        contextlib.closing(references),
        ForkSandbox(settings.slots, accept_missing=settings.missing_parts, device=settings.device) as sandbox,
    ):
        logger.info("device_chosen", extra={"device": str(sandbox.device), "reason": sandbox.device.reason})
        threading.Thread(target=_warm_up, args=(sandbox, references, assignments), name="warm-up", daemon=True).start()
        counted = CountedSandbox(sandbox, metrics)
        yield functools.partial(grade, sandbox=counted, references=references)


def _warm_up(sandbox: ForkSandbox, references: ReferenceStore, assignments: Mapping[str, Assignment]) -> None:
    """Import TensorFlow in the warm process and build the reference answers, before the first student needs them."""
    try:
        # The process for Keras 2 starts when a submission needs it.
        sandbox.warm_up(Kind.READER, Kind.KERAS3)
        for assignment in assignments.values():
            references.prepare([case.spec() for case in assignment.cases], digest=assignment.digest)
    except (SandboxClosed, ReferenceClosed):
        logger.info("warm_up_ended")
    except (SandboxError, ReferenceMismatch, ReferenceUnavailable):
        logger.exception("warm_up_failed")
    else:
        logger.info("ready_to_grade")
