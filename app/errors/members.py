"""Errors about members of courses, the persons they are, and joins of two that are one."""

from __future__ import annotations

from app.errors import AppError


class MemberNotFound(AppError):
    """The course has no member with this id."""


class MemberNotStudent(AppError):
    """The member is a teacher or an assistant."""


class ExternalIdTaken(AppError):
    """Another member of the course has this id. params: member (the id of the other one)"""


class EmailTaken(AppError):
    """Another confirmed member of the course has this address. params: member (the id of the other one)"""


class PersonShared(AppError):
    """Name and address of a person in several courses are not one course's to change."""


class MemberJoined(AppError):
    """The removed member was joined with another one. params: member (the id of the kept one), join"""


class PersonNotFound(AppError): ...


class SameMember(AppError):
    """A member is joined with itself, or a person with itself."""


class AttemptsRunning(AppError):
    """Both of the members to be joined have an attempt that is being graded."""


class PersonsShareCourse(AppError):
    """Two persons are members of the same course, which are joined first. params: courses (ids)"""


class JoinNotFound(AppError):
    """No two members, or persons, were joined under this id."""


class JoinUndone(AppError):
    """The join was undone before."""


class JoinFollowed(AppError):
    """A later join has to be undone first. params: join (the id of the later one)"""


class JoinOutdated(AppError):
    """The members or persons have changed since, and cannot be divided again.

    params: changed (`member`, `extension`, `person`: what was changed since)
    """
