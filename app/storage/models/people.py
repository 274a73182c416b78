"""Tables of courses, their people and assignments, and the changes to these."""

from datetime import datetime
from secrets import token_urlsafe
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.storage.models.base import ID_LENGTH, Base, Entity, MemberRole, utc_now


class Course(Entity):
    """A course with its own people, assignments and deadlines."""

    __tablename__ = "courses"
    __table_args__ = (Index(None, "created_by", "idempotency_key", unique=True),)

    title: Mapped[str] = mapped_column(String(200))
    # The language of texts for readers who choose none.
    language: Mapped[str] = mapped_column(String(2))
    # A name of the IANA database, such as Europe/Moscow; deadlines are shown in it.
    time_zone: Mapped[str] = mapped_column(String(64))
    archived_at: Mapped[datetime | None]
    # The age at which submissions are deleted; None: as in the settings of the service.
    retention_days: Mapped[float | None]
    # The actor that made it (`Principal.id`); None: a command.
    created_by: Mapped[str | None] = mapped_column(String(ID_LENGTH))
    idempotency_key: Mapped[str | None] = mapped_column(String(255))


class Person(Entity):
    """A human being, possibly a member of several courses."""

    __tablename__ = "people"

    name: Mapped[str | None] = mapped_column(String(200))
    email: Mapped[str | None] = mapped_column(String(254), index=True)
    # The language in which they last read their first page; None: unknown.
    language: Mapped[str | None] = mapped_column(String(2))


class NewsMail(Base):
    """Mail to a person about news (`app.teaching.news_mail`)."""

    __tablename__ = "news_mails"

    person_id: Mapped[str] = mapped_column(ForeignKey("people.id"), primary_key=True)
    # In plain text, because each mail holds it. It only switches this mail off.
    secret: Mapped[str] = mapped_column(String(32), unique=True, default=lambda: token_urlsafe(16))
    off_at: Mapped[datetime | None]
    # The time of the newest news that was mailed.
    mailed_until: Mapped[datetime | None]
    tries: Mapped[int] = mapped_column(default=0)
    # No mail is sent while the clock is inside this interval: of a try, of a wait, or of the day after a mail.
    waits_since: Mapped[datetime | None]
    next_at: Mapped[datetime | None]


class Letter(Entity):
    """A teacher's letter to a student, until it is sent or given up (`app.teaching.letters`)."""

    __tablename__ = "letters"

    membership_id: Mapped[str] = mapped_column(ForeignKey("memberships.id"))
    # The id in the assignment's file.
    assignment_id: Mapped[str] = mapped_column(String(64))
    subject: Mapped[str] = mapped_column(String(200))
    text: Mapped[str] = mapped_column(Text)
    language: Mapped[str] = mapped_column(String(2))
    # It is not sent later, because it would be wrong then.
    until: Mapped[datetime]
    tries: Mapped[int] = mapped_column(default=0)
    # It is due while the clock is outside this interval.
    waits_since: Mapped[datetime]
    next_at: Mapped[datetime] = mapped_column(index=True)


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
    # The member's join link, if any. Only the member vouches for the address given there.
    join_link_id: Mapped[str | None] = mapped_column(String(ID_LENGTH))
    # The id that the member entered at a join link. It proves nothing, but helps a teacher to find the entry.
    claimed_id: Mapped[str | None] = mapped_column(String(200))
    # None: an upload, a token or a join link created this student, and no teacher or roster has confirmed them.
    confirmed_at: Mapped[datetime | None]
    # The time when a single sign-on identity claimed this roster entry by its address, which happens once.
    signed_on_at: Mapped[datetime | None]
    # The time of the newest news that the member has seen (`app.teaching.news`).
    news_seen_at: Mapped[datetime | None]
    # A removed member keeps submissions and grades, and has no rights.
    removed_at: Mapped[datetime | None]
    # For a removed member: the platform that removed them, and may add them again; None: somebody here did. For a
    # current member: the platform whose connection was undone, and which may set their role again.
    dropped_by: Mapped[str | None] = mapped_column(String(ID_LENGTH))

    person: Mapped[Person] = relationship(lazy="raise")


class CourseAssignment(Entity):
    """An assignment file as used by one course. The file holds everything that is not set here."""

    __tablename__ = "course_assignments"
    __table_args__ = (UniqueConstraint("course_id", "assignment_id"),)

    course_id: Mapped[str] = mapped_column(ForeignKey("courses.id"))
    # The assignment's id in the file.
    assignment_id: Mapped[str] = mapped_column(String(64))
    title: Mapped[str | None] = mapped_column(String(200))
    # Dates and rules that override the file: see `app.courses.assignments.Rules`.
    rules: Mapped[dict[str, Any]] = mapped_column(default=dict)
    # The maximum in the course's grade book; None: the points of the assignment.
    grade_book_points: Mapped[float | None]


class Change(Base):
    """A line in the log of changes to a course, its people and its assignments. It is deleted with its subject."""

    __tablename__ = "changes"
    __table_args__ = (Index(None, "course_id", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    course_id: Mapped[str] = mapped_column(ForeignKey("courses.id"))
    # The member concerned, if any.
    membership_id: Mapped[str | None] = mapped_column(ForeignKey("memberships.id"), index=True)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    # The name of the author: a person or a token.
    made_by: Mapped[str] = mapped_column(String(200))
    # The kind of the changed row, such as `course`, `member`, `assignment`, and its id.
    subject: Mapped[str] = mapped_column(String(32))
    subject_id: Mapped[str] = mapped_column(String(ID_LENGTH))
    # Only the changed values.
    before: Mapped[dict[str, Any]]
    after: Mapped[dict[str, Any]]


class Merge(Entity):
    """The join of two members, or two persons, who are one human being. It records the moved rows, to be undone."""

    __tablename__ = "merges"

    # The course of the two members; None: two persons were merged.
    course_id: Mapped[str | None] = mapped_column(ForeignKey("courses.id"), index=True)
    kept_member_id: Mapped[str | None] = mapped_column(ForeignKey("memberships.id"), index=True)
    merged_member_id: Mapped[str | None] = mapped_column(ForeignKey("memberships.id"), index=True)
    kept_person_id: Mapped[str | None] = mapped_column(ForeignKey("people.id"), index=True)
    merged_person_id: Mapped[str | None] = mapped_column(ForeignKey("people.id"), index=True)
    # The ids of the moved rows, by table, with their earlier values.
    moved: Mapped[dict[str, Any]]
    made_by: Mapped[str] = mapped_column(String(200))
    undone_at: Mapped[datetime | None]
