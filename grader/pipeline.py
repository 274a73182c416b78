"""Grades a submission: from the file to the report, top to bottom."""

import logging
from collections.abc import Sequence
from dataclasses import replace

from grader.assignment import Assignment
from grader.checks.equivalence import equivalence
from grader.checks.registry import run_checks
from grader.diagnosis.evidence import Evidence, Judgement
from grader.diagnosis.understanding import understand
from grader.errors import SandboxClosed, SandboxError
from grader.execution.execution import Execution
from grader.execution.reading import read
from grader.execution.runner import Runner
from grader.execution.stages import Progress, Stage, Stages
from grader.report.artefacts import Sink
from grader.report.model import Report
from grader.reporting.assembly import internal_error, report_on, unreadable
from grader.sandbox import BudgetedSandbox, Sandbox
from grader.submission import Submission
from grader.task2 import NotebookRunner, run_notebook
from reference import ReferenceMismatch, ReferenceStore, ReferenceUnavailable, file_seed, name_of
from reference.errors import ReferenceClosed

logger = logging.getLogger(__name__)


def grade(
    submission: Submission,
    assignment: Assignment,
    *,
    seed: bytes,
    sandbox: Sandbox,
    references: ReferenceStore,
    progress: Progress | None = None,
    artefacts: Sink | None = None,
    beforehand: bool = False,
) -> Report:
    """Grade one submission.

    Args:
        seed: decides, with the file's bytes, all numbers that are asked, `reference.SEED_BYTES` long; the same seed
            gives the same file the same grade, and whoever knows it knows the answers.
        artefacts: takes what is too large for a report: arrays for pictures, the source; None: nothing is kept.
        progress: called with ``reading``, ``reference``, ``running``, ``running_keras2``, ``notebook``,
            ``checking`` as each begins.
        beforehand: only check it, as far as the public case shows: nothing hidden is asked, and there are no points.

    Returns:
        A report, whatever the submission does. Our own failure is a report too: `internal_error` without points, so
        that nobody can mistake it for the student's zero.
    """
    stages = Stages(progress)
    seed = file_seed(seed, submission.sha256)
    specs, digest = [case.spec() for case in assignment.cases], assignment.digest
    if beforehand:
        assignment = assignment.beforehand()
    try:
        stages.begin(Stage.READING)
        reading = read(submission, assignment, sandbox)
        if reading.error is not None:
            return unreadable(submission, assignment, reading, stages, artefacts)
        stages.begin(Stage.REFERENCE)
        # All of them, because one file holds the answers to all.
        published = references.load(specs, digest=digest)[: len(assignment.cases)]
        box = BudgetedSandbox(sandbox, assignment.allowance)

        def run(generation: str) -> Execution:
            stages.begin(Stage.RUNNING if generation == first else Stage.RUNNING_KERAS2)
            return Runner(reading, assignment, published, seed, generation, box, references.table).run()

        def judge(execution: Execution) -> Judgement:
            understanding = understand(execution, references.table, assignment.tolerance, reading.formulas)
            evidence = Evidence(assignment, reading, execution, understanding)
            if assignment.has_task2 and execution.class_found is not None:
                stages.begin(Stage.NOTEBOOK)
                generation, roles, parts = execution.generation, execution.roles, execution.parts
                runner = NotebookRunner(reading, assignment, box, generation=generation, roles=roles, parts=parts)
                is_own = equivalence(evidence).earned > 0
                evidence = replace(evidence, notebook=run_notebook(runner, is_own=is_own))
            return run_checks(evidence)

        first = "2" if assignment.keras == "2" else "3"
        # Only the notebook's run sees Keras whole, so it comes after the runs whose answers count. Where it is the
        # notebook that needs Keras 2, its class is asked numbers there that no run before has seen.
        executions = [run(first)]
        may_differ = assignment.keras == "auto"
        if may_differ and executions[0].failed_early():
            executions.append(run("2"))
        judgements = [judge(execution) for execution in executions]
        if may_differ and len(executions) == 1 and (notebook := judgements[0].evidence.notebook) and notebook.raised:
            judgements.append(judge(run("2")))
        stages.begin(Stage.CHECKING)
        return report_on(submission, best(judgements), stages, artefacts, name_of(seed))
    except (SandboxError, ReferenceMismatch, ReferenceUnavailable) as exc:
        facts = {"submission_sha256": submission.sha256}
        if isinstance(exc, SandboxClosed | ReferenceClosed):
            logger.info("grading_ended", extra=facts)
        else:
            logger.exception("grading_failed", extra=facts)
        return internal_error(submission, assignment.id, assignment, exc)


def best(judgements: Sequence[Judgement]) -> Judgement:
    """Choose the run that earns most; among equals the one that got further, which says more about the mistake.

    Args:
        judgements: the one under Keras 3, and another one under Keras 2 where Keras 3 may be the problem.
    """

    def worth(run: Judgement) -> tuple[float, tuple[bool, bool, int]]:
        return run.points, run.evidence.execution.progress()

    first, chosen = judgements[0], max(judgements, key=worth)
    return chosen if chosen is first else replace(chosen, instead_of=first.evidence)
