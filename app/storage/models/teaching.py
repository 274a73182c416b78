"""Tables of teachers' work on grades: regrades, extensions, adjustments, comments, and answers to review requests."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.storage.models.base import ID_LENGTH, Claimable, Entity, JobStatus
from app.storage.models.people import CourseAssignment, Membership
from app.storage.models.submissions import Submission

IS_UNANSWERED = text("answered_at IS NULL")


class Regrade(Entity):
    """A request to grade submissions again. It is finished when every item has its new report."""

    __tablename__ = "regrades"
    __table_args__ = (Index(None, "requested_by", "idempotency_key", unique=True),)

    # The actor (`Principal.id`).
    requested_by: Mapped[str] = mapped_column(String(ID_LENGTH))
    # None: a regrade by an admin, over several courses.
    course_id: Mapped[str | None] = mapped_column(ForeignKey("courses.id"), index=True)
    # The selection as in the request: a filter, or ids.
    selection: Mapped[dict[str, Any]]
    idempotency_key: Mapped[str | None] = mapped_column(String(255))
    # Whether its reports count only after it is applied.
    is_preview: Mapped[bool] = mapped_column(default=False)
    applied_at: Mapped[datetime | None]
    dropped_at: Mapped[datetime | None]


class RegradeItem(Claimable):
    """One submission of a regrade: the report that counted before, and the new one."""

    __tablename__ = "regrade_items"
    __table_args__ = (Index(None, "job_status", "tries", "regrade_id", "submission_id"),)

    regrade_id: Mapped[str] = mapped_column(ForeignKey("regrades.id"), primary_key=True)
    submission_id: Mapped[str] = mapped_column(ForeignKey("submissions.id"), primary_key=True, index=True)
    old_report_id: Mapped[int] = mapped_column(ForeignKey("reports.id"))
    new_report_id: Mapped[int | None] = mapped_column(ForeignKey("reports.id"))

    # The job of a preview, separate from the submission's own, so that nobody notices it there. None: the submission's
    # own job is used.
    job_status: Mapped[JobStatus | None]
    # Whether the new report will hold the attempt when the preview is applied.
    is_held: Mapped[bool] = mapped_column(default=False)


class Extension(Entity):
    """More time or more attempts for one student at one assignment. The log of changes keeps earlier extensions."""

    __tablename__ = "extensions"
    __table_args__ = (UniqueConstraint("membership_id", "course_assignment_id"),)

    membership_id: Mapped[str] = mapped_column(ForeignKey("memberships.id"))
    course_assignment_id: Mapped[str] = mapped_column(ForeignKey("course_assignments.id"), index=True)
    # They replace the course's dates; None: as in the course.
    due: Mapped[datetime | None]
    closes: Mapped[datetime | None]
    # In addition to the course's limit.
    more_attempts: Mapped[int] = mapped_column(default=0)
    reason: Mapped[str] = mapped_column(Text)
    made_by: Mapped[str] = mapped_column(String(200))

    member: Mapped[Membership] = relationship(lazy="raise")
    use: Mapped[CourseAssignment] = relationship(lazy="raise")


class Adjustment(Entity):
    """A teacher's change of a student's grade at an assignment. The newest one that has not ended applies."""

    __tablename__ = "adjustments"
    __table_args__ = (Index(None, "membership_id", "course_assignment_id", "id"),)

    membership_id: Mapped[str] = mapped_column(ForeignKey("memberships.id"))
    course_assignment_id: Mapped[str] = mapped_column(ForeignKey("course_assignments.id"), index=True)
    # Exactly one of these is set: points to add, or the grade itself.
    delta: Mapped[float | None]
    value: Mapped[float | None]
    # For the student to read.
    reason: Mapped[str] = mapped_column(Text)
    # The grade without the adjustment, when it was made; None: there was none.
    points_below: Mapped[float | None]
    made_by: Mapped[str] = mapped_column(String(200))
    # The time and author of its replacement or withdrawal.
    ended_at: Mapped[datetime | None]
    ended_by: Mapped[str | None] = mapped_column(String(200))

    member: Mapped[Membership] = relationship(lazy="raise")
    use: Mapped[CourseAssignment] = relationship(lazy="raise")


class Comment(Entity):
    """A remark of the staff on a student's work, for the student to read."""

    __tablename__ = "comments"
    __table_args__ = (Index(None, "membership_id", "course_assignment_id", "id"),)

    membership_id: Mapped[str] = mapped_column(ForeignKey("memberships.id"))
    course_assignment_id: Mapped[str] = mapped_column(ForeignKey("course_assignments.id"), index=True)
    # The attempt in question; None: all of the student's work.
    submission_id: Mapped[str | None] = mapped_column(ForeignKey("submissions.id"), index=True)
    text: Mapped[str] = mapped_column(Text)
    made_by: Mapped[str] = mapped_column(String(200))

    use: Mapped[CourseAssignment] = relationship(lazy="raise")


class ReviewRequest(Entity):
    """A student's question whether an attempt was graded correctly, and the answer. An attempt has one at a time."""

    __tablename__ = "review_requests"
    __table_args__ = (
        Index(
            "ix_review_requests_open",
            "submission_id",
            unique=True,
            sqlite_where=IS_UNANSWERED,
            postgresql_where=IS_UNANSWERED,
        ),
    )

    submission_id: Mapped[str] = mapped_column(ForeignKey("submissions.id"), index=True)
    text: Mapped[str] = mapped_column(Text)
    answer: Mapped[str | None] = mapped_column(Text)
    answered_by: Mapped[str | None] = mapped_column(String(200))
    answered_at: Mapped[datetime | None]

    submission: Mapped[Submission] = relationship(lazy="raise")
