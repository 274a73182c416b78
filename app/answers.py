"""The answer to an exception, by its class: the status for programs, and the words for people.

A class of ours needs no row here: it has the status of its base, and its name is its slug.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from types import ModuleType
from typing import Any

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoConnectionFree

from app import errors
from app.errors import AppError, lti
from app.storage.database import CommitUnanswered
from app.storage.database_file import NoRoom
from app.texts import catalogue
from grader.report import numbers


@dataclass(frozen=True)
class Answer:
    """An HTTP status and the last part of the problem's ``type``, which machines may rely on."""

    status: int
    slug: str


#: The statuses; a class that is missing here has that of its nearest base.
STATUSES: Mapping[type[Exception], int] = {
    Exception: 500,
    errors.AccessDenied: 403,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.Ended: 410,
    errors.Invalid: 422,
    errors.NotAuthenticated: 401,
    errors.SessionMissing: 401,
    errors.TooManyRequests: 429,
    errors.LinkUnusable: 401,
    errors.IssuerUnavailable: 503,
    lti.LoginRefused: 400,
    lti.RegistrationRefused: 400,
    lti.PlatformUnavailable: 503,
    lti.PlatformRefused: 502,
    errors.AnswerUnusable: 502,
    errors.Overloaded: 503,
    errors.FormExpected: 415,
    errors.FormUnreadable: 400,
    errors.UploadTooSlow: 408,
    errors.FileTooLarge: 413,
    errors.FileTypeUnsupported: 415,
    errors.AttemptRefused: 403,
    errors.AttemptTooSoon: 429,
    errors.ArchiveTooLarge: 413,
    errors.RosterNotCSV: 415,
    errors.ChecksUsedUp: 429,
    SQLAlchemyError: 503,
}
#: The slugs that do not follow from the name of the class.
SLUGS: Mapping[type[Exception], str] = {
    Exception: "internal-error",
    errors.NotPermitted: "forbidden",
    errors.NotAuthenticated: "unauthorized",
    errors.NotebookCodeUnusable: "code-unusable",
    lti.MentorLaunch: "lti-mentor",
    **dict.fromkeys(
        (errors.UploadRefused, errors.ArchiveRefused, errors.GradeBookRefused, errors.RosterRefused),
        "invalid-request",
    ),
    errors.NoFileChosen: "fields-missing",
    errors.FieldsUnknown: "unknown-fields",
    errors.StudentInvalid: "invalid-student",
    errors.AssignmentUnknown: "unknown-assignment",
    errors.FileEmpty: "empty-file",
    errors.FileTypeUnsupported: "unsupported-file-type",
    SQLAlchemyError: "storage-unavailable",
    NoRoom: "storage-full",
    NoConnectionFree: "busy",
    CommitUnanswered: "outcome-unknown",
}


def _answer(cls: type[Exception]) -> Answer:
    words = re.sub("(?<=[a-z])(?=[A-Z])", "-", cls.__name__).lower()
    slug = SLUGS.get(cls) or (f"lti-{words}" if cls.__module__ == lti.__name__ else words)
    return Answer(next(STATUSES[base] for base in cls.__mro__ if base in STATUSES), slug)


def _classes_of(module: ModuleType) -> list[type[AppError]]:
    """Return the errors of a module, without those that it imports."""
    classes = (each for each in vars(module).values() if isinstance(each, type) and issubclass(each, AppError))
    return [cls for cls in classes if cls.__module__ == module.__name__ and cls not in BASES]


#: Classes that are raised only as their subclasses.
BASES = (AppError, errors.AccessDenied, errors.NotFound, errors.Conflict, errors.Ended, errors.Invalid)
NOT_OURS = (SQLAlchemyError, NoRoom, NoConnectionFree, CommitUnanswered, Exception)
ANSWERS: dict[type[Exception], Answer] = {
    cls: _answer(cls) for cls in (*_classes_of(errors), *_classes_of(lti), *NOT_OURS)
}


def answer_named(name: str) -> Answer:
    """Find the row of the class with this name, as a batch stores it."""
    return next((answer for cls, answer in ANSWERS.items() if cls.__name__ == name), ANSWERS[Exception])


def answer_for(error: Exception) -> Answer:
    """Find the row of the nearest class in the table."""
    for cls in type(error).__mro__:
        if answer := ANSWERS.get(cls):
            return answer
    raise LookupError(f"no answer for {type(error)}")  # Only if it is no Exception.


def words_for(answer: Answer, language: str, params: Mapping[str, Any]) -> tuple[str, str]:
    """Return the title of a refusal, and its detail: what came, what was expected, what to do."""
    status, texts = HTTPStatus(answer.status), catalogue()
    title = texts.find(f"problem.{answer.slug}.title", language) or status.phrase
    # Programs are told what has changed since a join by its ids.
    if isinstance(changed := params.get("changed"), list):
        params = {**params, "changed": [texts.text(f"since_join.{id}", language) for id in changed]}
    in_words = {"retry_after_seconds": numbers.after, "cooldown_seconds": numbers.duration}
    params = {name: in_words[name](value, language) if name in in_words else value for name, value in params.items()}
    return title, texts.find(f"problem.{answer.slug}.detail", language, **params) or status.description
