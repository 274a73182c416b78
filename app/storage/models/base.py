"""Common to all tables: identifiers, moments, enumerations, and the names of constraints."""

import secrets
import time
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, ClassVar

from sqlalchemy import JSON, DateTime, Dialect, MetaData, String, text
from sqlalchemy import Enum as EnumColumn
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

# Crockford's base 32, without letters that look like digits.
ID_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
ID_LENGTH = 26
#: The course for requests that name none. A new database has it.
DEFAULT_COURSE = "0" * ID_LENGTH


_newest_id_milliseconds = 0


def new_id() -> str:
    """Return an identifier that sorts by its time in milliseconds and cannot be guessed (80 random bits).

    The identifiers of one process always increase, even when its clock is set back.

    Source: the ULID layout, github.com/ulid/spec.
    """
    global _newest_id_milliseconds
    _newest_id_milliseconds = max(time.time_ns() // 1_000_000, _newest_id_milliseconds + 1)
    number = (_newest_id_milliseconds << 80) | secrets.randbits(80)
    return "".join(ID_ALPHABET[number >> shift & 31] for shift in range(5 * (ID_LENGTH - 1), -1, -5))


def utc_now() -> datetime:
    return datetime.now(UTC)


class JobStatus(StrEnum):
    """The state of a submission in the queue. The values are the strings in the JSON."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    CANCELLED = "cancelled"


class HoldDecision(StrEnum):
    """A teacher's decision on a held attempt."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"


class Role(StrEnum):
    """The rights of a token.

    An admin acts in all courses, a teacher in one. An assistant reads one course, and changes no grades. A submitter
    handles only its own submissions.
    """

    ADMIN = "admin"
    TEACHER = "teacher"
    ASSISTANT = "assistant"
    SUBMITTER = "submitter"


class MemberRole(StrEnum):
    """A person's role in a course."""

    TEACHER = "teacher"
    ASSISTANT = "assistant"
    STUDENT = "student"


IS_RUNNING = text("job_status = 'running'")
#: The place of a column behind all others (`sort_order`).
LAST = 2


class UTCDateTime(TypeDecorator[datetime]):
    """A point in time. SQLite stores no time zones, so there it is UTC without one."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def enum_column(values: type[StrEnum]) -> EnumColumn:
    """Return the type of a column that holds the values of `values`."""
    # Stored as text without a CHECK: a new value then needs no migration.
    return EnumColumn(values, native_enum=False, length=16, values_callable=lambda enum: [item.value for item in enum])


class Base(DeclarativeBase):
    # A later migration can drop named constraints on every database.
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: UTCDateTime,
        dict[str, Any]: JSON,
        JobStatus: enum_column(JobStatus),
        HoldDecision: enum_column(HoldDecision),
        Role: enum_column(Role),
        MemberRole: enum_column(MemberRole),
    }


class Row(Base):
    """A row with one of our identifiers."""

    __abstract__ = True

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True, default=new_id, sort_order=-1)


class Entity(Row):
    """A row with the time of its creation."""

    __abstract__ = True

    created_at: Mapped[datetime] = mapped_column(default=utc_now, sort_order=1)


class Claimable(Base):
    """A job. `claim` identifies the running try, and only that may store its result."""

    __abstract__ = True

    tries: Mapped[int] = mapped_column(default=0)
    claim: Mapped[str | None] = mapped_column(String(ID_LENGTH))
    # Increases while the holder of the claim is alive: see `app.queue.heartbeat`.
    beat: Mapped[int] = mapped_column(default=0)
