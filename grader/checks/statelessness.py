"""`statelessness`: a second call gives the same answer; nothing is kept between calls."""

from grader.diagnosis.evidence import Evidence
from grader.report.finding import Finding, Verdict


def statelessness(evidence: Evidence) -> Verdict:
    if evidence.execution.fresh_only:
        # Right on a model that was never called before, and wrong later: the model kept something.
        return Verdict.failed(Finding.of("state_kept_between_calls"))
    tolerance = evidence.assignment.tolerance
    for case_id, second in evidence.execution.repeats.items():
        first = evidence.execution.answers.get(case_id)
        difference = first.difference(second) if first is not None else None
        if first is None or difference is None:
            return Verdict.failed(Finding.of("state_kept_between_calls"))
        # Written with <= so that NaN counts as a difference.
        if not difference <= tolerance.atol + tolerance.rtol * first.magnitude:
            return Verdict.failed(Finding.of("differs_on_second_call", difference=difference))
        return Verdict.passed(difference=difference)
    return Verdict.failed(Finding.of("second_call_failed"))
