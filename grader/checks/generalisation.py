"""`generalisation`: equals Keras on hidden seeds and shapes."""

from __future__ import annotations

from grader.checks.evidence import Evidence, Verdict
from grader.outcomes import hard_coded_size


def generalisation(evidence: Evidence) -> Verdict:
    hidden = evidence.assignment.cases[1:]
    if not evidence.execution.answers:
        return Verdict.skipped("not_run")
    categories = {case.category: evidence.comparison(case.id).close for case in hidden}
    wrong = [case for case in hidden if not evidence.comparison(case.id).close]
    if not wrong:
        return Verdict.passed(categories=categories)
    details = {"categories": categories}
    if evidence.comparison(evidence.exercise).close:
        code = hard_coded_size(evidence.execution, evidence.assignment.cases[0], wrong)
        if code is not None:
            return Verdict.failed(code, {}, details)
    return Verdict.failed("wrong_on_hidden_cases", {"categories": [case.category for case in wrong]}, details)
