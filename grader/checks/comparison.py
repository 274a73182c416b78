"""`comparison`: the notebook's result depends on both answers, and shows errors of either sign."""

from grader.checks.conditions import task2_verdict
from grader.diagnosis.evidence import Evidence
from grader.report.finding import Verdict


def comparison(evidence: Evidence) -> Verdict:
    return task2_verdict(evidence, lambda notebook: notebook.comparison)
