"""Tables of LTI: our keys, platforms, launches, and the scores sent to platforms.

A platform's person is an `Identity`, whose issuer is `lti:` followed by the platform's id.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint, false
from sqlalchemy.orm import Mapped, mapped_column

from app.storage.models.base import Base, Entity, MemberRole, Row, utc_now

#: The most characters in an address that a platform names.
URL_LENGTH = 2000
#: The most characters in an id that a platform assigns (LTI 1.3, "at most 255 ASCII characters").
PLATFORM_ID_LENGTH = 255


class LtiKey(Entity):
    """An RSA key of this service. Its id is the `kid` of its signatures.

    It is published at once, signs between two points in time, and stays published for a while after that.
    """

    __tablename__ = "lti_keys"

    # PEM (PKCS #8), in plain text, because the service signs with it.
    private_key: Mapped[str] = mapped_column(Text)
    signs_since: Mapped[datetime | None]
    signed_until: Mapped[datetime | None]


class LtiPlatform(Entity):
    """A registration of this service at a learning management system, identified by issuer and client id."""

    __tablename__ = "lti_platforms"
    __table_args__ = (UniqueConstraint("issuer", "client_id"),)

    name: Mapped[str] = mapped_column(String(200))
    issuer: Mapped[str] = mapped_column(String(500))
    client_id: Mapped[str] = mapped_column(String(PLATFORM_ID_LENGTH))
    login_url: Mapped[str] = mapped_column(String(URL_LENGTH))
    token_url: Mapped[str] = mapped_column(String(URL_LENGTH))
    keys_url: Mapped[str] = mapped_column(String(URL_LENGTH))
    # The audience of our assertions; None: the token's address.
    token_audience: Mapped[str | None] = mapped_column(String(URL_LENGTH))
    # Further sites that may embed our pages, separated by spaces.
    origins: Mapped[str] = mapped_column(Text, default="", server_default="")
    made_by: Mapped[str] = mapped_column(String(200))
    # The unknown deployment in the latest refused launch.
    refused_deployment: Mapped[str | None] = mapped_column(String(PLATFORM_ID_LENGTH))
    # None: it has registered itself, and is refused until an admin confirms it.
    confirmed_at: Mapped[datetime | None]


class LtiDeployment(Row):
    """A scope in which a platform has deployed this tool: the whole platform, an account or a course."""

    __tablename__ = "lti_deployments"
    __table_args__ = (UniqueConstraint("platform_id", "deployment_id"),)

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
    """A launch in progress. It works once, in the browser that began it."""

    __tablename__ = "lti_logins"

    # The hash of the state. Nonce and browser secret are hashed as well.
    state_sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    nonce_sha256: Mapped[str] = mapped_column(String(64))
    browser_sha256: Mapped[str] = mapped_column(String(64))
    platform_id: Mapped[str] = mapped_column(ForeignKey("lti_platforms.id"), index=True)
    # The query of the platform's login request, needed to restart the launch in its own window.
    asked: Mapped[str] = mapped_column(Text)
    expires_at: Mapped[datetime] = mapped_column(index=True)


class LtiContext(Entity):
    """The connection of a platform's course with a course here."""

    __tablename__ = "lti_contexts"
    __table_args__ = (UniqueConstraint("platform_id", "deployment_id", "context_id"),)

    platform_id: Mapped[str] = mapped_column(ForeignKey("lti_platforms.id"))
    deployment_id: Mapped[str] = mapped_column(String(PLATFORM_ID_LENGTH))
    context_id: Mapped[str] = mapped_column(String(PLATFORM_ID_LENGTH))
    course_id: Mapped[str] = mapped_column(ForeignKey("courses.id"), index=True)
    title: Mapped[str | None] = mapped_column(String(200))
    # The address of the platform's list of members (NRPS); None: it has none.
    memberships_url: Mapped[str | None] = mapped_column(String(URL_LENGTH))
    # The nightly check of members and grades is due while the clock is outside these first two.
    waits_since: Mapped[datetime | None]
    next_at: Mapped[datetime | None]
    checked_at: Mapped[datetime | None]
    # The failures of the latest check, in the platform's words, shortened; None: it succeeded.
    check_error: Mapped[str | None] = mapped_column(String(500))
    made_by: Mapped[str] = mapped_column(String(200))


class LtiQuestion(Base):
    """A launch from an unknown course, which waits until its teacher chooses a course here."""

    __tablename__ = "lti_questions"

    # The hash of the secret in the form of the page.
    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    platform_id: Mapped[str] = mapped_column(ForeignKey("lti_platforms.id"), index=True)
    message: Mapped[dict[str, Any]]
    expires_at: Mapped[datetime] = mapped_column(index=True)


class LtiCode(Base):
    """A code that connects one platform course with this course. Only its hash is stored."""

    __tablename__ = "lti_codes"

    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    course_id: Mapped[str] = mapped_column(ForeignKey("courses.id"), index=True)
    made_by: Mapped[str] = mapped_column(String(200))
    expires_at: Mapped[datetime]


