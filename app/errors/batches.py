"""Errors about a batch: a platform's archive of everybody's files."""

from app.errors import Invalid, NotFound


class ArchiveRefused(Invalid):
    """An archive of everybody's files is unusable; none of it was handed in."""


class ArchiveUnreadable(ArchiveRefused):
    """The file is no ZIP archive, or damaged."""


class ArchiveTooLarge(ArchiveRefused):
    """The archive holds more files than any course needs, or unpacks to more bytes than we read.

    params: limit_files, limit_bytes (unpacked), packed_bytes (the limit of the archive)
    """


class ArchiveEmpty(ArchiveRefused):
    """There is no file to grade in the archive."""


class BatchNotFound(NotFound):
    """The course has no batch with this id."""
