"""Errors about what teachers do: extensions, adjustments, comments, reviews, regrades, grade books."""

from __future__ import annotations

from app.errors import AppError


class ExtensionNotFound(AppError):
    """The student has no extension at this assignment."""


class AdjustmentNotFound(AppError):
    """The student has no adjustment with this id at this assignment."""


class AdjustmentReplaced(AppError):
    """Another adjustment applies than the one that the request names. params: expected, current (ids, or null)"""


class CommentNotFound(AppError):
    """There is no comment with this id on this work."""


class ReviewNotFound(AppError):
    """The course has no request for review with this id."""


class ReviewOpen(AppError):
    """The last request of this attempt waits for an answer. params: request (its id)"""


class ReviewAnswered(AppError):
    """The request was answered by somebody else, or in other words. params: answered_by"""


class RegradeNotFound(AppError): ...


class RegradeNotPreview(AppError):
    """The regrade counts already, and cannot be applied or dropped."""


class PreviewUnfinished(AppError):
    """The preview has not all its reports yet. params: done, total (submissions)"""


class PreviewApplied(AppError):
    """The reports of the preview count, and cannot be dropped."""


class PreviewDropped(AppError):
    """The reports of the preview are gone, and cannot be applied."""


class GradeBookRefused(AppError):
    """A platform's CSV to write grades into is wrong."""


class GradeBookUnreadable(GradeBookRefused):
    """The file is neither Canvas' gradebook nor Moodle's grading worksheet."""


class GradeBookColumnMissing(GradeBookRefused):
    """No column, or more than one, can be the assignment's. params: titles, came"""
