"""The checks by name, in the order in which they run and are reported.

A check looks at the evidence alone. Its dependence on another check stands here: `own_work` is a gate, and some checks
mean nothing where `equivalence` earned nothing.
"""

from collections.abc import Callable, Mapping

from grader.assignment import TASK2, CheckId
from grader.checks.contract import contract
from grader.checks.equivalence import equivalence
from grader.checks.generalisation import generalisation
from grader.checks.own_work import own_work
from grader.checks.statelessness import statelessness
from grader.checks.task2 import comparison, weights_copied
from grader.checks.trainability import trainability
from grader.diagnosis.evidence import Evidence, Judgement
from grader.report.finding import CheckStatus, Finding, Verdict
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
GATED = ("equivalence", "generalisation", "statelessness", "trainability", *TASK2)
#: These are skipped when `equivalence` earns nothing.
NEED_EQUIVALENCE = ("statelessness", "trainability")


def run_checks(evidence: Evidence) -> Judgement:
    """Run all checks of the assignment."""
    verdicts: dict[CheckId, Verdict] = {}
    for name, check in CHECKS.items():
        if name in evidence.assignment.points:
            verdict = (_unreached(verdicts) if name in NEED_EQUIVALENCE else None) or check(evidence)
            if name in GATED and "own_work" in verdicts and verdicts["own_work"].status == CheckStatus.FAILED:
                verdict = Verdict.failed(Finding.of("own_work_failed"), verdict.details)
            verdicts[name] = verdict
    return Judgement(evidence, verdicts)


def not_run(points: Mapping[CheckId, float], code: str, **params: str) -> list[Check]:
    """Return all checks as skipped for one reason."""
    skipped = Verdict(CheckStatus.SKIPPED, finding=Finding.of(code, params))
    return [Check.of(name, value, skipped) for name, value in points.items()]


def _unreached(verdicts: Mapping[CheckId, Verdict]) -> Verdict | None:
    """Return the verdict of a check that needs `equivalence`, where that earned nothing or was not reached."""
    equivalence = verdicts.get("equivalence")
    if equivalence is not None and equivalence.earned:
        return None
    return Verdict.skipped("not_run" if equivalence and equivalence.code == "not_run" else "equivalence_not_earned")
