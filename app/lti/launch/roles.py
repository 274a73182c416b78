"""The mapping of a platform's roles to parts in a course here."""

import re
from collections.abc import Collection
from enum import StrEnum

from app.storage.models import MemberRole

#: Roles are written `membership#Instructor`, sub-roles `membership/Instructor#TeachingAssistant`.
CONTEXT_ROLE = re.compile(
    r"http://purl\.imsglobal\.org/vocab/lis/v2/membership(?:/(?P<principal>\w+))?#(?P<name>\w+)", re.ASCII
)
ASSISTANT = "TeachingAssistant"
#: Sub-roles of an instructor that mean an assistant (1EdTech LTI 1.3, A.2.3.1): of a group, a section, ...
ASSISTANTS = frozenset(
    {"Grader", ASSISTANT}
    | {f"{ASSISTANT}{of}" for of in ("Group", "Offering", "Section", "SectionAssociation", "Template")}
)
#: Roles in the whole platform or institution that also count in a course; the others do not.
ADMINISTRATORS = frozenset(
    f"http://purl.imsglobal.org/vocab/lis/v2/{place}/person#{role}"
    for place in ("institution", "system")
    for role in ("Administrator", "SysAdmin")
)
#: Roles in a context, which is a course.
TEACHERS = frozenset({"Instructor", "ContentDeveloper", "Administrator", "Manager"})
MENTORS = frozenset({"Mentor"})
#: Sub-roles of a manager that only observe. Platforms send the manager's role along with them.
OBSERVERS = frozenset({"Observer", "ExternalObserver"})
LEARNERS = frozenset({"Learner"})
#: Short names from LTI 1.1, which LTI 1.3 still allows for roles of a context.
SIMPLE = TEACHERS | MENTORS | LEARNERS | {ASSISTANT}


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

    Assistants and observers come first, because most platforms also call an assistant an instructor and an observer a
    manager. A platform's administrator without a role in the course is a teacher there, and nothing more. Anybody else
    without a known role is a student.
    """
    names = {name for role in roles for name in _context_roles(role)}
    if ASSISTANT in names:
        return Part.ASSISTANT
    if names & OBSERVERS:
        names.discard("Manager")
    if names & TEACHERS:
        return Part.TEACHER
    if names & MENTORS and not names & LEARNERS:
        return Part.MENTOR
    if not names and ADMINISTRATORS & set(roles):
        return Part.TEACHER
    return Part.STUDENT


def _context_roles(role: str) -> Collection[str]:
    """Return the name of a role in a context, alone in a collection; empty: it is no such role.

    A sub-role has the name of its main role, of the assistant, or of the observer.
    """
    if role in SIMPLE:
        return {role}
    match = CONTEXT_ROLE.fullmatch(role)
    if match is None:
        return ()
    principal, name = match["principal"], match["name"]
    if name in ASSISTANTS and principal in (None, "Instructor"):
        return {ASSISTANT}
    if name in OBSERVERS and principal == "Manager":
        return {name}
    return {principal or name}
