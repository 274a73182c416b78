"""`generalisation`: equals Keras on hidden seeds and shapes."""

import re

from grader.diagnosis.evidence import Evidence
from grader.diagnosis.outcomes import hard_coded_size
from grader.execution.reading import Reading
from grader.report.finding import Finding, Verdict
from reference.lstm.misconceptions import PARTS

# The exercise's sizes, as its notebook writes them, and other sizes to try.
OTHERS = {"H_SIZE": "11", "32": "11", "EMB_SIZE": "7", "16": "7"}
SIZES = re.compile(r"\b(?:" + "|".join(OTHERS) + r")\b")


def generalisation(evidence: Evidence) -> Verdict:
    hidden = evidence.assignment.cases[1:]
    if not evidence.execution.answers:
        return Verdict.skipped("not_run")
    # An answer that is right for these numbers only is not an answer to the case.
    right = {case.id for case in hidden if evidence.comparison(case.id).close} - evidence.execution.known_by_heart
    categories = {case.category: case.id in right for case in hidden}
    wrong = [case for case in hidden if case.id not in right]
    if not wrong:
        return _at_the_edges(evidence, categories)
    details = {"categories": categories}
    if evidence.understanding.right_numbers(evidence.exercise):
        # The form has been reported already: only wrong numbers would be another mistake.
        different = [case for case in hidden if not evidence.understanding.right_numbers(case.id)]
        if not different and evidence.understanding.right_parts == frozenset(PARTS):
            return Verdict.failed(Finding.of("same_form_on_hidden_cases"), details)
        wrong = different or wrong
        problem = hard_coded_size(evidence, wrong)
        if problem is not None:
            return Verdict.failed(problem, details)
    answered = any(case.id in evidence.execution.answers for case in wrong)
    cause = Finding.of(
        "wrong_on_hidden_cases",
        categories=[case.category for case in wrong],
        call=_own_call(evidence.reading),
        variant="try" if answered else "raises",
    )
    return Verdict.failed(cause, details)


def _at_the_edges(evidence: Evidence, categories: dict[str, bool]) -> Verdict:
    """Judge answers to zeros, very large numbers, one row and one step, where all else is right."""
    # A model that is right only while fresh has a mistake of its own, and is no longer fresh here.
    edges = () if evidence.execution.fresh_only else evidence.execution.edges
    wrong = [
        (case, answer)
        for case, answer in edges
        if answer is None or not answer.compare(case, evidence.assignment.tolerance).close
    ]
    if not wrong:
        return Verdict.passed(categories=categories)
    names = [case.spec.category for case, _ in wrong]
    cause = Finding.of(
        "wrong_on_hidden_cases",
        categories=names,
        variant="edges" if all(answer is not None for _, answer in wrong) else "edges_raise",
    )
    return Verdict.failed(cause, {"categories": {**categories, **dict.fromkeys(names, False)}})


def _own_call(reading: Reading) -> str:
    """Write the student's own call of the class with other sizes."""
    if reading.call_site is None:
        return "LSTM(11)"
    keywords = (f"{name}={value}" for name, value in reading.call_site.kwargs.items())
    arguments = ", ".join([*reading.call_site.args, *keywords])
    return f"LSTM({SIZES.sub(lambda size: OTHERS[size[0]], arguments)})"
