"""The service's own texts, by id and language."""

from functools import cache
from pathlib import Path

from grader.report.messages import LANGUAGES, Catalogue


@cache
def catalogue() -> Catalogue:
    return Catalogue(Path(__file__).parent / "locale")


def text(id: str, language: str, /, **params: object) -> str:
    return catalogue().text(id, language, **params)


@cache
def client_texts() -> dict[str, dict[str, str]]:
    """Return the sentences of `app/client/notebook.py`, by language and name, with their placeholders."""
    return {language: catalogue().below("client", language) for language in LANGUAGES}


def one_line(text: str, most: int) -> str | None:
    """Return the printable part of a stranger's text in one line, shortened; None: nothing is left."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())[:most] or None
