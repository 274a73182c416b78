"""Errors about ways in: sign-on, personal links and join links."""

from __future__ import annotations

from app.errors import AccessDenied, AppError


class LinkUnusable(AccessDenied):
    """Somebody signs in with a link or a token that is unknown, expired or revoked."""


class NoCourseYet(AccessDenied):
    """Somebody has signed in whom no course knows."""


class SignOnRefused(AccessDenied):
    """The issuer's answer is not the one to this sign-in; the log says why."""


class SignOnExpired(AccessDenied):
    """No sign-in was begun in this browser, or too long ago."""


class IssuerUnavailable(AppError):
    """The issuer of single sign-on does not answer as one; the log says why."""


class JoinLinkNotFound(AppError): ...


class JoinLinkExpired(AppError):
    """params: expired_at (ISO 8601)"""


class JoinLinkRevoked(AppError): ...


class JoinLinkFull(AppError):
    """As many have come by the link as may. params: limit"""


class MemberClaimed(AppError):
    """Somebody signs in as this member by single sign-on already."""


class PersonInCourse(AppError):
    """The person who is signed in is another member of the course."""


class IdentityNotFound(AppError):
    """The person has no account of single sign-on with this id."""
