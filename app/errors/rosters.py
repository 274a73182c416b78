"""Errors about a roster: the CSV file with the people of a course."""

from app.errors import Conflict, Invalid


class RosterRefused(Invalid):
    """A roster is invalid; none of it was imported."""


class RosterNotCSV(RosterRefused):
    """The file is in a spreadsheet's own format."""


class RosterEncodingUnknown(RosterRefused):
    """The text is in neither UTF-8 nor CP1251. params: line"""


class RosterEmpty(RosterRefused): ...


class RosterBroken(RosterRefused):
    """The quotation marks are not valid CSV. params: line, reason"""


class RosterHeadingsUnknown(RosterRefused):
    """No heading in the first line identifies students. params: came, expected (headings)"""


class RosterColumnUnknown(RosterRefused):
    """The request names a column that the file does not have. params: came, known (headings)"""


class RosterTooLong(RosterRefused):
    """The roster, or a platform's own file of students, is too long. params: limit (rows), limit_bytes"""


class RosterChanged(Conflict):
    """The people of the course have changed since the import was planned.

    params: plan (the digest of the plan as it would be now)
    """
