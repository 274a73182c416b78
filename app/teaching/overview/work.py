"""A student's work at each assignment of the course: grade, attempts, extensions, comments and requests."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncSession

from app.courses import extensions
from app.courses.assignments import Assignments, in_course
from app.storage.models import (
    Adjustment,
    Comment,
    CourseAssignment,
    Extension,
    Membership,
    ReviewRequest,
    StoredReport,
    Submission,
)
from app.submissions import policy
from app.submissions.derivation import Counted
from app.submissions.grades import points_after_rules
from app.submissions.reports import with_reports
from app.teaching import reviews
from app.teaching.grade_list import grades_of_member, used_assignments
from app.teaching.overview.table import State, states_of
from app.teaching.student_work import rows_of_member
from grader import Assignment

T = TypeVar("T")


@dataclass(frozen=True)
class Attempt:
    """One attempt. Attributes: report: the one that counts, without its body; points: after lateness."""

    submission: Submission
    report: StoredReport | None
    points: float | None
    late_days: int


@dataclass(frozen=True)
class Work:
    """A student at one assignment; the newest of everything comes first.

    Attributes:
        assignment: with the course's dates and rules.
        of_student: with the student's own.
        adjustments: ended ones, too.
    """

    use: CourseAssignment
    assignment: Assignment
    of_student: Assignment
    counted: Counted
    states: Sequence[State]
    attempts: Sequence[Attempt]
    extension: Extension | None
    adjustments: Sequence[Adjustment]
    comments: Sequence[Comment]
    reviews: Sequence[ReviewRequest]

    @property
    def applies(self) -> Adjustment | None:
        """The adjustment that applies now."""
        return next((each for each in self.adjustments if each.ended_at is None), None)


async def work_of(session: AsyncSession, assignments: Assignments, member: Membership) -> Sequence[Work]:
    """Collect the work of a member, in a dozen statements at most."""
    uses = await used_assignments(session, assignments, member.course_id)
    counted = await grades_of_member(session, assignments, uses, member)
    extended = await extensions.find_all(session, [member.id])
    of_member = with_reports(Submission.membership_id == member.id).order_by(Submission.attempt.desc())
    attempts = _by_use(((each, report), each.course_assignment_id) for each, report in await session.execute(of_member))
    adjusted = _by_use((each, each.course_assignment_id) for each in await rows_of_member(session, Adjustment, member))
    commented = _by_use((each, each.course_assignment_id) for each in await rows_of_member(session, Comment, member))
    requested = await reviews.all_of(session, member.id)
    reviewed = _by_use((each, each.submission.course_assignment_id) for each in requested)
    work = []
    for use in uses:
        assignment = in_course(assignments, use)
        assert assignment is not None  # Those whose file is gone are not in `used_assignments`.
        extension = extended.get((member.id, use.id))
        of_student = extensions.apply_extension(assignment, extension)
        has_review = any(each.answered_at is None for each in reviewed[use.id])
        grade = counted[use.assignment_id]
        work.append(
            Work(
                use=use,
                assignment=assignment,
                of_student=of_student,
                counted=grade,
                states=states_of(grade, has_review=has_review),
                attempts=[_attempt(of_student, *each) for each in attempts[use.id]],
                extension=extension,
                adjustments=adjusted[use.id],
                comments=commented[use.id],
                reviews=reviewed[use.id],
            )
        )
    return work


def _attempt(assignment: Assignment, submission: Submission, report: StoredReport | None) -> Attempt:
    late_days, _ = policy.lateness(assignment, submission.created_at)
    return Attempt(submission, report, points_after_rules(assignment, submission, report), late_days)


def _by_use(rows: Iterable[tuple[T, str]]) -> Mapping[str, Sequence[T]]:
    """Sort rows, each given with the id of its course assignment, by that; there are none at any other."""
    by_use: dict[str, list[T]] = defaultdict(list)
    for each, use_id in rows:
        by_use[use_id].append(each)
    return by_use
