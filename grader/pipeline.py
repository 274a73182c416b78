"""Grades a submission: from the file to the report, top to bottom."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace

from grader.assignment import Assignment
from grader.checks.equivalence import equivalence
from grader.checks.registry import TASK2, run_checks
from grader.diagnosis.evidence import Evidence, Judgement
from grader.diagnosis.understanding import understand
from grader.errors import SandboxClosed, SandboxError
from grader.execution.reading import read
from grader.execution.runner import Runner
from grader.execution.stages import Progress, Stage, Stages
from grader.report.artefacts import Sink
from grader.report.model import Report
from grader.reporting.assembly import internal_error, report_on, unreadable
from grader.sandbox import BudgetedSandbox, Sandbox
from grader.submission import Submission
from grader.task2 import NotebookRunner, run_notebook
from reference import ReferenceMismatch, ReferenceStore, ReferenceUnavailable
from reference.errors import ReferenceClosed

logger = logging.getLogger(__name__)


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
        artefacts: takes what is too large for a report: arrays for pictures, the source; None: nothing is kept.
        progress: called with ``reading``, ``reference``, ``running``, ``notebook``, ``running_keras2``,
            ``checking`` as each begins.

    Returns:
        A report, whatever the submission does. Our own failure is a report too: `internal_error` without points, so
        that nobody can mistake it for the student's zero.
    """
    stages = Stages(progress)
    try:
        stages.begin(Stage.READING)
        reading = read(submission, assignment, sandbox)
        if reading.error is not None:
            return unreadable(submission, assignment, reading, stages, artefacts)
        stages.begin(Stage.REFERENCE)
        cases = references.load([case.spec() for case in assignment.cases], digest=assignment.digest)
        box = BudgetedSandbox(sandbox, assignment.allowance)
        runner = Runner(reading, assignment, cases, box, references.table)

        def judged(generation: str) -> Judgement:
            execution = runner.run(generation)
            understanding = understand(execution, cases, references.table, assignment.tolerance)
            evidence = Evidence(assignment, reading, execution, understanding)
            if not assignment.points.keys().isdisjoint(TASK2) and execution.class_found is not None:
                stages.begin(Stage.NOTEBOOK)
                notebook = NotebookRunner(reading, assignment, box, generation=generation, roles=execution.roles)
                is_own = equivalence(evidence).earned > 0
                evidence = replace(evidence, notebook=run_notebook(notebook, is_own=is_own))
            return run_checks(evidence)

        judgement = _best(judged, assignment.keras, stages)
        stages.begin(Stage.CHECKING)
        return report_on(submission, judgement, cases, stages, artefacts)
    except (SandboxError, ReferenceMismatch, ReferenceUnavailable) as exc:
        facts = {"submission_sha256": submission.sha256}
        if isinstance(exc, SandboxClosed | ReferenceClosed):
            logger.info("grading_ended", extra=facts)
        else:
            logger.exception("grading_failed", extra=facts)
        return internal_error(submission, assignment.id, assignment, exc)


def _best(judged: Callable[[str], Judgement], keras: str, stages: Stages) -> Judgement:
    """Run under the assignment's Keras. For ``auto``, run under Keras 2 too when Keras 3 may be the problem.

    Args:
        judged: runs the submission under a generation of Keras, and judges it.
    """
    stages.begin(Stage.RUNNING)
    first = judged("2" if keras == "2" else "3")
    if keras != "auto" or not _may_be_keras(first.evidence):
        return first
    stages.begin(Stage.RUNNING_KERAS2)
    other = judged("2")
    if better(first, other) is first:
        return first
    return Judgement(other.evidence, other.verdicts, instead_of=first.evidence)


def better(first: Judgement, other: Judgement) -> Judgement:
    """Choose the run that earns more. Of equal ones, the run that got further says more about the mistake."""

    def worth(run: Judgement) -> tuple[float, tuple[bool, bool, bool, int]]:
        return run.points, run.evidence.execution.came()

    return other if worth(other) > worth(first) else first


def _may_be_keras(evidence: Evidence) -> bool:
    """Return whether Keras 3 may have stopped the class, or the notebook's own copying."""
    notebook = evidence.notebook
    return evidence.execution.failed_early() or (notebook is not None and notebook.raised)
