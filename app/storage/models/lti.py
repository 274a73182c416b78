"""Tables of LTI: our keys, platforms and what they know us by, launches, and the scores that go back.

A person whom a platform names is an `Identity`, whose issuer is `lti:` and the id of the platform.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint, false
from sqlalchemy.orm import Mapped, mapped_column

from app.storage.models.base import ID_LENGTH, Base, Entity, MemberRole, new_id, utc_now

#: Most characters of an address that a platform names.
URL_LENGTH = 2000
#: Most characters of an id that a platform gives out (LTI 1.3, "at most 255 ASCII characters").
PLATFORM_ID_LENGTH = 255


class LtiKey(Entity):
    """A key of this service, RSA. Its id is the `kid` of what it signs.

    It is published from its making on, signs between two moments, and is published for a while after that.
    """

    __tablename__ = "lti_keys"

    # PEM (PKCS #8), in plain text, because the service signs with it.
    private_key: Mapped[str] = mapped_column(Text)
    signs_since: Mapped[datetime | None]
    signed_until: Mapped[datetime | None]


class LtiPlatform(Entity):
    """A registration of this service at a learning management system, which is known by issuer and client id."""

    __tablename__ = "lti_platforms"
    __table_args__ = (UniqueConstraint("issuer", "client_id"),)

    name: Mapped[str] = mapped_column(String(200))
    issuer: Mapped[str] = mapped_column(String(500))
    client_id: Mapped[str] = mapped_column(String(PLATFORM_ID_LENGTH))
    login_url: Mapped[str] = mapped_column(String(URL_LENGTH))
    token_url: Mapped[str] = mapped_column(String(URL_LENGTH))
    keys_url: Mapped[str] = mapped_column(String(URL_LENGTH))
    # The audience of our assertions, where it is not the token's address.
    token_audience: Mapped[str | None] = mapped_column(String(URL_LENGTH))
    # Sites besides those of the addresses whose pages may show ours in a frame, with spaces.
    origins: Mapped[str] = mapped_column(Text, default="", server_default="")
    made_by: Mapped[str] = mapped_column(String(200))
    # The newest deployment from which a launch came that is not known here.
    refused_deployment: Mapped[str | None] = mapped_column(String(PLATFORM_ID_LENGTH))
    # None: it has registered itself, and nothing is taken from it before an admin confirms it.
    confirmed_at: Mapped[datetime | None]


class LtiDeployment(Base):
    """A place of a platform where this tool is deployed: all of it, or one account or course."""

    __tablename__ = "lti_deployments"
    __table_args__ = (UniqueConstraint("platform_id", "deployment_id"),)

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True, default=new_id)
    platform_id: Mapped[str] = mapped_column(ForeignKey("lti_platforms.id"))
    deployment_id: Mapped[str] = mapped_column(String(PLATFORM_ID_LENGTH))


class LtiInvitation(Base):
    """An address at which one platform may register itself, once; only the hash of its secret is kept."""

    __tablename__ = "lti_invitations"

    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    made_by: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    expires_at: Mapped[datetime] = mapped_column(index=True)
    used_at: Mapped[datetime | None]


class LtiLogin(Base):
    """A launch that has begun. It is used once, in the browser that began it."""

    __tablename__ = "lti_logins"

    # The hash of the state; nonce and browser are hashes, too.
    state_sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    nonce_sha256: Mapped[str] = mapped_column(String(64))
    browser_sha256: Mapped[str] = mapped_column(String(64))
    platform_id: Mapped[str] = mapped_column(ForeignKey("lti_platforms.id"), index=True)
    # The query with which the platform began it, to begin it once more in a window of its own.
    asked: Mapped[str] = mapped_column(Text)
    expires_at: Mapped[datetime] = mapped_column(index=True)


class LtiContext(Entity):
    """A course of a platform, and the course here that it is."""

    __tablename__ = "lti_contexts"
    __table_args__ = (UniqueConstraint("platform_id", "deployment_id", "context_id"),)

    platform_id: Mapped[str] = mapped_column(ForeignKey("lti_platforms.id"))
    deployment_id: Mapped[str] = mapped_column(String(PLATFORM_ID_LENGTH))
    context_id: Mapped[str] = mapped_column(String(PLATFORM_ID_LENGTH))
    course_id: Mapped[str] = mapped_column(ForeignKey("courses.id"), index=True)
    title: Mapped[str | None] = mapped_column(String(200))
    # Where the platform lists the members (NRPS), if it does.
    memberships_url: Mapped[str | None] = mapped_column(String(URL_LENGTH))
    # The nightly reading of members and grades: due when the clock is not between the first two.
    waits_since: Mapped[datetime | None]
    next_at: Mapped[datetime | None]
    checked_at: Mapped[datetime | None]
    # The newest one failed, in the platform's words, cut.
    check_error: Mapped[str | None] = mapped_column(String(500))
    made_by: Mapped[str] = mapped_column(String(200))


class LtiQuestion(Base):
    """A launch from an unknown course, which waits for its teacher to say which course here it is."""

    __tablename__ = "lti_questions"

    # The hash of the secret in the form of the page.
    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    platform_id: Mapped[str] = mapped_column(ForeignKey("lti_platforms.id"), index=True)
    message: Mapped[dict[str, Any]]
    expires_at: Mapped[datetime] = mapped_column(index=True)


class LtiCode(Base):
    """A code with which one course of a platform becomes this course, once. Only its hash is kept."""

    __tablename__ = "lti_codes"

    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    course_id: Mapped[str] = mapped_column(ForeignKey("courses.id"), index=True)
    made_by: Mapped[str] = mapped_column(String(200))
    expires_at: Mapped[datetime]


class LtiMember(Base):
    """A member whom a course of a platform has brought, with the part there. Several such courses may be one here."""

    __tablename__ = "lti_members"
    __table_args__ = (UniqueConstraint("lti_context_id", "membership_id"),)

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True, default=new_id)
    lti_context_id: Mapped[str] = mapped_column(ForeignKey("lti_contexts.id"))
    membership_id: Mapped[str] = mapped_column(ForeignKey("memberships.id"), index=True)
    role: Mapped[MemberRole]
    # When a launch or a list last said so.
    seen_at: Mapped[datetime] = mapped_column(default=utc_now)


class LtiLink(Entity):
    """A link in a platform's course, and the assignment that it leads to."""

    __tablename__ = "lti_links"
    __table_args__ = (UniqueConstraint("lti_context_id", "resource_link_id"),)

    lti_context_id: Mapped[str] = mapped_column(ForeignKey("lti_contexts.id"))
    resource_link_id: Mapped[str] = mapped_column(String(PLATFORM_ID_LENGTH))
    title: Mapped[str | None] = mapped_column(String(200))
    # The name in its parameters, if that is no assignment.
    named: Mapped[str | None] = mapped_column(String(200))
    # None: no teacher has said yet where it leads to.
    course_assignment_id: Mapped[str | None] = mapped_column(ForeignKey("course_assignments.id"), index=True)
    # The column of the platform's grade book (AGS): known from a launch, or found or made among the line items.
    lineitem_url: Mapped[str | None] = mapped_column(String(URL_LENGTH))
    lineitems_url: Mapped[str | None] = mapped_column(String(URL_LENGTH))
    # Its maximum there, when the grades were last compared.
    lineitem_max: Mapped[float | None]
    # The moment at which somebody began to look for it; kept while it is looked for, and where another one was deleted.
    lineitem_at: Mapped[datetime | None]
    # The scopes that the platform grants, and nothing else.
    scopes: Mapped[dict[str, Any]] = mapped_column(default=dict)


