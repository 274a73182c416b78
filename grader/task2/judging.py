"""Runs the notebook and judges both halves of Task 2."""

from __future__ import annotations

from dataclasses import dataclass

from grader.execution.limits import limit_status
from grader.report.finding import Verdict
from grader.task2.comparing import judge_comparison
from grader.task2.copying import best_pair, judge_copying
from grader.task2.runs import NotebookRunner


@dataclass(frozen=True)
class Notebook:
    """Both halves of Task 2.

    `raised`: something is wrong, and a statement that uses the models failed or ran out of time. The Keras generation
    may be the reason.
    """

    copying: Verdict
    comparison: Verdict
    raised: bool = False


def run_notebook(runner: NotebookRunner) -> Notebook:
    """Run the notebook, and judge its own copying and comparison.

    Raises:
        SandboxError: the box failed.
    """
    clean = runner.run()
    raised = any((use := clean.use(statement)) is not None and use.sides for statement in clean.failed)
    killed = clean.outcome.killed_for is not None
    copying = judge_copying(clean)
    comparison = judge_comparison(clean, best_pair(clean), runner.run)
    if limit := limit_status(clean.outcome):
        # A part that the notebook did not reach is not wrong.
        copying, comparison = (half if half.earned else Verdict.failed(limit[1]) for half in (copying, comparison))
    right = bool(copying.earned and comparison.earned)
    return Notebook(copying, comparison, raised=(raised or killed) and not right)
