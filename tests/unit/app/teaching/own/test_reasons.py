"""The words on each attempt of a student: why it counts, or does not."""

from datetime import UTC, datetime
from typing import Any

import pytest

from app.storage.models import HoldDecision
from app.submissions.derivation import Terms
from app.submissions.grades import Basis
from app.submissions.policy import Attempt
from app.teaching.own.reasons import Reason, reasons_of
from grader.assignment import BUILT_IN, Attempts, read_assignment

PLAIN = read_assignment(BUILT_IN / "lstm-layer.toml")
AT = datetime(2026, 3, 1, tzinfo=UTC)
HELD: dict[str, Any] = {"points": 100.0, "is_withheld": True}
REJECTED = HELD | {"decision": HoldDecision.REJECTED}
ACCEPTED = {"points": 100.0, "decision": HoldDecision.ACCEPTED}


def reasons(attempts: list[float | dict[str, Any] | None], *, is_student: bool = True, **rules: Any) -> list[str]:
    fields = [each if isinstance(each, dict) else {"points": each} for each in attempts]
    assignment = PLAIN.model_copy(update={"attempts": Attempts(**rules)})
    history = [Attempt(number, AT, **{"points": None, **each}) for number, each in enumerate(fields, start=1)]
    reason_of = reasons_of(Basis(Terms(assignment, is_student=is_student), history))
    return [reason_of[number].value for number in sorted(reason_of)]


@pytest.mark.parametrize(
    ("attempts", "rules", "expected"),
    [
        ([50.0], {}, ["only"]),
        ([50.0], {"counts": "last"}, ["only"]),
        ([50.0, 70.0, 60.0], {}, ["not_best", "best", "not_best"]),
        ([70.0, 50.0, 70.0], {}, ["first_of_best", "not_best", "not_first"]),
        ([70.0, 50.0], {"counts": "last"}, ["not_last", "last"]),
        ([70.0, 70.0], {"counts": "last"}, ["not_last", "last"]),
        ([0.0, HELD, REJECTED, ACCEPTED], {}, ["not_best", "held", "rejected", "best"]),
        ([{"is_ours": True}, {"is_cancelled": True}, None], {}, ["ours", "cancelled", "not_graded"]),
        ([50.0, {"is_ours": True}, None], {"counts": "last"}, ["only", "ours", "not_graded"]),
        ([50.0, {"points": 0.0, "is_invalid": True}], {"counts": "last"}, ["only", "invalid"]),
        ([], {}, []),
    ],
)
def test_each_attempt_says_why_it_counts(attempts, rules, expected):
    assert reasons(attempts, **rules) == expected
    assert sum(Reason(each).counts for each in expected) <= 1


def test_trials_of_the_staff_have_no_reason():
    assert reasons([50.0, 70.0], is_student=False) == []
