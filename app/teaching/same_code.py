"""Attempts with the same code among the students of a course at one assignment: a hint for the staff, never a verdict.

Code is the same if its normal form is (`grader.report.fingerprint`). A join moves attempts, so joined members count as
one student. Code that everybody has from the course, or that the staff handed in, makes no group.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from pydantic import Field
from sqlalchemy import ColumnElement, Select, and_, case, distinct, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.bodies import EXAMPLE_ID, Body, shows
from app.storage.memberships import is_student
from app.storage.models import MemberRole, Membership, Person, StoredReport, Submission
from grader.report.fingerprint import says_little

HOUR = timedelta(hours=1)


class Copy(Body):
    submission: str = shows(None, EXAMPLE_ID)
    attempt: int
    created_at: datetime
    text: int = shows("attempts of the group with the same number have the code word for word")


class Holder(Body):
    """A student of a group."""

    member: str = shows(None, EXAMPLE_ID)
    student: str = shows(None, "ivanov")
    name: str | None = Field(exclude=True)  # Pages show it.
    attempts: list[Copy] = shows("those with this code, from the first")


class Group(Body):
    """Students with the same code, by their first attempts with it."""

    students: list[Holder] = shows("in the order in which they handed it in")
    word_for_word: int = shows("the most students who have it word for word; 0: no two have")
    within_an_hour: int = shows("the most students who handed it in for the first time within one hour")
    statements: int = shows("how many statements of its own the code has")
    says_little: bool = shows("so few statements are often alike by chance")

    @property
    def first(self) -> Copy:
        return self.students[0].attempts[0]


class SameCode(Body):
    """The comparison of an assignment's attempts, as the API answers with it."""

    students: int = shows("how many have an attempt that was compared")
    with_known: int = shows("how many of them have an attempt with code from the course, or that the staff handed in")
    not_compared: int = shows("attempts that were graded before code was compared")
    items: list[Group] = shows("the groups; those with the most students word for word come first")


async def count_groups(session: AsyncSession, course_assignment_id: str) -> int:
    """Count the groups of `same_code`, from an index."""
    return await session.scalar(select(func.count()).select_from(_shared(course_assignment_id).subquery())) or 0


async def same_code(session: AsyncSession, course_assignment_id: str) -> SameCode:
    """Compare the attempts of a course at one assignment."""
    here = Submission.course_assignment_id == course_assignment_id
    groups = await _groups(session, here, Submission.code_form.in_(_shared(course_assignment_id)))
    of_staff = _attempts(Submission.code_form).where(
        here, Membership.role != MemberRole.STUDENT, Submission.code_form.is_not(None)
    )
    is_known = and_(
        Submission.code_form.is_not(None), or_(Submission.code_statements == 0, Submission.code_form.in_(of_staff))
    )
    student = distinct(Submission.membership_id)
    counts = _attempts(func.count(student), func.count(distinct(case((is_known, Submission.membership_id)))))
    students, with_known = (
        await session.execute(counts.where(here, is_student(), Submission.code_statements.is_not(None)))
    ).one()
    has_points = select(StoredReport.id).where(
        StoredReport.submission_id == Submission.id, StoredReport.points.is_not(None)
    )
    is_earlier = and_(Submission.code_statements.is_(None), has_points.exists())
    not_compared = await session.scalar(_attempts(func.count()).where(here, is_student(), is_earlier))
    return SameCode(students=students, with_known=with_known, not_compared=not_compared or 0, items=groups)


async def group_of(session: AsyncSession, submission: Submission) -> Group | None:
    """Find the group that has this attempt's code; None: it is nobody else's, or makes no group."""
    here = Submission.course_assignment_id == submission.course_assignment_id
    shared = _shared(submission.course_assignment_id).where(Submission.code_form == submission.code_form)
    return next(iter(await _groups(session, here, Submission.code_form.in_(shared))), None)


def _attempts(*columns: Any) -> Select[Any]:
    return select(*columns).select_from(Submission).join(Membership, Membership.id == Submission.membership_id)


def _shared(course_assignment_id: str) -> Select[Any]:
    """Select the normal forms that make groups."""
    students = func.count(distinct(case((is_student(), Submission.membership_id))))
    staff = func.count(case((Membership.role != MemberRole.STUDENT, 1)))
    return (
        _attempts(Submission.code_form)
        .where(Submission.course_assignment_id == course_assignment_id, Submission.code_statements > 0)
        .group_by(Submission.code_form)
        .having(students > 1, staff == 0)
    )


async def _groups(session: AsyncSession, *conditions: ColumnElement[bool]) -> Sequence[Group]:
    rows = await session.execute(
        _attempts(
            Submission.id,
            Submission.membership_id,
            Submission.student,
            Person.name,
            Submission.attempt,
            Submission.created_at,
            Submission.code_form,
            Submission.code_text,
            Submission.code_statements,
        )
        .join(Person, Person.id == Membership.person_id)
        .where(*conditions, is_student())
        .order_by(Submission.created_at, Submission.id)
    )
    by_form: dict[str, list[Any]] = defaultdict(list)
    for row in rows:
        by_form[row.code_form].append(row)
    groups = map(_group, by_form.values())
    return sorted(groups, key=lambda group: (-group.word_for_word, -len(group.students), group.first.created_at))


def _group(rows: Sequence[Any]) -> Group:
    """Make a group from its attempts, the earliest first."""
    texts: dict[str, int] = {}
    first: dict[str, Any] = {}
    copies: dict[str, list[Copy]] = defaultdict(list)
    sharing: dict[int, set[str]] = defaultdict(set)
    for row in rows:
        text = texts.setdefault(row.code_text, len(texts) + 1)
        first.setdefault(row.membership_id, row)
        copies[row.membership_id].append(
            Copy(submission=row.id, attempt=row.attempt, created_at=row.created_at, text=text)
        )
        sharing[text].add(row.membership_id)
    most, times = max(map(len, sharing.values())), [row.created_at for row in first.values()]
    return Group(
        students=[
            Holder(member=id, student=row.student, name=row.name, attempts=copies[id]) for id, row in first.items()
        ],
        word_for_word=most if most > 1 else 0,
        within_an_hour=max(bisect_right(times, begin + HOUR) - at for at, begin in enumerate(times)),
        statements=rows[0].code_statements,
        says_little=says_little(rows[0].code_statements),
    )