class LtiMember(Row):
    """A member's role in a platform's course. Several such courses may be connected with one course here."""

    __tablename__ = "lti_members"
    __table_args__ = (UniqueConstraint("lti_context_id", "membership_id"),)

    lti_context_id: Mapped[str] = mapped_column(ForeignKey("lti_contexts.id"))
    membership_id: Mapped[str] = mapped_column(ForeignKey("memberships.id"), index=True)
    role: Mapped[MemberRole]
    # The roles in the latest launch and in the latest list of members; None: unknown.
    launched_as: Mapped[MemberRole | None]
    listed_as: Mapped[MemberRole | None]
    # The time of the latest launch or list that confirmed it.
    seen_at: Mapped[datetime] = mapped_column(default=utc_now)


class LtiLink(Entity):
    """A link in a platform's course, and the assignment that it opens."""

    __tablename__ = "lti_links"
    __table_args__ = (UniqueConstraint("lti_context_id", "resource_link_id"),)

    lti_context_id: Mapped[str] = mapped_column(ForeignKey("lti_contexts.id"))
    resource_link_id: Mapped[str] = mapped_column(String(PLATFORM_ID_LENGTH))
    title: Mapped[str | None] = mapped_column(String(200))
    # The assignment named in its parameters, if there is no such assignment.
    named: Mapped[str | None] = mapped_column(String(200))
    # None: no teacher has chosen its assignment yet.
    course_assignment_id: Mapped[str | None] = mapped_column(ForeignKey("course_assignments.id"), index=True)
    # The column in the platform's grade book (AGS): from a launch, or found or created among the line items.
    lineitem_url: Mapped[str | None] = mapped_column(String(URL_LENGTH))
    lineitems_url: Mapped[str | None] = mapped_column(String(URL_LENGTH))
    # The column's maximum at the last comparison of grades.
    lineitem_max: Mapped[float | None]
    # The start of the search for a column; kept during the search, and if an earlier column was deleted.
    lineitem_at: Mapped[datetime | None]
    # The scopes that the platform grants.
    scopes: Mapped[dict[str, Any]] = mapped_column(default=dict)


class LtiSelection(Row):
    """A platform's question which assignment a new link should open (Deep Linking), until somebody has chosen."""

    __tablename__ = "lti_selections"

    lti_context_id: Mapped[str] = mapped_column(ForeignKey("lti_contexts.id"), index=True)
    membership_id: Mapped[str] = mapped_column(ForeignKey("memberships.id"), index=True)
    return_url: Mapped[str] = mapped_column(String(URL_LENGTH))
    # Returned to the platform unchanged.
    data: Mapped[str | None] = mapped_column(Text)
    takes_lineitem: Mapped[bool]
    expires_at: Mapped[datetime]


class LtiScore(Row):
    """A person's grade in one column of a platform's grade book, with the state of its delivery."""

    __tablename__ = "lti_scores"
    __table_args__ = (
        UniqueConstraint("lti_link_id", "user_id"),
        Index(None, "next_at"),
    )

    lti_link_id: Mapped[str] = mapped_column(ForeignKey("lti_links.id"))
    membership_id: Mapped[str] = mapped_column(ForeignKey("memberships.id"), index=True)
    # The person there (`sub`).
    user_id: Mapped[str] = mapped_column(String(PLATFORM_ID_LENGTH))
    # Increases with every change of the grade; `sent_version` is the version last delivered.
    version: Mapped[int] = mapped_column(default=0)
    sent_version: Mapped[int] = mapped_column(default=0)
    # The latest stamp that was sent, in whole seconds; the next one must be later.
    stamp: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(default=0)
    # It is due while the clock is outside this interval. Without `next_at` it was delivered or given up.
    waits_since: Mapped[datetime | None]
    next_at: Mapped[datetime | None]
    delivered_at: Mapped[datetime | None]
    # The delivered grade and its maximum. A maximum alone means that there is nothing to clear at the platform, because
    # it was cleared, or because the attempts were deleted for their age.
    points: Mapped[float | None]
    max_points: Mapped[float | None]
    # Delivered with it: the time of the attempt, and the comment's hash.
    submitted_at: Mapped[datetime | None]
    comment_sha256: Mapped[str | None] = mapped_column(String(64))
    # The grade from before attempts were deleted for their age, which must not lower it.
    kept_points: Mapped[float | None]
    kept_max: Mapped[float | None]
    # The time when it was sent again because the platform showed another grade; this happens once.
    mended_at: Mapped[datetime | None]
    # Since when the platform shows another grade, and that grade at the latest comparison.
    differs_since: Mapped[datetime | None]
    there_points: Mapped[float | None]
    there_max: Mapped[float | None]
    # Set if it was given up; only a new grade or a person restarts it.
    failed_at: Mapped[datetime | None]
    last_status: Mapped[int | None]
    # The platform's explanation, shortened.
    last_error: Mapped[str | None] = mapped_column(String(500))
    # Whether the failure is a refused token, so that the platform has not seen the grade.
    token_refused: Mapped[bool] = mapped_column(default=False, server_default=false())
