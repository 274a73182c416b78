"""Runs the notebook and judges both halves of Task 2."""

from __future__ import annotations

from grader.execution.limits import limit_status
from grader.task2.comparing import judge_comparison
from grader.task2.copying import best_pair, judge_copying
from grader.task2.finding import Finding, Notebook
from grader.task2.runs import NotebookRunner


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
        copying, comparison = (half if half.passed else Finding(False, *limit[1]) for half in (copying, comparison))
    right = copying.passed and comparison.passed
    return Notebook(copying, comparison, raised=(raised or killed) and not right)
