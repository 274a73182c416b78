"""Errors about ways in: sign-on, personal links and join links."""

from app.errors import AccessDenied, AppError, Conflict, Ended, NotFound


class LinkUnusable(AccessDenied):
    """The link or token of a sign-in is unknown, expired or revoked."""


class NotebookCodeUnusable(AccessDenied):
    """The code of a notebook is unknown, used, replaced or expired."""


class NoCourseYet(AccessDenied):
    """The person has signed in, but is a member of no course."""


class SignOnRefused(AccessDenied):
    """The issuer's answer does not belong to this sign-in; the log says why."""


class SignOnExpired(AccessDenied):
    """This browser has begun no sign-in, or too long ago."""


class IssuerUnavailable(AppError):
    """The issuer of single sign-on gives no usable answer; the log says why."""


class JoinLinkNotFound(NotFound): ...


class JoinLinkExpired(Ended):
    """params: expired_at (ISO 8601)"""


class JoinLinkRevoked(Ended): ...


class JoinLinkFull(Conflict):
    """The link has admitted as many people as it may. params: limit"""


class MemberClaimed(Conflict):
    """Somebody already signs in as this member by single sign-on."""


class PersonInCourse(Conflict):
    """The signed-in person is another member of the course, or another member has the person's address."""


class IdentityNotFound(NotFound):
    """The person has no single sign-on account with this id."""
