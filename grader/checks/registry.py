"""The checks by name, in the order in which they run and are reported.

`own_work` is a gate, so it runs first; the others read its verdict. `statelessness` and `trainability` also read
the verdict of `equivalence`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from grader.assignment import CheckId
from grader.checks.comparison import comparison
from grader.checks.contract import contract
from grader.checks.equivalence import equivalence
from grader.checks.generalisation import generalisation
from grader.checks.own_work import own_work
from grader.checks.statelessness import statelessness
from grader.checks.trainability import trainability
from grader.checks.weights_copied import weights_copied
from grader.diagnosis.evidence import Evidence, Verdict
from grader.report.model import Check

CheckFunction = Callable[[Evidence], Verdict]

CHECKS: dict[CheckId, CheckFunction] = {
    "own_work": own_work,
    "contract": contract,
    "equivalence": equivalence,
    "generalisation": generalisation,
    "statelessness": statelessness,
    "trainability": trainability,
    "weights_copied": weights_copied,
    "comparison": comparison,
}
#: These earn no points when `own_work` fails.
GATED = ("equivalence", "generalisation", "statelessness", "trainability", "weights_copied", "comparison")
#: The checks that need a run of the notebook itself.
TASK2 = ("weights_copied", "comparison")


def run_checks(evidence: Evidence) -> list[Check]:
    """Run all checks of the assignment, in the assignment's own order."""
    verdicts = evidence.verdicts
    for name, check in CHECKS.items():
        if name in evidence.assignment.points:
            verdict = check(evidence)
            if name in GATED and "own_work" in verdicts and verdicts["own_work"].status == "failed":
                verdict = Verdict.failed("own_work_failed", details=verdict.details)
            verdicts[name] = verdict
    return [_as_check(name, points, verdicts[name]) for name, points in evidence.assignment.points.items()]


def not_run(points: Mapping[CheckId, float], code: str) -> list[Check]:
    """Return all checks as skipped for one reason."""
    return [_as_check(name, value, Verdict.skipped(code)) for name, value in points.items()]


def _as_check(name: str, max_points: float, verdict: Verdict) -> Check:
    return Check(
        id=name,
        points=round(verdict.earned * max_points, 6),
        max_points=max_points,
        status=verdict.status,
        code=verdict.code,
        params=verdict.params,
        details=verdict.details,
    )
