"""`statelessness`: a second call gives the same answer; nothing is kept between calls."""

from __future__ import annotations

import numpy as np

from grader.checks.evidence import Evidence, Verdict, equivalence_missing


def statelessness(evidence: Evidence) -> Verdict:
    if (skipped := equivalence_missing(evidence)) is not None:
        return skipped
    if evidence.execution.fresh_only:
        # Right on a model that was never called before, and wrong after: something was kept.
        return Verdict.failed("state_kept_between_calls")
    tolerance = evidence.assignment.tolerance
    for case_id, second in evidence.execution.repeats.items():
        first = evidence.execution.answers.get(case_id)
        if first is None or first.array is None or second.array is None or first.array.shape != second.array.shape:
            return Verdict.failed("state_kept_between_calls")
        difference = float(np.max(np.abs(first.array - second.array), initial=0.0))
        # Written with <= so that NaN is a difference.
        if not difference <= tolerance.atol + tolerance.rtol * float(np.max(np.abs(first.array), initial=0.0)):
            return Verdict.failed("differs_on_second_call", {"difference": difference})
        return Verdict.passed(difference=difference)
    return Verdict.failed("second_call_failed")
