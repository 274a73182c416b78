"""Errors about members of courses, their persons, and joins of duplicates."""

from app.errors import Conflict, Invalid, NotFound


class MemberNotFound(NotFound):
    """The course has no member with this id."""


class MemberNotStudent(Conflict):
    """The member is a teacher or an assistant."""


class ExternalIdTaken(Conflict):
    """Another member of the course has this id. params: member (the id of the other one)"""


class EmailTaken(Conflict):
    """Another confirmed member of the course has this address. params: member (the id of the other one)"""


class PersonShared(Conflict):
    """The person is in several courses, so a single course may not change name and address."""


class MemberJoined(Conflict):
    """The removed member was joined with another one. params: member (the id of the remaining one), join"""


class PersonNotFound(NotFound): ...


class SameMember(Invalid):
    """A member is joined with itself, or a person with itself."""


class AttemptsRunning(Conflict):
    """Both of the members to be joined have an attempt in grading."""


class PersonsShareCourse(Conflict):
    """The two persons are both members of a course; those memberships must be joined first. params: courses (ids)"""


class JoinNotFound(NotFound):
    """There is no join with this id."""


class JoinUndone(Conflict):
    """The join is already undone."""


class JoinFollowed(Conflict):
    """A later join has to be undone first. params: join (the id of the later one)"""


class JoinOutdated(Conflict):
    """The members or persons have changed since the join, so it cannot be undone.

    params: changed (`member`, `extension` or `person`)
    """
