"""Grades the text of a submission in the box that all files share."""

from collections.abc import Callable

import pytest

from grader.assignment import Assignment, load_assignments
from grader.pipeline import grade
from grader.report.model import Report
from grader.sandbox import ForkSandbox
from grader.submission import Submission
from reference import ReferenceStore
from tests.exercises import shorter

GradeSource = Callable[..., Report]
LAYER = load_assignments()["lstm-layer"]
SHORT = shorter(LAYER)


@pytest.fixture(scope="session")
def grade_source(sandbox: ForkSandbox, references: ReferenceStore, questions_seed: bytes) -> GradeSource:
    def run(source: str, assignment: Assignment = SHORT, *, keras: str = "3", box: ForkSandbox = sandbox) -> Report:
        under = assignment.model_copy(update={"keras": keras})
        submission = Submission("submission.py", source.encode())
        return grade(submission, under, seed=questions_seed, sandbox=box, references=references)

    return run
