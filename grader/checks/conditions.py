"""The verdict that both checks of Task 2 share."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from grader.diagnosis.evidence import Evidence
from grader.report.finding import Verdict
from grader.task2 import Notebook


def task2_verdict(evidence: Evidence, half: Callable[[Notebook], Verdict]) -> Verdict:
    """Return the verdict on one half of Task 2. A model whose answer is constant has nothing to copy or to compare."""
    if evidence.notebook is None:
        return Verdict.skipped("not_run")
    answer = evidence.execution.answers.get(evidence.exercise)
    if answer is not None and answer.array is not None and not np.ptp(answer.array):
        return Verdict.skipped("equivalence_not_earned")
    return half(evidence.notebook)
