"""Errors about a course, and the assignments it uses."""

from app.errors import AccessDenied, AppError


class CourseNotFound(AppError):
    """There is no such course, or the token acts in another one."""


class CourseArchived(AccessDenied):
    """The course is archived, and nothing in it may change."""


class DeletionUnconfirmed(AppError):
    """The request does not repeat the course's title as a confirmation. params: came (the title in the request)"""


class AssignmentNotFound(AppError):
    """There is no assignment at this address."""


class AssignmentInUse(AppError):
    """There are attempts at the assignment, or teachers' decisions about a student's grade.

    params: submissions, decisions (how many there are)
    """


class RulesContradictory(AppError):
    """The dates of an assignment contradict each other.

    params: opens, due, closes (ISO 8601, or null), as they would be in the course; fields (the conflicting ones)
    """


class LateWithoutDue(AppError):
    """There is a penalty for lateness, but no due date."""
