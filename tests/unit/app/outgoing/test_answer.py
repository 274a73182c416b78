"""Answers: the pause that one asks for, and the JSON in it."""

import json

import httpx
import pytest

from app.errors import AnswerUnusable
from app.outgoing import client
from app.outgoing.client import MOST_VALUES, Answer

NOON, LATER = "Sun, 01 Mar 2026 12:00:00 GMT", "Sun, 01 Mar 2026 12:02:00 GMT"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "30"}, 30),
        ({"Retry-After": " 30 "}, 30),
        ({"Retry-After": "0"}, 0),
        ({"Retry-After": "9" * 400}, 999_999_999),
        ({"Retry-After": LATER, "Date": NOON}, 120),
        ({"Retry-After": NOON, "Date": LATER}, 0),
        ({"Retry-After": NOON}, 0),
        ({"Retry-After": "-5"}, None),
        ({"Retry-After": "١٢"}, None),
        ({"Retry-After": "Sun, 01 Mar 99999 12:00:00 GMT"}, None),
    ],
)
def test_pause_is_in_seconds_or_a_date_by_the_other_sides_clock(headers, seconds):
    encoded = [(name.encode(), value.encode()) for name, value in headers.items()]
    assert Answer(503, httpx.Headers(encoded), b"").retry_after == seconds


@pytest.mark.parametrize("each", ["{}", "0", '[{"a":[]}]'])
def test_answer_of_more_values_than_any_list_has_is_not_read(each, monkeypatch):
    """Reading one stops the service, for two seconds if it has eight megabytes."""

    def reads(*_: object, **__: object) -> None:
        pytest.fail("it was read")

    monkeypatch.setattr(client, "from_json", reads)
    body = f"[{','.join([each] * (MOST_VALUES + 1))}]".encode()
    with pytest.raises(AnswerUnusable) as refusal:
        Answer(200, httpx.Headers(), body).json()
    assert refusal.value.params == {"reason": "the answer holds more than 600000 values"}


def test_longest_list_of_members_is_read():
    roles = [f"http://purl.imsglobal.org/vocab/lis/v2/membership#{role}" for role in ("Instructor", "Learner")]
    names = {"name": "Last, First", "given_name": "First", "family_name": "Last", "email": "a@b.org", "picture": "/"}
    ids = {"user_id": "5", "lis_person_sourcedid": "5", "status": "Active"}
    members = [{**ids, **names, "roles": roles}] * 20_000
    assert Answer(200, httpx.Headers(), json.dumps(members).encode()).json() == members
