"""Scores as they are sent, and the words of a platform about a refusal: its sentence, and nothing of ours."""

import json
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from time import thread_time
from typing import Any

import httpx
import pytest

from app.lti.grades import sender
from app.lti.grades.scores import below, score_of
from app.lti.platform_services import WORDS, words_of
from app.outgoing.client import Answer

SCORE = {"userId": "5", "scoreGiven": 70.0, "comment": "Молодец. " * 60, "timestamp": "2026-03-01T12:00:00Z"}


def moodle(reason: str) -> dict[str, Any]:
    """The answer of Moodle's services to a request that they refuse (`response::send`)."""
    return {"status": 400, "reason": reason, "request": {"method": "POST", "url": "/mod/lti/services.php/2/lineitems"}}


REPEATED = json.dumps(moodle("Incorrect score received" + json.dumps(SCORE)), indent=4)
PAGE = "<!DOCTYPE html><html><head><style>p {}</style><title>\nMoodle &amp; more | Error</title><body>Whoops"
REFUSALS = {
    "repeated score": (REPEATED, "Incorrect score received"),
    "code": ('{\n  "error" : "Expired token"\n}', "Expired token"),
    "code and sentence": ('{"error": "invalid_client", "message": "no such tool"}', "invalid_client: no such tool"),
    "brace": ('{"message": "{no} such column"}', "{no} such column"),
    "page": (PAGE, "Moodle & more | Error"),
    "page without a title": ("<html><body>Whoops", "Bad Request"),
    "nothing": ("", "Bad Request"),
    "nothing in JSON": ("[]", "Bad Request"),
    "text": ("no such\ncolumn\x00", "no such column"),
    "long": ("x" * 9000, "x" * WORDS),
}


@pytest.mark.parametrize(("body", "words"), REFUSALS.values(), ids=REFUSALS)
def test_words_are_the_platforms_sentence(body, words):
    assert words_of(Answer(400, httpx.Headers(), body.encode())) == words


def test_status_without_a_name_has_no_words():
    assert words_of(Answer(599, httpx.Headers(), b" ")) == ""


@pytest.mark.parametrize("body", ["<title" * 80_000, "<title>" * 70_000, "<title " + "x" * 500_000])
def test_title_of_a_page_is_found_at_once_whatever_stands_in_it(body):
    """A pattern that looks for the end of each title in all the rest stops the service for half a minute."""
    answer, before = Answer(503, httpx.Headers(), body.encode()), thread_time()
    assert words_of(answer) == "Service Unavailable"
    assert thread_time() - before < 2


MOODLE = "https://lms/mod/lti/services.php/2/lineitems/4/lineitem"


@pytest.mark.parametrize(
    ("lineitem", "scores"),
    [
        ("https://lms/items/4", "https://lms/items/4/scores"),
        ("https://lms/items/4/", "https://lms/items/4/scores"),
        (f"{MOODLE}?type_id=1", f"{MOODLE}/scores?type_id=1"),
    ],
)
def test_scores_go_before_the_query(lineitem, scores):
    assert below(lineitem, "scores") == scores


def test_stamps_are_whole_seconds_and_comments_are_cut():
    moment = datetime(2026, 5, 4, 3, 2, 1, 999_999, UTC)
    score = score_of(user_id="u", points=1, max_points=2, comment="x" * 900, stamp=moment, submitted_at=moment)
    assert (score["timestamp"], len(score["comment"])) == ("2026-05-04T03:02:01Z", 500)


def test_platform_that_was_down_for_an_hour_gets_its_grades_within_a_quarter_of_one():
    tries = list(accumulate(map(sender._backoff, range(1, sender.MOST_TRIES)), initial=timedelta()))
    for down in [timedelta(minutes=minutes) for minutes in range(90)]:
        assert next(each for each in tries if each >= down) - down <= timedelta(minutes=15)
    assert timedelta(days=6) < tries[-1] < timedelta(days=8)
