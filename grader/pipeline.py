"""Grades a submission: from the file to the report, top to bottom."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace

from grader.assignment import Assignment
from grader.checks.registry import TASK2, run_checks
from grader.diagnosis.evidence import Evidence
from grader.diagnosis.understanding import understood
from grader.errors import SandboxClosed, SandboxError
from grader.execution.reading import Reading, read
from grader.execution.run import Execution, Runner
from grader.execution.stages import Progress, Stages
from grader.report.artefacts import Sink
from grader.report.model import Check, Report
from grader.reporting.assembly import internal_error, points_of, report_on, unreadable
from grader.sandbox import BudgetedSandbox, Sandbox
from grader.submission import Submission
from grader.task2 import NotebookRunner, run_notebook
from reference import ReferenceMismatch, ReferenceStore, ReferenceUnavailable
from reference.errors import ReferenceClosed

logger = logging.getLogger(__name__)

#: Runs the submission under one generation of Keras.
Run = Callable[[str], Execution]


def grade(
    submission: Submission,
    assignment: Assignment,
    *,
    sandbox: Sandbox,
    references: ReferenceStore,
    progress: Progress | None = None,
    artefacts: Sink | None = None,
) -> Report:
    """Grade one submission.

    Args:
        artefacts: takes the arrays for pictures, which are too large for a report; None: nothing is kept.
        progress: called with ``reading``, ``reference``, ``running``, ``notebook``, ``running_keras2``,
            ``checking`` as each begins.

    Returns:
        A report, whatever the submission does. Our own failure is a report too: `internal_error` without points, so
        that nobody can mistake it for the student's zero.
    """
    stages = Stages(progress)
    try:
        stages.begin("reading")
        reading = read(submission, assignment, sandbox)
        if reading.error is not None:
            return unreadable(submission, assignment, reading, stages)
        stages.begin("reference")
        cases = references.load([case.spec() for case in assignment.cases], digest=assignment.digest)
        box = BudgetedSandbox(sandbox, assignment.allowance)
        runner = Runner(reading, assignment, cases, box, references.table)

        def run(generation: str) -> Execution:
            return understood(runner.run(generation), cases, references.table, assignment.tolerance)

        evidence, checks = _run(run, reading, assignment, box, stages)
        stages.begin("checking")
        return report_on(submission, evidence, checks, cases, stages, artefacts)
    except (SandboxError, ReferenceMismatch, ReferenceUnavailable) as exc:
        facts = {"submission_sha256": submission.sha256}
        if isinstance(exc, SandboxClosed | ReferenceClosed):
            logger.info("grading_ended", extra=facts)
        else:
            logger.exception("grading_failed", extra=facts)
        return internal_error(submission, assignment.id, assignment, exc)


def _run(
    run: Run, reading: Reading, assignment: Assignment, sandbox: Sandbox, stages: Stages
) -> tuple[Evidence, list[Check]]:
    """Run under the assignment's Keras. For ``auto``, run under Keras 2 too when Keras 3 may be the problem."""
    stages.begin("running")
    best = _checked(run, "2" if assignment.keras == "2" else "3", reading, assignment, sandbox, stages)
    if assignment.keras == "auto" and _may_be_keras(best[0]):
        stages.begin("running_keras2")
        other = _checked(run, "2", reading, assignment, sandbox, stages)
        if better_run(best, other) is other:
            best = replace(other[0], instead_of=best[0]), other[1]
    return best


def better_run(
    first: tuple[Evidence, list[Check]], other: tuple[Evidence, list[Check]]
) -> tuple[Evidence, list[Check]]:
    """Choose the run that earns more. Of equal ones, the run that got further says more about the mistake."""

    def worth(run: tuple[Evidence, list[Check]]) -> tuple[float, tuple[bool, bool, bool, int]]:
        return points_of(run[1]), run[0].execution.came()

    return other if worth(other) > worth(first) else first


def _checked(
    run: Run, generation: str, reading: Reading, assignment: Assignment, sandbox: Sandbox, stages: Stages
) -> tuple[Evidence, list[Check]]:
    execution = run(generation)
    notebook = None
    if not assignment.points.keys().isdisjoint(TASK2) and execution.class_found is not None:
        stages.begin("notebook")
        notebook = run_notebook(
            NotebookRunner(reading, assignment, sandbox, generation=generation, roles=execution.roles)
        )
    evidence = Evidence(assignment, reading, execution, notebook=notebook)
    return evidence, run_checks(evidence)


def _may_be_keras(evidence: Evidence) -> bool:
    """Return whether Keras 3 may have stopped the class, or the notebook's own copying."""
    notebook = evidence.notebook
    return evidence.execution.failed_early() or (notebook is not None and notebook.raised)
