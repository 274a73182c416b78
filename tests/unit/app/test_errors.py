"""Every error of ours has its answer, its texts and its status."""

from collections.abc import Iterator
from importlib import import_module
from pkgutil import iter_modules

import pytest
from starlette.exceptions import HTTPException

from app import errors
from app.answers import ANSWERS, answer_named, words_for
from app.errors import AppError, FileEmpty, JoinOutdated
from app.errors.commands import CannotStart
from app.http.problems import EVERY_ANSWER, answer_to
from app.texts import catalogue
from grader.report.messages import LANGUAGES

for _, module, _ in iter_modules(errors.__path__, f"{errors.__name__}."):
    import_module(module)


def subclasses(cls: type[AppError]) -> Iterator[type[AppError]]:
    yield cls
    for below in cls.__subclasses__():
        yield from subclasses(below)


def test_every_exception_class_that_a_client_can_meet_has_an_answer():
    bases = {each for each in subclasses(AppError) if each.__module__ == errors.__name__}
    assert set(subclasses(AppError)) - set(subclasses(CannotStart)) - bases <= set(ANSWERS)


def test_the_name_of_a_class_leads_to_its_answer():
    assert answer_named("FileEmpty") == ANSWERS[FileEmpty]
    assert answer_named("Gone").status == 500


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("id", ["member", "extension", "adjustment", "person"])
def test_change_since_a_join_is_told_in_words(id, language):
    _, told = words_for(ANSWERS[JoinOutdated], language, {"changed": [id]})
    word = catalogue().find(f"since_join.{id}", language)
    assert word
    assert f": {word}." in told


def test_every_answer_has_its_texts():
    ids = [
        (f"problem.{answer.slug}.{part}", language)
        for answer in set(EVERY_ANSWER.values())
        for part in ("title", "detail")
        for language in LANGUAGES
    ]
    assert [each for each in ids if not catalogue().find(*each)] == []


def test_the_answer_of_the_nearest_class_counts():
    class Strange(FileEmpty):
        """A class that the table does not know."""

    assert answer_to(Strange()) == ANSWERS[FileEmpty]
    assert answer_to(ZeroDivisionError()).status == 500
    assert answer_to(HTTPException(404)).slug == "not-found"
    assert answer_to(HTTPException(418)).status == 418
