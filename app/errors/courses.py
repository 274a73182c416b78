"""Errors about a course, and the assignments it uses."""

from app.errors import AccessDenied, Conflict, Invalid, NotFound


class CourseNotFound(NotFound):
    """There is no such course, or the token acts in another one."""


class CourseArchived(AccessDenied):
    """The course is archived, and nothing in it may change."""


class DeletionUnconfirmed(Conflict):
    """The request does not repeat the course's title as a confirmation. params: came (the title in the request)"""


class AssignmentNotFound(NotFound):
    """There is no assignment at this address."""


class AssignmentInUse(Conflict):
    """There are attempts at the assignment, or teachers' decisions about a student's grade.

    params: submissions, decisions (how many there are)
    """


class RulesContradictory(Invalid):
    """The dates of an assignment contradict each other.

    params: opens, due, closes (ISO 8601, or null), as they would be in the course; fields (the conflicting ones)
    """


class LateWithoutDue(Invalid):
    """There is a penalty for lateness, but no due date."""
