"""Errors about a request: authentication, permission, and the forms of pages."""

from app.errors import AccessDenied, AppError, Conflict, Invalid, NotFound


class NotAuthenticated(AccessDenied):
    """A request without a token, or with one that is unknown, expired or revoked."""


class SessionMissing(AccessDenied):
    """A request without a session for a page that needs one."""


class NotPermitted(AccessDenied):
    """The token's role does not allow it."""


class FormExpired(AccessDenied):
    """A page's form carries no secret, or that of another session."""


class OtherSite(AccessDenied):
    """A form that acts on a session was sent by a page of another site."""


class TooManyRequests(AppError):
    """More requests than the settings allow in a minute. params: retry_after_seconds"""


class TokenMadeBefore(Conflict):
    """The token was made before with this idempotency key; its secret was shown then. params: id (of the token)"""


class TokenNotFound(NotFound):
    """There is no token with this id, or the caller may not manage it."""


class FieldsWrong(Invalid):
    """Some fields of a page's form are invalid; the page shows each error at its field. params: fields (names)"""
