"""The exceptions of the service, by what they are about.

    requests      who asks, what they may, and what the form of a page says
    ways_in       sign-on, personal links, join links
    courses       courses, and the assignments that they use
    members       members, the persons they are, and joins of two that are one
    rosters       CSV files with the people of a course
    uploads       uploads and the rules for attempts
    batches       archives of everybody's files
    submissions   submissions that are stored, and their reports
    teaching      extensions, adjustments, comments, reviews, regrades, grade books
    lti           learning platforms
    outgoing      requests to addresses of others, webhooks, mail
    commands      whatever stops a command

They stand below all rooms, because most are raised in several. They do not know HTTP: `app.answers` has the
answer to each. Their texts are in app/locale, under ``problem.<slug>.title`` and ``problem.<slug>.detail``; `params`
fill the placeholders and are members of the JSON answer. Texts that only operators see are in `commands`.
"""

from __future__ import annotations

from typing import Any


class AppError(Exception):
    """Base of everything that `app` raises on purpose."""

    def __init__(self, **params: Any) -> None:
        super().__init__(params)
        self.params = params


class AccessDenied(AppError):
    """Base of errors about somebody who may not do this."""
