"""Requests with an `Idempotency-Key` that are sent again: they do nothing twice."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from app.storage.models import Role
from tests.unit.app.calls import SUBMISSIONS, assert_problem, upload
from tests.unit.app.conftest import Service

pytestmark = pytest.mark.anyio

#: Where something is made, with a body, another one, and whether it is told whole when it is asked for again.
MADE: dict[str, tuple[dict[str, Any], dict[str, Any], bool]] = {
    "webhooks": ({"url": "https://lms.example.org/a"}, {"url": "https://lms.example.org/b"}, True),
    "regrades": ({"all": True}, {"filter": {"student": "ivanov"}}, True),
    "tokens": (
        {"name": "Moodle", "expires_at": "2999-01-01T00:00:00+03:00"},
        {"name": "Moodle", "student": "ivanov"},
        False,
    ),
}


async def send(client: httpx.AsyncClient, what: str, body: dict[str, Any], key: str | None = "k1") -> httpx.Response:
    return await client.post(f"/api/v1/{what}", json=body, headers={"Idempotency-Key": key} if key else {})


async def count(client: httpx.AsyncClient, what: str) -> int:
    return len((await client.get(f"/api/v1/{what}")).json()["items"])


@pytest.mark.parametrize("what", MADE)
async def test_the_same_request_again_makes_nothing_new(service: Service, what: str) -> None:
    body, other, whole = MADE[what]
    async with service.client() as client:
        await client.post(SUBMISSIONS, params={"wait": 120}, **upload())
        before = await count(client, what)
        first = await send(client, what, body)
        assert first.is_success, first.text
        again = await asyncio.gather(*(send(client, what, body) for _ in range(3)))
        for answer in again:
            if whole:
                assert (answer.status_code, answer.json()["id"]) == (first.status_code, first.json()["id"])
                assert answer.json().get("secret") == first.json().get("secret")
            else:
                problem = assert_problem(answer, 409, "token-made-before")
                assert problem["id"] == first.json()["id"]
                assert first.json()["token"] not in answer.text
        assert await count(client, what) == before + 1
        assert_problem(await send(client, what, other), 422, "idempotency-key-reused")
        assert (await send(client, what, other, "k2")).is_success
        for _ in range(2):
            assert (await send(client, what, body, None)).is_success
        assert await count(client, what) == before + 4


@pytest.mark.parametrize("what", MADE)
async def test_requests_at_the_same_time_make_one(service: Service, what: str) -> None:
    body, _, _ = MADE[what]
    async with service.client() as client:
        before = await count(client, what)
        answers = await asyncio.gather(*(send(client, what, body) for _ in range(5)))
        assert {answer.status_code for answer in answers} <= {201, 202, 409}
        assert await count(client, what) == before + 1


async def test_a_key_is_its_senders_own(service: Service) -> None:
    await service.add_token("of-a-teacher", Role.TEACHER)
    async with service.client() as owner, service.client("of-a-teacher") as teacher:
        made = [await send(client, "webhooks", MADE["webhooks"][0]) for client in (owner, teacher)]
    assert len({answer.json()["id"] for answer in made}) == 2


async def test_key_that_is_none_is_refused(service: Service) -> None:
    async with service.client() as client:
        for what, (body, _, _) in MADE.items():
            assert_problem(await send(client, what, body, "a key"), 422, "invalid-request")
