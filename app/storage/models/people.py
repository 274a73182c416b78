"""Tables of courses, of their people and assignments, and of the changes to them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.storage.models.base import ID_LENGTH, Base, Entity, MemberRole, utc_now


class Course(Entity):
    """A course with its own people, assignments and deadlines."""

    __tablename__ = "courses"
    __table_args__ = (Index(None, "created_by", "idempotency_key", unique=True),)

    title: Mapped[str] = mapped_column(String(200))
    # The language of texts for its people, where the reader asks for none.
    language: Mapped[str] = mapped_column(String(2))
    # A name of the IANA database, such as Europe/Moscow; deadlines are shown in it.
    time_zone: Mapped[str] = mapped_column(String(64))
    archived_at: Mapped[datetime | None]
    # The age at which submissions are deleted; None: the service's own setting.
    retention_days: Mapped[float | None]
    # The actor that made it (`Principal.id`); None if a command did.
    created_by: Mapped[str | None] = mapped_column(String(ID_LENGTH))
    idempotency_key: Mapped[str | None] = mapped_column(String(255))


class Person(Entity):
    """A human being, who may be a member of several courses."""

    __tablename__ = "people"

    name: Mapped[str | None] = mapped_column(String(200))
    email: Mapped[str | None] = mapped_column(String(254), index=True)


class Membership(Entity):
    """A person in a course."""

    __tablename__ = "memberships"
    __table_args__ = (UniqueConstraint("course_id", "external_id"), UniqueConstraint("course_id", "person_id"))

    course_id: Mapped[str] = mapped_column(ForeignKey("courses.id"))
    person_id: Mapped[str] = mapped_column(ForeignKey("people.id"), index=True)
    role: Mapped[MemberRole]
    # The id in the course's grade book; uploads name a student by it.
    external_id: Mapped[str | None] = mapped_column(String(200))
    group: Mapped[str | None] = mapped_column("group_name", String(100))
    # The join link by which the member came, whose address nobody but the member vouches for.
    join_link_id: Mapped[str | None] = mapped_column(String(ID_LENGTH))
    # The id that somebody gave who came by a join link. It proves nothing, and helps a teacher to find the entry.
    claimed_id: Mapped[str | None] = mapped_column(String(200))
    # None: an upload, a token or a join link made this student, and no teacher or roster has said that there is one.
    confirmed_at: Mapped[datetime | None]
    # When an identity of single sign-on took this entry of a roster by its address, which happens once.
    signed_on_at: Mapped[datetime | None]
    # A removed member keeps submissions and grades, and has no rights.
    removed_at: Mapped[datetime | None]
    # The platform that has removed the member, which may bring the member back; None: somebody here has. Of a member
    # who is there: the one that had brought them before their connection was undone, and may say their part again.
    dropped_by: Mapped[str | None] = mapped_column(String(ID_LENGTH))

    person: Mapped[Person] = relationship(lazy="raise")


class CourseAssignment(Entity):
    """An assignment file as one course uses it. Everything that it does not say is as in the file."""

    __tablename__ = "course_assignments"
    __table_args__ = (UniqueConstraint("course_id", "assignment_id"),)

    course_id: Mapped[str] = mapped_column(ForeignKey("courses.id"))
    # The id in the file.
    assignment_id: Mapped[str] = mapped_column(String(64))
    title: Mapped[str | None] = mapped_column(String(200))
    # The dates and rules that differ from the file: see `app.courses.assignments.Rules`.
    rules: Mapped[dict[str, Any]] = mapped_column(default=dict)
    # The maximum in the course's grade book; None: the points of the assignment.
    grade_book_points: Mapped[float | None]


class Change(Base):
    """A line in the log of changes to a course, its people and its assignments. It ends with what it is about."""

    __tablename__ = "changes"
    __table_args__ = (Index(None, "course_id", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    course_id: Mapped[str] = mapped_column(ForeignKey("courses.id"))
    # The person concerned, if there is one.
    membership_id: Mapped[str | None] = mapped_column(ForeignKey("memberships.id"), index=True)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    # The name of the person or of the token.
    made_by: Mapped[str] = mapped_column(String(200))
    # Such as `course`, `member`, `assignment`; and the id of its row.
    subject: Mapped[str] = mapped_column(String(32))
    subject_id: Mapped[str] = mapped_column(String(ID_LENGTH))
    # The changed values only.
    before: Mapped[dict[str, Any]]
    after: Mapped[dict[str, Any]]


class Merge(Entity):
    """Two members, or two persons, who were found to be one; with what moved, so that it can be undone."""

    __tablename__ = "merges"

    # The course of two members; None: two persons were merged.
    course_id: Mapped[str | None] = mapped_column(ForeignKey("courses.id"), index=True)
    kept_member_id: Mapped[str | None] = mapped_column(ForeignKey("memberships.id"), index=True)
    merged_member_id: Mapped[str | None] = mapped_column(ForeignKey("memberships.id"), index=True)
    kept_person_id: Mapped[str | None] = mapped_column(ForeignKey("people.id"), index=True)
    merged_person_id: Mapped[str | None] = mapped_column(ForeignKey("people.id"), index=True)
    # The ids of the rows that moved, by table, with their values from before.
    moved: Mapped[dict[str, Any]]
    made_by: Mapped[str] = mapped_column(String(200))
    undone_at: Mapped[datetime | None]
