"""The verdict that both checks of Task 2 share."""

from collections.abc import Callable

from grader.diagnosis.evidence import Evidence
from grader.report.finding import Verdict
from grader.task2 import Notebook


def task2_verdict(evidence: Evidence, half: Callable[[Notebook], Verdict]) -> Verdict:
    """Return the verdict on one half of Task 2: it earns nothing for a class that computes nothing itself."""
    if evidence.notebook is None:
        return Verdict.skipped("not_run")
    verdict = half(evidence.notebook)
    return verdict if evidence.notebook.is_own or not verdict.earned else Verdict.skipped("no_own_answer")
