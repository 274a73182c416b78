"""Tables of the ways in: tokens and links, sessions, identities of single sign-on."""

from __future__ import annotations

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
    # The course it acts in; an admin's acts in all, and in this one where a request names none.
    course_id: Mapped[str] = mapped_column(ForeignKey("courses.id"), index=True, default=DEFAULT_COURSE)
    # Set if it is a member's own: its rights are then those of the member's role, whatever `role` says. `student` is a
    # copy of a student's external id.
    membership_id: Mapped[str | None] = mapped_column(ForeignKey("memberships.id"), index=True)
    student: Mapped[str | None] = mapped_column(String(200))
    sha256: Mapped[str] = mapped_column(String(64), unique=True)
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    # A personal link: made for a browser, and replaced by the next one of the member that is used.
    is_link: Mapped[bool] = mapped_column(default=False)
    # When a browser first signed in with it.
    used_at: Mapped[datetime | None]
    # The actor that made it (`Principal.id`); None if a command did.
    created_by: Mapped[str | None] = mapped_column(String(ID_LENGTH))
    idempotency_key: Mapped[str | None] = mapped_column(String(255))


class Session(Base):
    """A signed-in browser. It has the rights of its token while that is valid, or those of its person."""

    __tablename__ = "sessions"
    __table_args__ = (CheckConstraint("(token_id IS NULL) <> (person_id IS NULL)", name="owner"),)

    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    token_id: Mapped[str | None] = mapped_column(ForeignKey("tokens.id"), index=True)
    # Signed in by single sign-on: all memberships of the person are open to it, or the one in `course_id`.
    person_id: Mapped[str | None] = mapped_column(ForeignKey("people.id"), index=True)
    # A platform has vouched for the person, in this course alone (`app.lti`).
    course_id: Mapped[str | None] = mapped_column(ForeignKey("courses.id"), index=True)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    expires_at: Mapped[datetime]


#: Begins the issuers of the people of platforms.
OF_PLATFORMS = "lti:"


class Identity(Entity):
    """A person as an issuer of single sign-on, or a platform (`app.lti`), knows them."""

    __tablename__ = "identities"
    __table_args__ = (UniqueConstraint("issuer", "subject"),)

    person_id: Mapped[str] = mapped_column(ForeignKey("people.id"), index=True)
    issuer: Mapped[str] = mapped_column(String(500))
    subject: Mapped[str] = mapped_column(String(255))
    # As the issuer said at the first sign-in; it identifies nobody.
    email: Mapped[str | None] = mapped_column(String(254))


class JoinLink(Entity):
    """A link by which anybody becomes a new, unconfirmed student of a course."""

    __tablename__ = "join_links"

    course_id: Mapped[str] = mapped_column(ForeignKey("courses.id"), index=True)
    sha256: Mapped[str] = mapped_column(String(64), unique=True)
    # The group of those who come by it.
    group: Mapped[str | None] = mapped_column("group_name", String(100))
    # How many may come; None: no limit.
    limit: Mapped[int | None] = mapped_column("most_uses")
    uses: Mapped[int] = mapped_column(default=0)
    # The name of the person or of the token.
    made_by: Mapped[str] = mapped_column(String(200))
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
