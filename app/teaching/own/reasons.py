"""The reason why an attempt of a student is the one that counts, or is not."""

from collections.abc import Mapping
from enum import StrEnum

from app.submissions import policy
from app.submissions.grades import Basis
from app.submissions.policy import Attempt


class Reason(StrEnum):
    """The reason for one attempt; its words are the text ``attempt.reason.<value>``. The first four count."""

    ONLY = "only"
    BEST = "best"
    FIRST_OF_BEST = "first_of_best"
    LAST = "last"
    NOT_BEST = "not_best"
    NOT_FIRST = "not_first"
    NOT_LAST = "not_last"
    HELD = "held"
    REJECTED = "rejected"
    OURS = "ours"
    INVALID = "invalid"
    CANCELLED = "cancelled"
    NOT_GRADED = "not_graded"

    @property
    def counts(self) -> bool:
        """Whether it is the reason of the attempt that counts."""
        return self in (Reason.ONLY, Reason.BEST, Reason.FIRST_OF_BEST, Reason.LAST)


def reasons_of(basis: Basis) -> dict[int, Reason]:
    """Return the reason for each attempt by its number, without trials of the staff."""
    if not basis.terms.is_student:
        return {}
    assignment = basis.terms.of_student
    points = policy.points_by_attempt(assignment, basis.attempts)
    counting = policy.counting_attempt(assignment, points) if points else None
    is_last = assignment.attempts.counts == "last"
    return {each.number: _reason(each, points, counting, is_last=is_last) for each in basis.attempts}


def _reason(attempt: Attempt, points: Mapping[int, float], counting: int | None, *, is_last: bool) -> Reason:
    if attempt.is_withheld:
        return Reason.REJECTED if attempt.decision else Reason.HELD
    if attempt.is_cancelled:
        return Reason.CANCELLED
    if attempt.is_ours:
        return Reason.OURS
    if counting is None or attempt.number not in points:
        return Reason.INVALID if attempt.is_invalid else Reason.NOT_GRADED
    is_as_good = points[attempt.number] == points[counting]
    if attempt.number != counting:
        return Reason.NOT_LAST if is_last else Reason.NOT_FIRST if is_as_good else Reason.NOT_BEST
    if len(points) == 1:
        return Reason.ONLY
    if is_last:
        return Reason.LAST
    return Reason.FIRST_OF_BEST if list(points.values()).count(points[counting]) > 1 else Reason.BEST
