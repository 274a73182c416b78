"""The database tables, without queries.

A submission is also its own job: `job_status` and `priority` are the queue. A report is never changed; a regrade queues
the submission again and adds another one.
"""

from __future__ import annotations

import secrets
import time
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, ClassVar

from sqlalchemy import JSON, DateTime, Dialect, ForeignKey, Index, MetaData, String, Text, UniqueConstraint, text
from sqlalchemy import Enum as EnumColumn
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship
from sqlalchemy.types import TypeDecorator

# Crockford's base 32: no letter that can be taken for a digit.
ID_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
ID_LENGTH = 26
#: The course of everything that names none, and of what was there before courses were. The first migration to courses
#: makes it.
DEFAULT_COURSE = "0" * ID_LENGTH


_newest_id_milliseconds = 0


def new_id() -> str:
    """Make an identifier that sorts by its millisecond and cannot be guessed (80 random bits).

    The identifiers of one process always grow, even when its clock is set back.

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
    """A teacher's decision on an attempt that was held."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"


class Role(StrEnum):
    """The rights of a token: an admin acts in all courses, a teacher in one, a submitter on its own submissions."""

    ADMIN = "admin"
    TEACHER = "teacher"
    SUBMITTER = "submitter"


class MemberRole(StrEnum):
    """A person's part in a course."""

    TEACHER = "teacher"
    ASSISTANT = "assistant"
    STUDENT = "student"


IS_RUNNING = text("job_status = 'running'")


class UTCDateTime(TypeDecorator[datetime]):
    """A moment. SQLite keeps no time zone, so there it is stored as UTC without one."""

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


def _enum(values: type[StrEnum]) -> EnumColumn:
    # Stored as text without a CHECK: a new value then needs no migration.
    return EnumColumn(values, native_enum=False, length=16, values_callable=lambda enum: [item.value for item in enum])


class Base(DeclarativeBase):
    # Named constraints can be dropped by a later migration on every database.
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: UTCDateTime,
        dict[str, Any]: JSON,
        JobStatus: _enum(JobStatus),
        HoldDecision: _enum(HoldDecision),
        Role: _enum(Role),
        MemberRole: _enum(MemberRole),
    }


class Course(Base):
    """A course with its own people, assignments and deadlines."""

    __tablename__ = "courses"

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True, default=new_id)
    title: Mapped[str] = mapped_column(String(200))
    # Of texts for its people, where the reader asks for none.
    language: Mapped[str] = mapped_column(String(2))
    # A name of the IANA database, such as Europe/Moscow; deadlines are shown in it.
    time_zone: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    archived_at: Mapped[datetime | None]


class Person(Base):
    """A human being, who may be a member of several courses."""

    __tablename__ = "people"

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True, default=new_id)
    name: Mapped[str | None] = mapped_column(String(200))
    email: Mapped[str | None] = mapped_column(String(254), index=True)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)


class Membership(Base):
    """A person in a course."""

    __tablename__ = "memberships"
    __table_args__ = (UniqueConstraint("course_id", "external_id"), UniqueConstraint("course_id", "person_id"))

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True, default=new_id)
    course_id: Mapped[str] = mapped_column(ForeignKey("courses.id"))
    person_id: Mapped[str] = mapped_column(ForeignKey("people.id"), index=True)
    role: Mapped[MemberRole]
    # The id in the course's grade book; uploads name a student by it.
    external_id: Mapped[str | None] = mapped_column(String(200))
    group: Mapped[str | None] = mapped_column("group_name", String(100))
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    # None: an upload or a token named this student, and no teacher or roster has said that there is one.
    confirmed_at: Mapped[datetime | None]
    # A removed member keeps submissions and grades, and has no rights.
    removed_at: Mapped[datetime | None]

    person: Mapped[Person] = relationship(lazy="raise")


class CourseAssignment(Base):
    """An assignment file as one course uses it. Everything that it does not say is as in the file."""

    __tablename__ = "course_assignments"
    __table_args__ = (UniqueConstraint("course_id", "assignment_id"),)

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True, default=new_id)
    course_id: Mapped[str] = mapped_column(ForeignKey("courses.id"))
    # The id in the file.
    assignment_id: Mapped[str] = mapped_column(String(64))
    title: Mapped[str | None] = mapped_column(String(200))
    # The dates and rules that differ from the file: see `app.courses.assignments.Rules`.
    rules: Mapped[dict[str, Any]] = mapped_column(default=dict)
    # The maximum in the course's grade book; None: the points of the assignment.
    grade_book_points: Mapped[float | None]
    created_at: Mapped[datetime] = mapped_column(default=utc_now)


