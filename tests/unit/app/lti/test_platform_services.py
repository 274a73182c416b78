"""The words of a platform about a refusal: its sentence, and nothing of ours that comes back with it."""

from __future__ import annotations

import json
from time import thread_time
from typing import Any

import httpx
import pytest

from app.lti.platform_services import WORDS, words_of
from app.outgoing import client
from app.outgoing.client import MOST_VALUES, Answer

SCORE = {"userId": "5", "scoreGiven": 70.0, "comment": "Молодец. " * 60, "timestamp": "2026-03-01T12:00:00Z"}


def moodle(reason: str) -> dict[str, Any]:
    """The answer of Moodle's services to a request that they refuse (`response::send`)."""
    return {"status": 400, "reason": reason, "request": {"method": "POST", "url": "/mod/lti/services.php/2/lineitems"}}


@pytest.mark.parametrize(
    ("body", "content_type", "words"),
    [
        (
            json.dumps(moodle("Incorrect score received" + json.dumps(SCORE)), indent=4),
            "application/json; charset=utf-8",
            "Incorrect score received",
        ),
        ('{\n  "error" : "Expired token"\n}', "text/html; charset=utf-8", "Expired token"),
        ('{"error": "invalid_scope"}', "text/plain", "invalid_scope"),
        (
            "<!DOCTYPE html><html><head><style>p {}</style><title>\nMoodle &amp; more | Error</title><body>Whoops",
            "text/html",
            "Moodle & more | Error",
        ),
        ("<html><body>Whoops", "text/html", "Bad Request"),
        ("no such\ncolumn\x00", "text/plain", "no such column"),
        ('{"message": "{no} such column"}', "application/json", "{no} such column"),
        ("x" * 9000, "text/plain", "x" * WORDS),
    ],
    ids=["repeated score", "token of Moodle", "plain", "page", "page without a title", "text", "brace", "long"],
)
def test_words_are_the_platforms_sentence(body: str, content_type: str, words: str) -> None:
    answer = Answer(400, httpx.Headers({"Content-Type": content_type}), body.encode())
    assert words_of(answer) == words


@pytest.mark.parametrize("body", ["<title" * 80_000, "<title>" * 70_000, "<title " + "x" * 500_000])
def test_title_of_a_page_is_found_at_once_whatever_stands_in_it(body: str) -> None:
    """A pattern that looks for the end of each title in all the rest stops the service for half a minute."""
    answer, before = Answer(503, httpx.Headers(), body.encode()), thread_time()
    assert words_of(answer) == "Service Unavailable"
    assert thread_time() - before < 2


def test_refusal_of_more_values_than_any_answer_has_is_not_read_as_json(monkeypatch: pytest.MonkeyPatch) -> None:
    def reads(*_: object, **__: object) -> None:
        pytest.fail("it was read")

    monkeypatch.setattr(client, "from_json", reads)
    monkeypatch.setattr(json, "loads", reads)
    body = b"[" + b"0," * (MOST_VALUES + 1) + b"0]"
    assert words_of(Answer(400, httpx.Headers(), body)).startswith("[0,0,0")
