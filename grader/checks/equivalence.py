"""`equivalence`: equals Keras on the exercise's own input.

A wrong answer earns up to half of the points: an equal share for each of the `PARTS` that is right all the same, which
an exact diagnosis tells, or else the probes.
"""

from __future__ import annotations

import numpy as np

from grader.checks.evidence import Evidence, Verdict
from grader.execution import repeats_itself
from grader.report import Params
from reference.misconceptions import PARTS

PARTIAL = 0.5


def equivalence(evidence: Evidence) -> Verdict:
    params: Params
    answer = evidence.execution.answers.get(evidence.exercise)
    if answer is None:
        return Verdict.skipped("not_run")
    comparison = evidence.comparison(evidence.exercise)
    details: Params = {"max_abs_error": comparison.max_abs_error, "roles_from": evidence.execution.roles_from}
    if comparison.close:
        if evidence.exercise in evidence.execution.fresh_only:
            details["note"] = "not_fresh_instance"
        return Verdict.passed(**details)
    case = evidence.assignment.cases[0]
    expected = [case.batch, case.timesteps, case.units]
    if not comparison.same_shape:
        params = {"actual": answer.output.shape, "expected": expected, **evidence.execution.repair}
        return Verdict.failed("wrong_shape", params, details)
    parts = evidence.execution.parts
    if parts is None or not parts.roles:
        return Verdict.failed("parts_not_found", {"found": parts.found if parts else []}, details)
    divergence = comparison.first_divergence
    params = {"max_abs_error": comparison.max_abs_error}
    if divergence is not None:
        params |= divergence.model_dump(include={"timestep", "unit", "batch", "expected", "actual"})
    right = [part for part in PARTS if part in evidence.execution.right_parts]
    if right:
        params |= {"right": right}
    if evidence.execution.explanation is None and answer.array is not None and np.ptp(answer.array) > 0:
        params |= _localised(evidence, right)
    return Verdict.failed("wrong_values", params, details, earned=PARTIAL * len(right) / len(PARTS))


def _localised(evidence: Evidence, right: list[str]) -> Params:
    """Where to look when no known mistake gives the numbers."""
    if not repeats_itself(evidence.execution):
        return {"changes": True}
    wrong = [part for part in PARTS if part not in right] if right else []
    return {"unexplained": True, "wrong": wrong, **evidence.execution.repair}
