"""Errors about what goes out: requests to addresses of others, webhooks, mail."""

from __future__ import annotations

from app.errors import AccessDenied, AppError


class TargetRefused(AccessDenied):
    """Nothing is sent to this address of somebody else's choice. params: reason"""


class AnswerUnusable(AppError):
    """Somebody else's service gives no answer, or none that can be read. params: reason"""


class WebhookNotFound(AppError):
    """There is no such webhook, or it is somebody else's."""


class TooManyWebhooks(AppError):
    """The token has as many webhooks as it may. params: limit"""


class MailNotSet(AppError):
    """The settings name no mail server."""
