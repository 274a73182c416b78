"""Errors about a roster: the CSV file with the people of a course."""

from __future__ import annotations

from app.errors import AppError


class RosterRefused(AppError):
    """A list of a course's people is wrong; nothing of it was imported."""


class RosterNotCSV(RosterRefused):
    """The file is a spreadsheet's own."""


class RosterEncodingUnknown(RosterRefused):
    """The text is neither UTF-8, nor CP1251. params: line"""


class RosterEmpty(RosterRefused): ...


class RosterBroken(RosterRefused):
    """The quotation marks are not those of CSV. params: line, reason"""


class RosterHeadingsUnknown(RosterRefused):
    """The first line does not say which column names a student. params: came, expected (headings)"""


class RosterColumnUnknown(RosterRefused):
    """The request names a column that the file does not have. params: came, known (headings)"""


class RosterTooLong(RosterRefused):
    """The same holds for a platform's own file with students. params: limit (rows), limit_bytes"""


class RosterChanged(AppError):
    """The people of the course have changed since the plan was made that the request names.

    params: plan (the digest of what would be done now)
    """
