"""Rights: one table of who may do what, which the API, the pages and the commands ask.

Each right holds in a scope: an admin's in every course, a teacher's and an assistant's in one, a submitter's on its own
submissions, a student's on the student's own. Queries apply the scope (`Principal.course`, `repository.visible_to`,
`tokens.managed_by`); whatever lies outside counts as missing.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from app.storage.models import Role


@dataclass(frozen=True)
class Holders:
    """The holders of a right.

    Attributes:
        roles: of the token or of the member.
        students: whether a student has it, with a token or a session of the student's own.
        in_archived: whether it is left when the course is archived.
        notebooks: whether the token of a student's notebook has it, at its assignment.
    """

    roles: frozenset[Role]
    students: bool
    in_archived: bool
    notebooks: bool = False


EVERYBODY = frozenset(Role)
SCRIPTS = frozenset({Role.ADMIN, Role.TEACHER, Role.SUBMITTER})
STAFF = frozenset({Role.ADMIN, Role.TEACHER, Role.ASSISTANT})
NOBODY = frozenset[Role]()
TEACHERS = frozenset({Role.ADMIN, Role.TEACHER})
ADMINS = frozenset({Role.ADMIN})


class Right(StrEnum):
    """A kind of request, with its holders. Every route names one."""

    holders: Holders

    def __new__(cls, value: str, holders: Holders) -> Right:
        right = str.__new__(cls, value)
        right._value_, right.holders = value, holders
        return right

    READ = "read", Holders(EVERYBODY, students=True, in_archived=True)
    # The submissions that the holder may see, with their files, events and reports.
    READ_SUBMISSIONS = "read_submissions", Holders(EVERYBODY, students=True, in_archived=True, notebooks=True)
    SUBMIT = "submit", Holders(EVERYBODY, students=True, in_archived=False, notebooks=True)
    # Before handing in.
    CHECK = "check", Holders(NOBODY, students=True, in_archived=False, notebooks=True)
    # The files of a whole course in one archive of a platform.
    HAND_IN_BATCHES = "hand_in_batches", Holders(TEACHERS, students=False, in_archived=False)
    CANCEL = "cancel", Holders(EVERYBODY, students=True, in_archived=False)
    # Codes for notebooks.
    MAKE_CODES = "make_codes", Holders(NOBODY, students=True, in_archived=False)
    # The own browsers and notebooks.
    SIGN_OUT = "sign_out", Holders(EVERYBODY, students=True, in_archived=True)
    MAKE_WEBHOOKS = "make_webhooks", Holders(SCRIPTS, students=False, in_archived=False)
    MANAGE_WEBHOOKS = "manage_webhooks", Holders(SCRIPTS, students=False, in_archived=True)
    SEE_STATISTICS = "see_statistics", Holders(STAFF, students=False, in_archived=True)
    SEE_METRICS = "see_metrics", Holders(TEACHERS, students=False, in_archived=True)
    # The whole service: workers, versions, failures in all courses.
    SEE_STATUS = "see_status", Holders(ADMINS, students=False, in_archived=True)
    # Learning platforms, which bring people and courses.
    MANAGE_PLATFORMS = "manage_platforms", Holders(ADMINS, students=False, in_archived=True)
    REGRADE = "regrade", Holders(TEACHERS, students=False, in_archived=False)
    DECIDE = "decide", Holders(TEACHERS, students=False, in_archived=False)
    MAKE_TOKENS = "make_tokens", Holders(TEACHERS, students=False, in_archived=False)
    MAKE_TOKENS_OF_STAFF = "make_tokens_of_staff", Holders(ADMINS, students=False, in_archived=False)
    MANAGE_TOKENS = "manage_tokens", Holders(TEACHERS, students=False, in_archived=True)
    DELETE_STUDENTS = "delete_students", Holders(ADMINS, students=False, in_archived=True)
    MAKE_COURSES = "make_courses", Holders(ADMINS, students=False, in_archived=True)
    # To archive, to open again, to copy, to export.
    MANAGE_COURSE = "manage_course", Holders(TEACHERS, students=False, in_archived=True)
    DELETE_COURSE = "delete_course", Holders(ADMINS, students=False, in_archived=True)
    MANAGE_ASSIGNMENTS = "manage_assignments", Holders(TEACHERS, students=False, in_archived=False)
    SEE_MEMBERS = "see_members", Holders(STAFF, students=False, in_archived=True)
    MANAGE_MEMBERS = "manage_members", Holders(TEACHERS, students=False, in_archived=False)
    MANAGE_TEACHERS = "manage_teachers", Holders(ADMINS, students=False, in_archived=False)
    MAKE_LINKS = "make_links", Holders(TEACHERS, students=False, in_archived=False)
    # To list them and to revoke them.
    MANAGE_LINKS = "manage_links", Holders(TEACHERS, students=False, in_archived=True)
    MERGE_PEOPLE = "merge_people", Holders(ADMINS, students=False, in_archived=True)
    # Across courses, with the archive of everything that is kept about somebody.
    SEE_PEOPLE = "see_people", Holders(ADMINS, students=False, in_archived=True)
    DELETE_PEOPLE = "delete_people", Holders(ADMINS, students=False, in_archived=True)
    SEE_GRADES = "see_grades", Holders(STAFF, students=False, in_archived=True)
    EXTEND = "extend", Holders(TEACHERS, students=False, in_archived=False)
    ADJUST = "adjust", Holders(TEACHERS, students=False, in_archived=False)
    COMMENT = "comment", Holders(STAFF, students=False, in_archived=False)
    ASK_FOR_REVIEW = "ask_for_review", Holders(SCRIPTS, students=True, in_archived=False)
    ANSWER_REVIEWS = "answer_reviews", Holders(STAFF, students=False, in_archived=False)


#: They add something to the holder's course. The other actions concern what is there, in whichever course that is.
ADDING = frozenset({Right.SUBMIT, Right.MAKE_WEBHOOKS, Right.MAKE_TOKENS, Right.MAKE_TOKENS_OF_STAFF})
