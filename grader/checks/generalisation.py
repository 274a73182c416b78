"""`generalisation`: equals Keras on hidden seeds and shapes."""

from __future__ import annotations

from grader.checks.evidence import Evidence, Verdict
from grader.outcomes import hard_coded_size
from reference.misconceptions import PARTS


def generalisation(evidence: Evidence) -> Verdict:
    hidden = evidence.assignment.cases[1:]
    if not evidence.execution.answers:
        return Verdict.skipped("not_run")
    categories = {case.category: evidence.comparison(case.id).close for case in hidden}
    wrong = [case for case in hidden if not evidence.comparison(case.id).close]
    if not wrong:
        return Verdict.passed(categories=categories)
    details = {"categories": categories}
    if evidence.execution.right_numbers(evidence.exercise):
        # What is wrong with the form was said before: only wrong numbers are another mistake.
        different = [case for case in hidden if not evidence.execution.right_numbers(case.id)]
        if not different and evidence.execution.right_parts == frozenset(PARTS):
            return Verdict.failed("same_form_on_hidden_cases", {}, details)
        wrong = different or wrong
        code = hard_coded_size(evidence.execution, evidence.assignment.cases[0], wrong)
        if code is not None:
            return Verdict.failed(code, {}, details)
    return Verdict.failed("wrong_on_hidden_cases", {"categories": [case.category for case in wrong]}, details)
