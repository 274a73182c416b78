"""The checks of Task 2, which earn nothing for a class that computes nothing itself.

`weights_copied`: the notebook's own copying gave both models equal weights, in either direction.
`comparison`: the notebook's result depends on both answers, and shows errors of either sign.
"""

from dataclasses import replace

from grader.diagnosis.evidence import Evidence
from grader.diagnosis.exceptions import advised
from grader.report.finding import Verdict


def weights_copied(evidence: Evidence) -> Verdict:
    return _where_own(evidence, evidence.notebook.copying if evidence.notebook else None)


def comparison(evidence: Evidence) -> Verdict:
    return _where_own(evidence, evidence.notebook.comparison if evidence.notebook else None)


def _where_own(evidence: Evidence, half: Verdict | None) -> Verdict:
    if evidence.notebook is None or half is None:
        return Verdict.skipped("not_run")
    if half.finding is not None:
        half = replace(half, finding=advised(half.finding, evidence.reading))
    return half if evidence.notebook.is_own or not half.earned else Verdict.skipped("no_own_answer")