class Change(Base):
    """A line in the log of changes to a course, its people and its assignments. It ends with what it is about."""

    __tablename__ = "changes"
    __table_args__ = (Index(None, "course_id", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    course_id: Mapped[str] = mapped_column(ForeignKey("courses.id"))
    # The person concerned, if there is one.
    membership_id: Mapped[str | None] = mapped_column(ForeignKey("memberships.id"), index=True)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    # The name of the token.
    made_by: Mapped[str] = mapped_column(String(200))
    # Such as `course`, `member`, `assignment`; and the id of its row.
    subject: Mapped[str] = mapped_column(String(32))
    subject_id: Mapped[str] = mapped_column(String(ID_LENGTH))
    # The changed values only.
    before: Mapped[dict[str, Any]]
    after: Mapped[dict[str, Any]]


class Token(Base):
    """A bearer token; only its SHA-256 is stored. Tokens are random, so a slow hash would add nothing."""

    __tablename__ = "tokens"
    __table_args__ = (Index(None, "created_by", "idempotency_key", unique=True),)

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(String(200))
    role: Mapped[Role]
    # The course it acts in; an admin's acts in all, and in this one where a request names none.
    course_id: Mapped[str] = mapped_column(ForeignKey("courses.id"), index=True, default=DEFAULT_COURSE)
    # Set if it is a student's own token, with a copy of the student's external id.
    membership_id: Mapped[str | None] = mapped_column(ForeignKey("memberships.id"), index=True)
    student: Mapped[str | None] = mapped_column(String(200))
    sha256: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    # The id of the token that made it; None if a command did.
    created_by: Mapped[str | None] = mapped_column(String(ID_LENGTH))
    idempotency_key: Mapped[str | None] = mapped_column(String(255))


class Session(Base):
    """A signed-in browser. It has the rights of its token while that is valid."""

    __tablename__ = "sessions"

    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    token_id: Mapped[str] = mapped_column(ForeignKey("tokens.id"), index=True)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    expires_at: Mapped[datetime]


class Submission(Base):
    """One attempt: the uploaded bytes, and their state in the queue."""

    __tablename__ = "submissions"
    __table_args__ = (
        UniqueConstraint("membership_id", "course_assignment_id", "attempt"),
        Index(None, "job_status", "created_at", "id"),
        # The order of grading.
        Index("ix_submissions_queue", "job_status", text("priority DESC"), "arrival", "id"),
        # Only one submission of a member is graded at a time.
        Index(
            "ix_submissions_running",
            "membership_id",
            unique=True,
            sqlite_where=IS_RUNNING,
            postgresql_where=IS_RUNNING,
        ),
        Index(None, "arrival"),
        Index(None, "course_id", "id"),
        Index(None, "course_assignment_id"),
        Index(None, "student"),
        Index(None, "submitted_by", "created_at"),
        Index(None, "submitted_by", "idempotency_key", unique=True),
    )

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True, default=new_id)
    membership_id: Mapped[str] = mapped_column(ForeignKey("memberships.id"))
    course_assignment_id: Mapped[str] = mapped_column(ForeignKey("course_assignments.id"))
    # Copies out of those two rows, so that lists, messages and the queue need no join.
    course_id: Mapped[str] = mapped_column(ForeignKey("courses.id"), default=DEFAULT_COURSE)
    student: Mapped[str] = mapped_column(String(200))
    assignment_id: Mapped[str] = mapped_column(String(64))
    attempt: Mapped[int]
    filename: Mapped[str] = mapped_column(String(255))
    sha256: Mapped[str] = mapped_column(String(64))
    # Read only on request: it may be 20 MB.
    content: Mapped[bytes] = mapped_column(deferred=True)
    submitted_by: Mapped[str] = mapped_column(ForeignKey("tokens.id"))
    # The sender's own name for this request; sent again with the same token, it gives the same submission.
    idempotency_key: Mapped[str | None] = mapped_column(String(255))
    created_at: Mapped[datetime] = mapped_column(default=utc_now)

    # Grows with each submission, independent of clocks; within a priority the lowest is graded first. Two simultaneous
    # submissions may share it.
    arrival: Mapped[int] = mapped_column(default=0)
    job_status: Mapped[JobStatus] = mapped_column(default=JobStatus.QUEUED)
    # Higher is graded first. It is 0 for a student's first upload, and one less for each that already waits, so that
    # students take turns; far less for a regrade.
    priority: Mapped[int] = mapped_column(default=0)
    # How often grading was begun. `claim` names the running try, which alone may store its result.
    tries: Mapped[int] = mapped_column(default=0)
    claim: Mapped[str | None] = mapped_column(String(ID_LENGTH))
    # Grows while the holder of the claim lives: see `app.queue.heartbeat`.
    beat: Mapped[int] = mapped_column(default=0)
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]

    # Since when it is held for a teacher, and the decision: see `app.teaching.holds`.
    held_at: Mapped[datetime | None]
    hold_decision: Mapped[HoldDecision | None]
    # The name of the token.
    hold_decided_by: Mapped[str | None] = mapped_column(String(200))
    hold_decided_at: Mapped[datetime | None]
    hold_reason: Mapped[str | None] = mapped_column(Text)


