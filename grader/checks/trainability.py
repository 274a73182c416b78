"""`trainability`: gradients reach every kernel, recurrent kernel and bias, through time."""

from __future__ import annotations

from grader.checks.evidence import Evidence, Verdict, equivalence_missing


def trainability(evidence: Evidence) -> Verdict:
    if (skipped := equivalence_missing(evidence)) is not None:
        return skipped
    gradients = evidence.execution.gradients
    if gradients is None:
        return Verdict.failed("gradient_failed")
    unreached = sorted(name for name, largest in gradients.reach.items() if not largest)
    if len(unreached) == len(gradients.reach):
        return Verdict.failed("gradient_missing", {"variant": "all"}, {"roles": unreached})
    if unreached:
        return Verdict.failed("gradient_missing", {"roles": unreached})
    if not gradients.first_timestep:
        return Verdict.failed("gradient_truncated")
    return Verdict.passed(weights=len(gradients.reach))
