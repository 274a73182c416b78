"""The grade that a platform should have for a person, and its differences from the one that was sent.

A grade that was sent is cleared only by a decision here: an adjustment without an attempt was withdrawn, every attempt
was rejected, or the link opens another assignment. It stays if grading failed, if an attempt is waiting, and if the
person is no longer a student. Deleting old attempts never lowers it.
"""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.courses.assignments import Assignments
from app.storage.database import Database
from app.storage.models import CourseAssignment, LtiLink, LtiScore, Membership
from app.storage.passback import scores_changed
from app.submissions.derivation import Counted, StepCode
from app.submissions.grades import counted_grades

#: Scores compared in one transaction.
AT_ONCE = 200
#: Smaller differences in points do not count, because grades have two decimals.
LEAST = 0.005


@dataclass(frozen=True)
class ExpectedGrade:
    """A grade to send.

    Attributes:
        points: None: the platform should have no grade.
        is_kept: the grade from before attempts were deleted for their age.
    """

    points: float | None
    max_points: float
    is_kept: bool = False


def expected_grade(score: LtiScore, counted: Counted) -> ExpectedGrade | None:
    """Return the grade that the platform should have; None: there is nothing to change."""
    points, most = counted.unrounded, counted.grade_book_max
    if score.kept_points is not None and score.kept_max and not counted.is_adjusted:
        kept = ExpectedGrade(score.kept_points, score.kept_max, is_kept=True)
        if points is None or points * score.kept_max < score.kept_points * most:
            return kept
    if points is not None:
        return ExpectedGrade(points, most)
    return ExpectedGrade(None, most) if _may_be_there(score) and _has_ended(counted) else None


def _may_be_there(score: LtiScore) -> bool:
    """Tell whether the platform may have a grade: one has arrived, or was sent without an answer (`outbox.stamp`)."""
    return score.points is not None or (score.stamp is not None and score.max_points is None)


def _has_ended(counted: Counted) -> bool:
    """Tell whether the lack of a grade is somebody's decision."""
    is_student = all(step.code != StepCode.NOT_A_STUDENT for step in counted.steps)
    return is_student and not (counted.is_held or counted.is_waiting or counted.has_failed)


def is_other(score: LtiScore, grade: ExpectedGrade) -> bool:
    """Tell whether this grade differs from the one that was sent."""
    if grade.points is None or score.points is None or score.max_points is None:
        return (grade.points is None) != (score.points is None)
    return abs(grade.points - score.points) >= LEAST or abs(grade.max_points - score.max_points) >= LEAST


async def send_changed(database: Database, assignments: Assignments, context_id: str | None = None) -> int:
    """Send the grades that new assignment files have changed; `app.storage.passback` handles all other changes.

    Args:
        context_id: None: of all courses.
    Returns:
        The number of grades that are sent again.
    """
    conditions: list[ColumnElement[bool]] = [LtiLink.course_assignment_id.is_not(None)]
    if context_id is not None:
        conditions.append(LtiLink.lti_context_id == context_id)
    async with database.read() as session:
        links = (await session.scalars(select(LtiLink.id).where(*conditions))).all()
    total = 0
    for link_id in links:
        after: str | None = ""
        while after is not None:
            async with database.read() as session:
                changed, after = await _list_changed(session, assignments, link_id, after)
            if changed:
                async with database.write() as session:
                    await scores_changed(session, changed)
            total += len(changed)
    return total


async def _list_changed(
    session: AsyncSession, assignments: Assignments, link_id: str, after: str
) -> tuple[list[str], str | None]:
    """Return the ids of changed scores among the next ones of a link, and the last id of these; None: that was all."""
    rows = await session.execute(
        select(LtiScore, Membership, CourseAssignment)
        .join(LtiLink, LtiLink.id == LtiScore.lti_link_id)
        .join(CourseAssignment, CourseAssignment.id == LtiLink.course_assignment_id)
        .join(Membership, Membership.id == LtiScore.membership_id)
        .where(LtiScore.lti_link_id == link_id, LtiScore.id > after, is_settled(), Membership.removed_at.is_(None))
        .order_by(LtiScore.id)
        .limit(AT_ONCE)
    )
    work = [(score, member, use) for score, member, use in rows]
    if not work:
        return [], None
    use = work[0][2]
    counted = await counted_grades(session, assignments, [member for _, member, _ in work], [use])
    changed = []
    for score, member, _ in work:
        now = counted.get((member.id, use.id))
        grade = expected_grade(score, now) if now is not None else None
        if grade is not None and is_other(score, grade):
            changed.append(score.id)
    return changed, work[-1][0].id


def is_settled() -> ColumnElement[bool]:
    """Return the condition that a score is neither on its way nor given up."""
    return and_(LtiScore.next_at.is_(None), LtiScore.failed_at.is_(None))
