"""A platform's roles, and the part in a course here that follows from them."""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum

from app.storage.models import MemberRole

MEMBERSHIP = "http://purl.imsglobal.org/vocab/lis/v2/membership"
#: Sub-roles are written `membership/Instructor#TeachingAssistant`, and sometimes `membership#TeachingAssistant`.
ASSISTANT = "TeachingAssistant"
#: Of the whole platform or institution. Its other roles there say nothing about a course.
ADMINISTRATORS = frozenset(
    f"http://purl.imsglobal.org/vocab/lis/v2/{place}/person#{role}"
    for place in ("institution", "system")
    for role in ("Administrator", "SysAdmin")
)
#: Of a context.
TEACHERS = frozenset({"Instructor", "ContentDeveloper", "Administrator", "Manager"})
OBSERVERS = frozenset({"Mentor"})
LEARNERS = frozenset({"Learner"})
#: Simple names, as LTI 1.1 had them and LTI 1.3 still lets platforms write them for roles of a context.
SIMPLE = TEACHERS | OBSERVERS | LEARNERS | {ASSISTANT}


class Part(StrEnum):
    """A person's part in a launch. A mentor looks after a student, and becomes no member."""

    TEACHER = MemberRole.TEACHER.value
    ASSISTANT = MemberRole.ASSISTANT.value
    STUDENT = MemberRole.STUDENT.value
    MENTOR = "mentor"

    @property
    def role(self) -> MemberRole:
        """The role of the member. Raises: ValueError: a mentor has none."""
        return MemberRole(self.value)


def part_of(roles: Collection[str]) -> Part:
    """Return the part in the course.

    An assistant is one although most platforms name an assistant an instructor, too. A platform's administrator without
    a role in the course is a teacher of it, and nothing more. Whoever else has no role that we know is a student.
    """
    names = {name for role in roles for name in _context_roles(role)}
    if ASSISTANT in names:
        return Part.ASSISTANT
    if names & TEACHERS:
        return Part.TEACHER
    if names & OBSERVERS and not names & LEARNERS:
        return Part.MENTOR
    if not names and ADMINISTRATORS & set(roles):
        return Part.TEACHER
    return Part.STUDENT


def _context_roles(role: str) -> Collection[str]:
    """Return the names in a role of a context: `Instructor` and `TeachingAssistant` of the first form above."""
    if role in SIMPLE:
        return {role}
    if not role.startswith(MEMBERSHIP):
        return ()
    principal, _, name = role.removeprefix(MEMBERSHIP).partition("#")
    return {principal.strip("/"), name}