class LiveWorker(Base):
    """A worker process on PostgreSQL, with its last heartbeat."""

    __tablename__ = "workers"

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    # By the database's clock.
    seen_at: Mapped[datetime]


class StoredReport(Base):
    """The report of one grading, in the stored form of `grader.report.model.Report`."""

    __tablename__ = "reports"

    # Counted by the database, so that the newest report does not depend on a clock.
    id: Mapped[int] = mapped_column(primary_key=True)
    submission_id: Mapped[str] = mapped_column(ForeignKey("submissions.id"), index=True)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    # Copied out of `body`, for lists and statistics.
    status: Mapped[str] = mapped_column(String(32))
    points: Mapped[float | None]
    max_points: Mapped[float]
    body: Mapped[dict[str, Any]]


class ReportDiagnosis(Base):
    """A diagnosis of a report, copied out of its `body` for statistics."""

    __tablename__ = "report_diagnoses"

    report_id: Mapped[int] = mapped_column(ForeignKey("reports.id"), primary_key=True)
    code: Mapped[str] = mapped_column(String(64), primary_key=True, index=True)


class Artefact(Base):
    """A part of a report that is too large for it: the arrays of a public case, from which pictures are drawn."""

    __tablename__ = "artefacts"

    report_id: Mapped[int] = mapped_column(ForeignKey("reports.id"), primary_key=True)
    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    content: Mapped[bytes]


class Regrade(Base):
    """A request to grade submissions again. It is over when every item has its new report."""

    __tablename__ = "regrades"
    __table_args__ = (Index(None, "requested_by", "idempotency_key", unique=True),)

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True, default=new_id)
    requested_by: Mapped[str] = mapped_column(ForeignKey("tokens.id"))
    # None: an admin's, of several courses.
    course_id: Mapped[str | None] = mapped_column(ForeignKey("courses.id"), index=True)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    # The choice in the words of the request: a filter, or ids.
    selection: Mapped[dict[str, Any]]
    idempotency_key: Mapped[str | None] = mapped_column(String(255))


class RegradeItem(Base):
    """One submission of a regrade: the report that counted before, and the new one."""

    __tablename__ = "regrade_items"

    regrade_id: Mapped[str] = mapped_column(ForeignKey("regrades.id"), primary_key=True)
    submission_id: Mapped[str] = mapped_column(ForeignKey("submissions.id"), primary_key=True, index=True)
    old_report_id: Mapped[int] = mapped_column(ForeignKey("reports.id"))
    new_report_id: Mapped[int | None] = mapped_column(ForeignKey("reports.id"))


class SubmissionEvent(Base):
    """An event of a submission: `queued`, a stage of grading, `done` or `cancelled`."""

    __tablename__ = "submission_events"
    __table_args__ = (Index(None, "submission_id", "id"),)

    # Counted by the database: watchers get events in this order.
    id: Mapped[int] = mapped_column(primary_key=True)
    submission_id: Mapped[str] = mapped_column(ForeignKey("submissions.id"))
    event: Mapped[str] = mapped_column(String(32))
    data: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(default=utc_now)


class Webhook(Base):
    """An address that is sent every report of one course that its token may read."""

    __tablename__ = "webhooks"
    __table_args__ = (Index(None, "created_by", "idempotency_key", unique=True),)

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True, default=new_id)
    url: Mapped[str] = mapped_column(String(2000))
    # Stored in plain text, because deliveries are signed with it.
    secret: Mapped[str] = mapped_column(String(100))
    idempotency_key: Mapped[str | None] = mapped_column(String(255))
    created_by: Mapped[str] = mapped_column(ForeignKey("tokens.id"), index=True)
    course_id: Mapped[str] = mapped_column(ForeignKey("courses.id"), index=True, default=DEFAULT_COURSE)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)


class Delivery(Base):
    """One message to one webhook; its id goes with every try to send it."""

    __tablename__ = "deliveries"
    __table_args__ = (Index(None, "webhook_id", "id"),)

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True, default=new_id)
    webhook_id: Mapped[str] = mapped_column(ForeignKey("webhooks.id"))
    event: Mapped[str] = mapped_column(String(32))
    report_id: Mapped[int | None] = mapped_column(ForeignKey("reports.id"), index=True)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    attempts: Mapped[int] = mapped_column(default=0)
    # It is sent when the clock is not between these two. Without `next_at` it has arrived, or was given up.
    waits_since: Mapped[datetime | None]
    next_at: Mapped[datetime | None] = mapped_column(index=True)
    delivered_at: Mapped[datetime | None]
    last_status: Mapped[int | None]
    last_error: Mapped[str | None] = mapped_column(String(200))
