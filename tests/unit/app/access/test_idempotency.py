"""Requests with an `Idempotency-Key` that are sent again: they do nothing twice."""

import asyncio
from typing import Any

import httpx
import pytest

from app.storage.models import Role
from tests.unit.app.calls import SUBMISSIONS, assert_problem, upload
from tests.unit.app.conftest import Browser

#: Addresses that make something: a body, another one, and whether a repeated request gets all of the answer again.
CREATIONS: dict[str, tuple[dict[str, Any], dict[str, Any], bool]] = {
    "webhooks": ({"url": "https://lms.example.org/a"}, {"url": "https://lms.example.org/b"}, True),
    "courses": ({"title": "Сети"}, {"title": "x"}, True),
    "regrades": ({"all": True}, {"filter": {"student": "ivanov"}}, True),
    "tokens": (
        {"name": "Moodle", "expires_at": "2999-01-01T00:00:00+03:00"},
        {"name": "Moodle", "student": "ivanov"},
        False,
    ),
}


async def send(client: Browser, what: str, body: dict[str, Any], key: str | None = "k1") -> httpx.Response:
    return await client.post(f"/api/v1/{what}", json=body, headers={"Idempotency-Key": key} if key else {})


async def count(client: Browser, what: str) -> int:
    return len((await client.get(f"/api/v1/{what}")).json()["items"])


@pytest.mark.parametrize("what", CREATIONS)
async def test_the_same_request_again_or_at_the_same_time_makes_nothing_new(owner, what):
    body, other, whole = CREATIONS[what]
    await owner.post(SUBMISSIONS, params={"wait": 120}, **upload())
    before = await count(owner, what)
    answers = await asyncio.gather(*(send(owner, what, body) for _ in range(4)))
    first = next(answer for answer in answers if answer.is_success)
    answers.append(await send(owner, what, body))
    answers.remove(first)
    for answer in answers:
        if whole:
            assert (answer.status_code, answer.json()["id"]) == (first.status_code, first.json()["id"])
            assert answer.json().get("secret") == first.json().get("secret")
        else:
            problem = assert_problem(answer, 409, "token-made-before")
            assert problem["id"] == first.json()["id"]
            assert first.json()["token"] not in answer.text
    assert await count(owner, what) == before + 1
    assert_problem(await send(owner, what, other), 422, "idempotency-key-reused")
    assert_problem(await send(owner, what, body, "a key"), 422, "invalid-request")
    assert (await send(owner, what, other, "k2")).is_success
    for _ in range(2):
        assert (await send(owner, what, body, None)).is_success
    assert await count(owner, what) == before + 4


async def test_a_key_is_its_senders_own(service, owner):
    await service.add_token("of-a-teacher", Role.TEACHER)
    async with service.client("of-a-teacher") as teacher:
        hooks = [await send(client, "webhooks", CREATIONS["webhooks"][0]) for client in (owner, teacher)]
    assert len({answer.json()["id"] for answer in hooks}) == 2


async def test_upload_that_is_sent_again_hands_in_once(service, owner):
    key = {"Idempotency-Key": "first-try"}
    answers = await asyncio.gather(*(owner.post(SUBMISSIONS, headers=key, **upload()) for _ in range(5)))
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert {answer.status_code for answer in answers} <= {200, 202}
    for field, value in {
        "content": b"other", "filename": "a.py", "student": "petrov", "assignment": "lstm-notebook",
    }.items():  # fmt: skip
        other = await owner.post(SUBMISSIONS, headers=key, **upload(**{field: value}))
        assert_problem(other, 422, "idempotency-key-reused")
    assert (await owner.post(SUBMISSIONS, headers={"Idempotency-Key": "a b"}, **upload())).status_code == 422
    assert await count(owner, "submissions") == 1
    await service.add_token("another")
    async with service.client("another") as client:
        assert (await client.post(SUBMISSIONS, headers=key, **upload())).json()["attempt"] == 2
