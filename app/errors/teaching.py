"""Errors about what teachers do: extensions, adjustments, comments, reviews, regrades, grade books."""

from app.errors import Conflict, Invalid, NotFound


class ExtensionNotFound(NotFound):
    """The student has no extension at this assignment."""


class AdjustmentNotFound(NotFound):
    """The student has no adjustment with this id at this assignment."""


class AdjustmentReplaced(Conflict):
    """The adjustment in the request is no longer the one that applies. params: expected, current (ids, or null)"""


class CommentNotFound(NotFound):
    """There is no comment with this id on this work."""


class ReviewNotFound(NotFound):
    """The course has no request for review with this id."""


class ReviewOpen(Conflict):
    """The previous request for this attempt is still unanswered. params: request (its id)"""


class ReviewAnswered(Conflict):
    """The request already has a different answer, or one by somebody else. params: answered_by"""


class LetterRepeated(Conflict):
    """Somebody has just written to the same students. params: minutes (within the last ones)"""


class RegradeNotFound(NotFound): ...


class RegradeNotPreview(Conflict):
    """The regrade is no preview, so it cannot be applied or dropped."""


class PreviewUnfinished(Conflict):
    """Some reports of the preview are still missing. params: done, total (submissions)"""


class PreviewApplied(Conflict):
    """The preview was applied, so it cannot be dropped."""


class PreviewDropped(Conflict):
    """The preview was dropped, so it cannot be applied."""


class GradeBookRefused(Invalid):
    """The CSV file of a platform's grade book is unusable."""


class GradeBookUnreadable(GradeBookRefused):
    """The file is neither Canvas' gradebook nor Moodle's grading worksheet."""


class GradeBookColumnMissing(GradeBookRefused):
    """No column, or more than one, matches the assignment. params: titles, came"""
