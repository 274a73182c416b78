"""The exceptions of the service, by what they are about.

    requests      authentication, permission, and the forms of pages
    ways_in       sign-on, personal links, join links
    courses       courses, and the assignments that they use
    members       members, their persons, and joins of duplicates
    rosters       CSV files with the people of a course
    uploads       uploads and the rules for attempts
    batches       archives of everybody's files
    submissions   stored submissions and their reports
    teaching      extensions, adjustments, comments, reviews, regrades, grade books
    lti           learning platforms
    outgoing      requests to foreign addresses, webhooks, mail
    commands      whatever stops a command

They live below all other packages, because most are raised in several of them. They do not know HTTP: `app.answers`
gives each the status of its base, and its name as its slug. Their texts are in app/locale, under
``problem.<slug>.title`` and ``problem.<slug>.detail``; `params` fill the placeholders and are members of the JSON
answer. Texts that only operators see are in `commands`.
"""

from typing import Any, TypeVar


class AppError(Exception):
    """Base of all errors that `app` raises deliberately."""

    def __init__(self, **params: Any) -> None:
        super().__init__(params)
        self.params = params


class AccessDenied(AppError):
    """Base of errors about a missing right."""


class NotFound(AppError):
    """Base of errors about something that does not exist, or that the caller may not see."""


class Conflict(AppError):
    """Base of errors about a request that contradicts what is stored."""


class Ended(AppError):
    """Base of errors about something that existed and is over."""


class Invalid(AppError):
    """Base of errors about the content of a request."""


T = TypeVar("T")


def existing(row: T | None, error: AppError | type[AppError]) -> T:
    """Return a row that was looked up. Raises: AppError: this error: there is none."""
    if row is None:
        raise error
    return row
