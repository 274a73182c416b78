"""Attempts with the same code among the students of a course at one assignment: a hint for the staff, never a verdict.

Code is the same if its normal form is (`grader.report.fingerprint`). A join moves attempts, so joined members count as
one student. Code that everybody has from the course, or that the staff handed in, makes no group.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, distinct, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.storage.memberships import is_student
from app.storage.models import MemberRole, Membership, Person, StoredReport, Submission
from grader.report.fingerprint import says_little

HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Copy:
    """An attempt of a group. Attributes: text: a number from 1, equal where the code is the same word for word."""

    submission_id: str
    attempt: int
    created_at: datetime
    text: int


@dataclass(frozen=True)
class Holder:
    """A student of a group. Attributes: student: the id in the course; copies: the earliest first."""

    membership_id: str
    student: str
    name: str | None
    copies: Sequence[Copy]


@dataclass(frozen=True)
class Group:
    """Students with the same code, by their first attempts with it. Attributes: statements: of the code."""

    statements: int
    holders: Sequence[Holder]

    @property
    def first(self) -> Copy:
        return self.holders[0].copies[0]

    @property
    def word_for_word(self) -> int:
        """The largest number of students who share one text; 0: none is shared."""
        students: dict[int, set[str]] = defaultdict(set)
        for holder in self.holders:
            for copy in holder.copies:
                students[copy.text].add(holder.membership_id)
        most = max(map(len, students.values()))
        return most if most > 1 else 0

    @property
    def within_an_hour(self) -> int:
        """The largest number of students who first handed in the code within the same hour."""
        times = [holder.copies[0].created_at for holder in self.holders]
        return max(bisect_right(times, begin + HOUR) - at for at, begin in enumerate(times))

    @property
    def says_little(self) -> bool:
        """Whether code with so few statements is often alike by chance."""
        return says_little(self.statements)


@dataclass(frozen=True)
class SameCode:
    """The comparison of an assignment's attempts.

    Attributes:
        groups: those with the most students word for word come first.
        students: how many have an attempt that was compared.
        with_known: how many of them have an attempt with code from the course or from the staff.
        not_compared: attempts that were graded before code was compared.
    """

    groups: Sequence[Group]
    students: int
    with_known: int
    not_compared: int


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
    return SameCode(groups, students, with_known, not_compared or 0)


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
    return sorted(groups, key=lambda group: (-group.word_for_word, -len(group.holders), group.first.created_at))


def _group(rows: Sequence[Any]) -> Group:
    """Make a group from its attempts, the earliest first."""
    texts: dict[str, int] = {}
    holders: dict[str, Holder] = {}
    copies: dict[str, list[Copy]] = defaultdict(list)
    for row in rows:
        text = texts.setdefault(row.code_text, len(texts) + 1)
        copies[row.membership_id].append(Copy(row.id, row.attempt, row.created_at, text))
        holders.setdefault(
            row.membership_id, Holder(row.membership_id, row.student, row.name, copies[row.membership_id])
        )
    return Group(rows[0].code_statements, list(holders.values()))
