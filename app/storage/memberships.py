"""Conditions and queries on members that many rooms share."""

from sqlalchemy import ColumnElement, Select, and_, select
from sqlalchemy.orm import contains_eager

from app.storage.models import MemberRole, Membership


def with_persons(*conditions: ColumnElement[bool]) -> Select[Membership]:
    """Select members, with their persons.

    Args:
        conditions: on `Membership` and `Person`.
    """
    of_persons = select(Membership).join(Membership.person).options(contains_eager(Membership.person))
    return of_persons.where(*conditions)


def is_student() -> ColumnElement[bool]:
    """Return the condition on `Membership` that it is a student's who was not removed."""
    return and_(Membership.role == MemberRole.STUDENT, Membership.removed_at.is_(None))


def are_students(course_id: str) -> ColumnElement[bool]:
    """Return the condition on `Membership` that it is one of this course's students, without removed ones."""
    return and_(Membership.course_id == course_id, is_student())
