"""Rights: one table of who may do what, which the API, the pages and the commands ask.

Each right holds in a scope: an admin's in every course, a teacher's and an assistant's in one, a submitter's on its own
submissions, a student's on the student's own. Queries apply the scope (`Principal.course`, `repository.visible_to`,
`tokens.managed_by`); whatever lies outside counts as missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from app.storage.models import Role


class Right(StrEnum):
    """A kind of request. Every route names one."""

    READ = "read"
    READ_SUBMISSIONS = "read_submissions"
    SUBMIT = "submit"
    HAND_IN_BATCHES = "hand_in_batches"
    CHECK = "check"
    CANCEL = "cancel"
    MAKE_CODES = "make_codes"
    SIGN_OUT = "sign_out"
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

RIGHTS: Mapping[Right, Holders] = {
    Right.READ: Holders(EVERYBODY, students=True, in_archived=True),
    # The submissions that the holder may see, with their files, events and reports.
    Right.READ_SUBMISSIONS: Holders(EVERYBODY, students=True, in_archived=True, notebooks=True),
    Right.SUBMIT: Holders(EVERYBODY, students=True, in_archived=False, notebooks=True),
    # Before handing in.
    Right.CHECK: Holders(NOBODY, students=True, in_archived=False, notebooks=True),
    # The files of a whole course in one archive of a platform.
    Right.HAND_IN_BATCHES: Holders(TEACHERS, students=False, in_archived=False),
    Right.CANCEL: Holders(EVERYBODY, students=True, in_archived=False),
    # Codes for notebooks.
    Right.MAKE_CODES: Holders(NOBODY, students=True, in_archived=False),
    # The own browsers and notebooks.
    Right.SIGN_OUT: Holders(EVERYBODY, students=True, in_archived=True),
    Right.MAKE_WEBHOOKS: Holders(SCRIPTS, students=False, in_archived=False),
    Right.MANAGE_WEBHOOKS: Holders(SCRIPTS, students=False, in_archived=True),
    Right.SEE_STATISTICS: Holders(STAFF, students=False, in_archived=True),
    Right.SEE_METRICS: Holders(TEACHERS, students=False, in_archived=True),
    # The whole service: workers, versions, failures in all courses.
    Right.SEE_STATUS: Holders(ADMINS, students=False, in_archived=True),
    # Learning platforms, which bring people and courses.
    Right.MANAGE_PLATFORMS: Holders(ADMINS, students=False, in_archived=True),
    Right.REGRADE: Holders(TEACHERS, students=False, in_archived=False),
    Right.DECIDE: Holders(TEACHERS, students=False, in_archived=False),
    Right.MAKE_TOKENS: Holders(TEACHERS, students=False, in_archived=False),
    Right.MAKE_TOKENS_OF_STAFF: Holders(ADMINS, students=False, in_archived=False),
    Right.MANAGE_TOKENS: Holders(TEACHERS, students=False, in_archived=True),
    Right.DELETE_STUDENTS: Holders(ADMINS, students=False, in_archived=True),
    Right.MAKE_COURSES: Holders(ADMINS, students=False, in_archived=True),
    # To archive, to open again, to copy, to export.
    Right.MANAGE_COURSE: Holders(TEACHERS, students=False, in_archived=True),
    Right.DELETE_COURSE: Holders(ADMINS, students=False, in_archived=True),
    Right.MANAGE_ASSIGNMENTS: Holders(TEACHERS, students=False, in_archived=False),
    Right.SEE_MEMBERS: Holders(STAFF, students=False, in_archived=True),
    Right.MANAGE_MEMBERS: Holders(TEACHERS, students=False, in_archived=False),
    Right.MANAGE_TEACHERS: Holders(ADMINS, students=False, in_archived=False),
    Right.MAKE_LINKS: Holders(TEACHERS, students=False, in_archived=False),
    # To list them and to revoke them.
    Right.MANAGE_LINKS: Holders(TEACHERS, students=False, in_archived=True),
    Right.MERGE_PEOPLE: Holders(ADMINS, students=False, in_archived=True),
    # Across courses, with the archive of everything that is kept about somebody.
    Right.SEE_PEOPLE: Holders(ADMINS, students=False, in_archived=True),
    Right.DELETE_PEOPLE: Holders(ADMINS, students=False, in_archived=True),
    Right.SEE_GRADES: Holders(STAFF, students=False, in_archived=True),
    Right.EXTEND: Holders(TEACHERS, students=False, in_archived=False),
    Right.ADJUST: Holders(TEACHERS, students=False, in_archived=False),
    Right.COMMENT: Holders(STAFF, students=False, in_archived=False),
    Right.ASK_FOR_REVIEW: Holders(SCRIPTS, students=True, in_archived=False),
    Right.ANSWER_REVIEWS: Holders(STAFF, students=False, in_archived=False),
}

#: They add something to the holder's course. The other actions concern what is there, in whichever course that is.
ADDING = frozenset({Right.SUBMIT, Right.MAKE_WEBHOOKS, Right.MAKE_TOKENS, Right.MAKE_TOKENS_OF_STAFF})
