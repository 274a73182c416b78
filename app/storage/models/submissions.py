"""Tables of attempts: the upload, its position in the queue, and its reports.

A submission is also its own job: `job_status` and `priority` are the queue. A report is never changed; a regrade queues
the submission again and adds another one.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.storage.models.base import (
    DEFAULT_COURSE,
    ID_LENGTH,
    IS_RUNNING,
    LAST,
    Base,
    Claimable,
    Entity,
    HoldDecision,
    JobStatus,
    utc_now,
)
from reference import new_seed


class Submission(Claimable, Entity):
    """An attempt: the uploaded bytes, and their state in the queue."""

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
        # Equal code among the attempts at an assignment.
        Index("ix_submissions_code", "course_assignment_id", "code_form", "code_statements", "membership_id"),
        Index(None, "student"),
        Index(None, "submitted_by", "created_at"),
        Index(None, "submitted_by", "idempotency_key", unique=True),
    )

    membership_id: Mapped[str] = mapped_column(ForeignKey("memberships.id"))
    course_assignment_id: Mapped[str] = mapped_column(ForeignKey("course_assignments.id"))
    # Copied from those two rows, so that lists, messages and the queue need no join.
    course_id: Mapped[str] = mapped_column(ForeignKey("courses.id"), default=DEFAULT_COURSE)
    student: Mapped[str] = mapped_column(String(200))
    assignment_id: Mapped[str] = mapped_column(String(64))
    attempt: Mapped[int]
    filename: Mapped[str] = mapped_column(String(255))
    sha256: Mapped[str] = mapped_column(String(64))
    # Loaded only on request, because it may be 20 MB, and last: SQLite reads through it to the columns behind.
    content: Mapped[bytes] = mapped_column(deferred=True, sort_order=LAST)
    # Determines the test data at every try and regrade: see `grader.grade`. It reveals the answers, so only a claim
    # loads it.
    seed: Mapped[bytes] = mapped_column(deferred=True, default=new_seed)
    # The actor (`Principal.id`): a token, or a member in a session of single sign-on.
    submitted_by: Mapped[str] = mapped_column(String(ID_LENGTH))
    # The sender's own name for this request. A repeat by the same actor returns the same submission.
    idempotency_key: Mapped[str | None] = mapped_column(String(255))

    # Increases with each submission, independent of clocks. Within a priority the lowest is graded first. Simultaneous
    # submissions may share a value.
    arrival: Mapped[int] = mapped_column(default=0)
    job_status: Mapped[JobStatus] = mapped_column(default=JobStatus.QUEUED)
    # The highest is graded first. It is 0 for a student's first upload and one less for each upload already waiting, so
    # that students take turns; for a regrade it is far less.
    priority: Mapped[int] = mapped_column(default=0)
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]

    # The fingerprint of its code (`grader.report.fingerprint`); None: it was graded before there were any, or never.
    code_form: Mapped[str | None] = mapped_column(String(64))
    code_text: Mapped[str | None] = mapped_column(String(64))
    code_statements: Mapped[int | None]

    # The time since which it is held for a teacher, and the decision: see `app.teaching.holds`.
    held_at: Mapped[datetime | None]
    hold_decision: Mapped[HoldDecision | None]
    # The name of the author: a person or a token.
    hold_decided_by: Mapped[str | None] = mapped_column(String(200))
    hold_decided_at: Mapped[datetime | None]
    hold_reason: Mapped[str | None] = mapped_column(Text)


class Check(Claimable, Entity):
    """A check before handing in: no attempt, no grade, and nobody's but the student's, for a day. It is its own job."""

    __tablename__ = "checks"
    __table_args__ = (
        Index(None, "job_status", "tries", "id"),
        Index(None, "membership_id", "created_at"),
        Index(None, "submitted_by", "idempotency_key", unique=True),
    )

    membership_id: Mapped[str] = mapped_column(ForeignKey("memberships.id"))
    # The id in the assignment's file.
    assignment_id: Mapped[str] = mapped_column(String(64))
    filename: Mapped[str] = mapped_column(String(255))
    # The uploaded bytes, until there is a report.
    content: Mapped[bytes | None] = mapped_column(deferred=True, sort_order=LAST)
    sha256: Mapped[str] = mapped_column(String(64))
    # As in `Submission`; a check that we failed loses its key, so the same request runs again.
    submitted_by: Mapped[str] = mapped_column(String(ID_LENGTH))
    idempotency_key: Mapped[str | None] = mapped_column(String(255))
    job_status: Mapped[JobStatus] = mapped_column(default=JobStatus.QUEUED)
    # In the stored form of `grader.report.model.Report`, as the student may see it.
    report: Mapped[dict[str, Any] | None]
    # The artefact with the lines that the report marks.
    source: Mapped[bytes | None]


class LiveWorker(Base):
    """A worker process on PostgreSQL, with its last heartbeat."""

    __tablename__ = "workers"

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True)
    # By the database's clock.
    seen_at: Mapped[datetime]
    # The worker's description of itself: see `app.operations.about`.
    about: Mapped[dict[str, Any]] = mapped_column(default=dict)


class StoredReport(Base):
    """The report of one grading, in the stored form of `grader.report.model.Report`."""

    __tablename__ = "reports"

    # Numbered by the database, so that the newest report does not depend on a clock.
    id: Mapped[int] = mapped_column(primary_key=True)
    submission_id: Mapped[str] = mapped_column(ForeignKey("submissions.id"), index=True)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    # Copied from `body`, for lists and statistics.
    status: Mapped[str] = mapped_column(String(32))
    points: Mapped[float | None]
    max_points: Mapped[float]
    # The versions that graded it; None: the report is from an early version.
    assignment_digest: Mapped[str | None] = mapped_column(String(64))
    grader_version: Mapped[str | None] = mapped_column(String(100))
    body: Mapped[dict[str, Any]]
    # The regrade that it is a preview for. It does not count until that is applied, which clears this.
    preview_id: Mapped[str | None] = mapped_column(ForeignKey("regrades.id"), index=True)


class ReportDiagnosis(Base):
    """A diagnosis of a report, copied from its `body` for statistics."""

    __tablename__ = "report_diagnoses"

    report_id: Mapped[int] = mapped_column(ForeignKey("reports.id"), primary_key=True)
    code: Mapped[str] = mapped_column(String(64), primary_key=True, index=True)


class Artefact(Base):
    """A part that is too large for the report itself: the arrays of a public case, from which pictures are drawn."""

    __tablename__ = "artefacts"

    report_id: Mapped[int] = mapped_column(ForeignKey("reports.id"), primary_key=True)
    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    content: Mapped[bytes]


class SubmissionEvent(Base):
    """An event of a submission: `queued`, a stage of grading, `done` or `cancelled`."""

    __tablename__ = "submission_events"
    __table_args__ = (Index(None, "submission_id", "id"),)

    # Numbered by the database; watchers get events in this order.
    id: Mapped[int] = mapped_column(primary_key=True)
    submission_id: Mapped[str] = mapped_column(ForeignKey("submissions.id"))
    event: Mapped[str] = mapped_column(String(32))
    data: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
