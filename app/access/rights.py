"""Rights: one table of who may do what, which the API, the pages and the commands ask.

Each right holds in a scope: an admin's in every course, a teacher's and an assistant's in one, a submitter's on its own
submissions, a student's on the student's own. Queries apply the scope (`Principal.course`, `repository.visible_to`,
`tokens.managed_by`); whatever lies outside is not there.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.errors.courses import CourseArchived
from app.storage.models import Course, Role


class Action(StrEnum):
    """A kind of request. Every route names one."""

    READ = "read"
    SUBMIT = "submit"
    HAND_IN_BATCHES = "hand_in_batches"
    CANCEL = "cancel"
    MAKE_WEBHOOKS = "make_webhooks"
    MANAGE_WEBHOOKS = "manage_webhooks"
    SEE_STATISTICS = "see_statistics"
    SEE_METRICS = "see_metrics"
    SEE_STATUS = "see_status"
    MANAGE_PLATFORMS = "manage_platforms"
    REGRADE = "regrade"
    DECIDE = "decide"
    MAKE_TOKENS = "make_tokens"
    MAKE_TOKENS_OF_STAFF = "make_tokens_of_staff"
    MANAGE_TOKENS = "manage_tokens"
    DELETE_STUDENTS = "delete_students"
    MAKE_COURSES = "make_courses"
    MANAGE_COURSE = "manage_course"
    DELETE_COURSE = "delete_course"
    MANAGE_ASSIGNMENTS = "manage_assignments"
    SEE_MEMBERS = "see_members"
    MANAGE_MEMBERS = "manage_members"
    MANAGE_TEACHERS = "manage_teachers"
    MAKE_LINKS = "make_links"
    MANAGE_LINKS = "manage_links"
    MERGE_PEOPLE = "merge_people"
    SEE_PEOPLE = "see_people"
    DELETE_PEOPLE = "delete_people"
    SEE_GRADES = "see_grades"
    EXTEND = "extend"
    ADJUST = "adjust"
    COMMENT = "comment"
    ASK_FOR_REVIEW = "ask_for_review"
    ANSWER_REVIEWS = "answer_reviews"


@dataclass(frozen=True)
class Right:
    """The holders of a right.

    Attributes:
        roles: of the token or of the member.
        students: whether a student has it, with a token or a session of the student's own.
        in_archived: whether it is left when the course is archived.
    """

    roles: frozenset[Role]
    students: bool
    in_archived: bool


EVERYBODY = frozenset(Role)
SCRIPTS = frozenset({Role.ADMIN, Role.TEACHER, Role.SUBMITTER})
STAFF = frozenset({Role.ADMIN, Role.TEACHER, Role.ASSISTANT})
TEACHERS = frozenset({Role.ADMIN, Role.TEACHER})
ADMINS = frozenset({Role.ADMIN})

RIGHTS: Mapping[Action, Right] = {
    Action.READ: Right(EVERYBODY, students=True, in_archived=True),
    Action.SUBMIT: Right(EVERYBODY, students=True, in_archived=False),
    # Everybody's files at once, as a platform gives them.
    Action.HAND_IN_BATCHES: Right(TEACHERS, students=False, in_archived=False),
    Action.CANCEL: Right(EVERYBODY, students=True, in_archived=False),
    Action.MAKE_WEBHOOKS: Right(SCRIPTS, students=False, in_archived=False),
    Action.MANAGE_WEBHOOKS: Right(SCRIPTS, students=False, in_archived=True),
    Action.SEE_STATISTICS: Right(STAFF, students=False, in_archived=True),
    Action.SEE_METRICS: Right(TEACHERS, students=False, in_archived=True),
    # The whole service: workers, versions, failures in all courses.
    Action.SEE_STATUS: Right(ADMINS, students=False, in_archived=True),
    # Learning platforms, which bring people and courses.
    Action.MANAGE_PLATFORMS: Right(ADMINS, students=False, in_archived=True),
    Action.REGRADE: Right(TEACHERS, students=False, in_archived=False),
    Action.DECIDE: Right(TEACHERS, students=False, in_archived=False),
    Action.MAKE_TOKENS: Right(TEACHERS, students=False, in_archived=False),
    Action.MAKE_TOKENS_OF_STAFF: Right(ADMINS, students=False, in_archived=False),
    Action.MANAGE_TOKENS: Right(TEACHERS, students=False, in_archived=True),
    Action.DELETE_STUDENTS: Right(ADMINS, students=False, in_archived=True),
    Action.MAKE_COURSES: Right(ADMINS, students=False, in_archived=True),
    # To archive, to open again, to copy.
    Action.MANAGE_COURSE: Right(TEACHERS, students=False, in_archived=True),
    Action.DELETE_COURSE: Right(ADMINS, students=False, in_archived=True),
    Action.MANAGE_ASSIGNMENTS: Right(TEACHERS, students=False, in_archived=False),
    Action.SEE_MEMBERS: Right(STAFF, students=False, in_archived=True),
    Action.MANAGE_MEMBERS: Right(TEACHERS, students=False, in_archived=False),
    Action.MANAGE_TEACHERS: Right(ADMINS, students=False, in_archived=False),
    Action.MAKE_LINKS: Right(TEACHERS, students=False, in_archived=False),
    # To list them and to revoke them.
    Action.MANAGE_LINKS: Right(TEACHERS, students=False, in_archived=True),
    Action.MERGE_PEOPLE: Right(ADMINS, students=False, in_archived=True),
    # Across courses, with the archive of everything that is kept about somebody.
    Action.SEE_PEOPLE: Right(ADMINS, students=False, in_archived=True),
    Action.DELETE_PEOPLE: Right(ADMINS, students=False, in_archived=True),
    Action.SEE_GRADES: Right(STAFF, students=False, in_archived=True),
    Action.EXTEND: Right(TEACHERS, students=False, in_archived=False),
    Action.ADJUST: Right(TEACHERS, students=False, in_archived=False),
    Action.COMMENT: Right(STAFF, students=False, in_archived=False),
    Action.ASK_FOR_REVIEW: Right(SCRIPTS, students=True, in_archived=False),
    Action.ANSWER_REVIEWS: Right(STAFF, students=False, in_archived=False),
}

#: They add something to the holder's course. The other actions concern what is there, in whichever course that is.
ADDING = frozenset({Action.SUBMIT, Action.MAKE_WEBHOOKS, Action.MAKE_TOKENS, Action.MAKE_TOKENS_OF_STAFF})


async def closed_to(session: AsyncSession, action: Action, course_ids: Collection[str]) -> Collection[str]:
    """Find those of these courses in which the action is not left."""
    if RIGHTS[action].in_archived:
        return ()
    archived = select(Course.id).where(Course.id.in_(course_ids), Course.archived_at.is_not(None))
    return (await session.scalars(archived)).all()


async def check_course(session: AsyncSession, action: Action, course_id: str) -> None:
    """Raises: CourseArchived: the action is not left in this course."""
    if await closed_to(session, action, [course_id]):
        raise CourseArchived
