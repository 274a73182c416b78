"""Errors about a request: who asks, what they may, and what the form of a page says."""

from __future__ import annotations

from app.errors import AccessDenied, AppError


class NotAuthenticated(AccessDenied):
    """A request without a token, or with one that is unknown, expired or revoked."""


class SessionMissing(AccessDenied):
    """A page that needs a session was asked for without one."""


class NotPermitted(AccessDenied):
    """The token's role does not allow it."""


class FormExpired(AccessDenied):
    """A page's form without its secret, or with another session's."""


class OtherSite(AccessDenied):
    """A form that acts on a session was sent by a page of another site."""


class TooManyRequests(AppError):
    """More requests than the settings allow in a minute. params: retry_after_seconds"""


class TokenMadeBefore(AppError):
    """The token was made before with this idempotency key; its secret was shown then. params: id (of the token)"""


class TokenNotFound(AppError):
    """There is no token with this id that the asking one may manage."""


class FieldsWrong(AppError):
    """Some fields of a page's form are wrong; the page says so at each of them. params: fields (names)"""
