"""Tables of the ways in: tokens and links, sessions, single sign-on identities."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.storage.models.base import DEFAULT_COURSE, ID_LENGTH, Base, Entity, Role, utc_now


class Token(Entity):
    """A bearer token; only its SHA-256 is stored. Tokens are random, so a slow hash would add nothing."""

    __tablename__ = "tokens"
    __table_args__ = (Index(None, "created_by", "idempotency_key", unique=True),)

    name: Mapped[str] = mapped_column(String(200))
    role: Mapped[Role]
    # The token's course. An admin's token is valid in all; this is the one for requests that name none.
    course_id: Mapped[str] = mapped_column(ForeignKey("courses.id"), index=True, default=DEFAULT_COURSE)
    # Set if the token is a member's own: its rights are then those of the member's role, and `role` is ignored.
    # `student` is a copy of a student's external id.
    membership_id: Mapped[str | None] = mapped_column(ForeignKey("memberships.id"), index=True)
    student: Mapped[str | None] = mapped_column(String(200))
    sha256: Mapped[str] = mapped_column(String(64), unique=True)
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    # Whether it is a personal link: made for a browser, and revoked when a newer link of the member is used.
    is_link: Mapped[bool] = mapped_column(default=False)
    # Set for a student's notebook: the only assignment, by the id of its file, that the token is for.
    assignment_id: Mapped[str | None] = mapped_column(String(64))
    # The time when a browser first signed in with it; for a notebook, of its latest request, within some minutes.
    used_at: Mapped[datetime | None]
    # The actor that made it (`Principal.id`); None: a command.
    created_by: Mapped[str | None] = mapped_column(String(ID_LENGTH))
    idempotency_key: Mapped[str | None] = mapped_column(String(255))


class NotebookCode(Entity):
    """A code that a student's notebook exchanges for a token, once and soon. A newer one replaces it."""

    __tablename__ = "notebook_codes"

    membership_id: Mapped[str] = mapped_column(ForeignKey("memberships.id"), unique=True)
    # The id in the assignment's file.
    assignment_id: Mapped[str] = mapped_column(String(64))
    # The language of the page that showed it.
    language: Mapped[str] = mapped_column(String(2))
    sha256: Mapped[str] = mapped_column(String(64), unique=True)
    expires_at: Mapped[datetime]


class Session(Base):
    """A signed-in browser. It has the rights of its token, while that is valid, or those of its person."""

    __tablename__ = "sessions"
    __table_args__ = (CheckConstraint("(token_id IS NULL) <> (person_id IS NULL)", name="owner"),)

    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    token_id: Mapped[str | None] = mapped_column(ForeignKey("tokens.id"), index=True)
    # Set for single sign-on: all memberships of the person are accessible, or only the one in `course_id`.
    person_id: Mapped[str | None] = mapped_column(ForeignKey("people.id"), index=True)
    # Set if a platform vouches for the person, which it may only in this course (`app.lti`).
    course_id: Mapped[str | None] = mapped_column(ForeignKey("courses.id"), index=True)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    expires_at: Mapped[datetime]


#: The prefix of issuers that stand for platforms.
OF_PLATFORMS = "lti:"


class Identity(Entity):
    """A person's identity at an issuer of single sign-on, or at a platform (`app.lti`)."""

    __tablename__ = "identities"
    __table_args__ = (UniqueConstraint("issuer", "subject"),)

    person_id: Mapped[str] = mapped_column(ForeignKey("people.id"), index=True)
    issuer: Mapped[str] = mapped_column(String(500))
    subject: Mapped[str] = mapped_column(String(255))
    # The address from the first sign-in; it identifies nobody.
    email: Mapped[str | None] = mapped_column(String(254))


class JoinLink(Entity):
    """A link by which anybody becomes a new, unconfirmed student of a course."""

    __tablename__ = "join_links"

    course_id: Mapped[str] = mapped_column(ForeignKey("courses.id"), index=True)
    sha256: Mapped[str] = mapped_column(String(64), unique=True)
    # The group of members who join by it.
    group: Mapped[str | None] = mapped_column("group_name", String(100))
    # The limit of members who may join by it; None: no limit.
    limit: Mapped[int | None] = mapped_column("most_uses")
    uses: Mapped[int] = mapped_column(default=0)
    # The name of the author: a person or a token.
    made_by: Mapped[str] = mapped_column(String(200))
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
