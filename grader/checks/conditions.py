"""Verdicts that several checks share."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from grader.diagnosis.evidence import Evidence, Verdict
from grader.task2 import Finding, Notebook


def equivalence_missing(evidence: Evidence) -> Verdict | None:
    """Return the verdict of a check that needs `equivalence`, where that earned nothing or was not reached."""
    if evidence.earned("equivalence"):
        return None
    equivalence = evidence.verdicts.get("equivalence")
    return Verdict.skipped("not_run" if equivalence and equivalence.code == "not_run" else "equivalence_not_earned")


def task2_verdict(evidence: Evidence, half: Callable[[Notebook], Finding]) -> Verdict:
    """Return the verdict on one half of Task 2. A model whose answer is constant has nothing to copy or to compare."""
    if evidence.notebook is None:
        return Verdict.skipped("not_run")
    answer = evidence.execution.answers.get(evidence.exercise)
    if answer is not None and answer.array is not None and not np.ptp(answer.array):
        return Verdict.skipped("equivalence_not_earned")
    finding = half(evidence.notebook)
    if finding.passed:
        return Verdict.passed(**finding.details)
    return Verdict.failed(finding.code or "not_run", finding.params, finding.details)