class LtiSelection(Base):
    """A platform's wish to be told where a new link leads to (Deep Linking), until somebody has chosen."""

    __tablename__ = "lti_selections"

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True, default=new_id)
    lti_context_id: Mapped[str] = mapped_column(ForeignKey("lti_contexts.id"), index=True)
    membership_id: Mapped[str] = mapped_column(ForeignKey("memberships.id"), index=True)
    return_url: Mapped[str] = mapped_column(String(URL_LENGTH))
    # It goes back as it came.
    data: Mapped[str | None] = mapped_column(Text)
    takes_lineitem: Mapped[bool]
    expires_at: Mapped[datetime]


class LtiScore(Base):
    """The grade of one person in one column of a platform's grade book, as it should be and as it was sent."""

    __tablename__ = "lti_scores"
    __table_args__ = (
        UniqueConstraint("lti_link_id", "user_id"),
        Index(None, "next_at"),
    )

    id: Mapped[str] = mapped_column(String(ID_LENGTH), primary_key=True, default=new_id)
    lti_link_id: Mapped[str] = mapped_column(ForeignKey("lti_links.id"))
    membership_id: Mapped[str] = mapped_column(ForeignKey("memberships.id"), index=True)
    # The person there (`sub`).
    user_id: Mapped[str] = mapped_column(String(PLATFORM_ID_LENGTH))
    # Grows with every change of the grade; it was delivered up to `sent_version`.
    version: Mapped[int] = mapped_column(default=0)
    sent_version: Mapped[int] = mapped_column(default=0)
    # The newest stamp that was sent, whole seconds; the next one is later.
    stamp: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(default=0)
    # It is sent when the clock is not between these two. Without `next_at` it has arrived, or was given up.
    waits_since: Mapped[datetime | None]
    next_at: Mapped[datetime | None]
    delivered_at: Mapped[datetime | None]
    # The grade that has arrived, and its maximum. A maximum alone: nothing is to be cleared there, because it
    # was, or because the attempts are gone for their age.
    points: Mapped[float | None]
    max_points: Mapped[float | None]
    # Arrived with it: when the attempt was handed in, and the comment's hash.
    submitted_at: Mapped[datetime | None]
    comment_sha256: Mapped[str | None] = mapped_column(String(64))
    # The grade when attempts were deleted for their age: what they gave is not taken back.
    kept_points: Mapped[float | None]
    kept_max: Mapped[float | None]
    # When this grade was sent again because the platform showed another one: it is once.
    mended_at: Mapped[datetime | None]
    # The platform shows another grade, at the newest comparison: this one.
    differs_since: Mapped[datetime | None]
    there_points: Mapped[float | None]
    there_max: Mapped[float | None]
    # Given up: only a new grade or a person starts it again.
    failed_at: Mapped[datetime | None]
    last_status: Mapped[int | None]
    # The platform's words, cut.
    last_error: Mapped[str | None] = mapped_column(String(500))
    # These are about our request for a token: nobody there has looked at the grade, which waits on.
    token_refused: Mapped[bool] = mapped_column(default=False, server_default=false())
