"""Errors about outgoing traffic: requests to foreign addresses, webhooks, mail."""

from app.errors import AccessDenied, AppError, Conflict, NotFound


class TargetRefused(AccessDenied):
    """We send nothing to this address, which somebody else has chosen. params: reason"""


class AnswerUnusable(AppError):
    """An external service gives no answer, or an unreadable one. params: reason"""


class WebhookNotFound(NotFound):
    """There is no such webhook, or it belongs to somebody else."""


class TooManyWebhooks(Conflict):
    """The token has reached its limit of webhooks. params: limit"""


class MailNotSet(Conflict):
    """The settings name no mail server."""
