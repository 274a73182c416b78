"""Errors about a course, and the assignments it uses."""

from __future__ import annotations

from app.errors import AccessDenied, AppError


class CourseNotFound(AppError):
    """There is no such course, or the token acts in another one."""


class CourseArchived(AccessDenied):
    """Nothing in the course changes any more."""


class DeletionUnconfirmed(AppError):
    """The request does not repeat the title of the course. params: came (as the title of the course)"""


class AssignmentNotFound(AppError):
    """There is no assignment at this address."""


class AssignmentInUse(AppError):
    """There are attempts at the assignment, or decisions about somebody's.

    params: submissions, decisions (their numbers)
    """


class RulesContradictory(AppError):
    """The dates of an assignment are in an impossible order.

    params: opens, due, closes (ISO 8601, or null), as they would be in the course; fields: those of them in the way
    """


class LateWithoutDue(AppError):
    """Lateness would cost points, and no due date says who is late."""
