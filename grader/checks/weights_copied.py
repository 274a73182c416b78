"""`weights_copied`: the notebook's own copying gave both models equal weights, in either direction."""

from grader.checks.conditions import task2_verdict
from grader.diagnosis.evidence import Evidence
from grader.report.finding import Verdict


def weights_copied(evidence: Evidence) -> Verdict:
    return task2_verdict(evidence, lambda notebook: notebook.copying)
