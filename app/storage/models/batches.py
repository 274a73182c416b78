"""Tables of batches: a platform's archive of everybody's files, uploaded by a teacher, with a row for each file."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from app.storage.models.base import LAST, Entity, Row, enum_column


class BatchFileState(StrEnum):
    """The state of a file in a batch."""

    #: Its student is known, but it is not handed in yet.
    WAITING = "waiting"
    HANDED_IN = "handed_in"
    #: The student has handed in the same bytes before.
    DUPLICATE = "duplicate"
    #: No member of the course, or more than one, may be its owner.
    UNMATCHED = "unmatched"
    #: It cannot be read from the archive.
    UNREADABLE = "unreadable"
    #: The rules allow the student no further attempt.
    REFUSED = "refused"
    #: A teacher has skipped it.
    LEFT_OUT = "left_out"


class Batch(Entity):
    """An archive that a teacher has uploaded for one assignment."""

    __tablename__ = "batches"
    __table_args__ = (Index(None, "course_id", "id"),)

    course_id: Mapped[str] = mapped_column(ForeignKey("courses.id"))
    assignment_id: Mapped[str] = mapped_column(String(64))
    filename: Mapped[str] = mapped_column(String(255))
    # The name of the author: a person or a token.
    made_by: Mapped[str] = mapped_column(String(200))
    # The time when all files were stored; None: storing was interrupted, and the archive is needed again.
    read_at: Mapped[datetime | None]


class BatchFile(Row):
    """A file of a batch. It keeps its bytes until they are handed in, so that a restart loses none."""

    __tablename__ = "batch_files"
    __table_args__ = (Index(None, "batch_id", "state", "id"),)

    batch_id: Mapped[str] = mapped_column(ForeignKey("batches.id"))
    # Its path in the archive, and its file name.
    path: Mapped[str] = mapped_column(String(500))
    filename: Mapped[str] = mapped_column(String(255))
    # Its owner according to the archive.
    name: Mapped[str] = mapped_column(String(200))
    platform: Mapped[str | None] = mapped_column(String(16))
    platform_id: Mapped[str | None] = mapped_column(String(64))
    is_late: Mapped[bool] = mapped_column(default=False)
    state: Mapped[BatchFileState] = mapped_column(enum_column(BatchFileState))
    # Why it is unreadable or refused: a code, or the problem document's `type` and parameters.
    reason: Mapped[dict[str, Any]] = mapped_column(default=dict)
    content: Mapped[bytes | None] = mapped_column(deferred=True, sort_order=LAST)
    membership_id: Mapped[str | None] = mapped_column(ForeignKey("memberships.id"), index=True)
    # The way in which the owner was found: see `app.courses.matching`.
    matched_by: Mapped[str | None] = mapped_column(String(16))
    submission_id: Mapped[str | None] = mapped_column(ForeignKey("submissions.id"), index=True)
