from __future__ import annotations

from collections.abc import Iterator

import pytest
from starlette.exceptions import HTTPException

from app import errors
from app.errors import AppError, CannotStart, FileEmpty, UploadRefused
from app.http.answers import ANSWERS, FRAMEWORK_ANSWERS, Answer, answer_for
from app.texts import catalogue

ALL_ANSWERS = {*ANSWERS.values(), *FRAMEWORK_ANSWERS.values()}


def subclasses(cls: type[AppError]) -> Iterator[type[AppError]]:
    yield cls
    for below in cls.__subclasses__():
        yield from subclasses(below)


def test_every_exception_class_that_a_client_can_meet_has_a_row() -> None:
    assert set(subclasses(AppError)) - set(subclasses(CannotStart)) <= set(ANSWERS)


def test_the_docstring_draws_every_class() -> None:
    drawn = (errors.__doc__ or "").split()
    assert {cls.__name__ for cls in subclasses(AppError)} <= set(drawn)


@pytest.mark.parametrize("language", ["en", "ru"])
@pytest.mark.parametrize("answer", sorted(ALL_ANSWERS, key=lambda answer: answer.slug), ids=lambda answer: answer.slug)
def test_every_answer_has_its_texts(answer: Answer, language: str) -> None:
    for part in ("title", "detail"):
        assert catalogue().find(f"problem.{answer.slug}.{part}", language)


def test_the_row_of_the_nearest_class_counts() -> None:
    class Strange(FileEmpty):
        """A class that nobody gave a row."""

    assert answer_for(Strange()) == ANSWERS[FileEmpty]
    assert answer_for(UploadRefused()).status == 422
    assert answer_for(ZeroDivisionError()).status == 500


def test_framework_errors_keep_their_status() -> None:
    assert answer_for(HTTPException(404)).slug == "not-found"
    assert answer_for(HTTPException(418)).status == 418
