"""A worker as `lstm-grader worker` is one, but that a grade takes as many seconds as the submission's only line says.

The point is its work on the queue; the box would cost a gigabyte for each.
"""

import contextlib
import time
from collections.abc import Iterator

from app import worker
from app.commands.shell import start_logging
from app.operations import engine as real_engine
from app.queue import Engine
from app.settings import Settings
from grader import Report, Status, Submission
from grader.assignment import Assignment
from grader.known_answer import correct_submission
from tests.unit.app.conftest import make_report


def grade(submission: Submission, assignment: Assignment, /, **_: object) -> Report:
    if submission != correct_submission():
        time.sleep(float(submission.content))  # Sleeps: as long as the submission says.
    return make_report(submission, assignment, Status.PASSED, 100.0)


@contextlib.contextmanager
def engine(*_: object, **__: object) -> Iterator[Engine]:
    yield grade


real_engine.warm_engine = engine
settings = Settings()
start_logging(settings)
worker.run(settings)
