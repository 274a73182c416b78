"""Calls of the service that many tests make."""

from __future__ import annotations

from typing import Any

import httpx

from app.http.problems import TYPE_PREFIX
from app.storage.models import DEFAULT_COURSE
from tests.unit.app.conftest import Service

SUBMISSIONS = "/api/v1/submissions"
#: The page of an assignment, which hands in; and its attempts.
PAGE = f"/courses/{DEFAULT_COURSE}/assignments/lstm-layer"
ATTEMPTS = f"{PAGE}/attempts"
CODE = b"class LSTM: ...\n"


def upload(
    content: bytes = CODE, filename: str = "LSTM.py", student: str | None = "ivanov", assignment: str = "lstm-layer"
) -> dict[str, Any]:
    return {"files": {"file": (filename, content)}, "data": {"student": student, "assignment": assignment}}


def assert_problem(response: httpx.Response, status: int, slug: str) -> dict[str, Any]:
    assert response.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = response.json()
    assert (response.status_code, problem["status"], problem["type"]) == (status, status, TYPE_PREFIX + slug)
    assert problem["title"]
    assert problem["detail"]
    return problem


async def submit(client: httpx.AsyncClient, wait: int = 120, **values: Any) -> dict[str, Any]:
    body: dict[str, Any] = (await client.post(SUBMISSIONS, params={"wait": wait}, **upload(**values))).json()
    return body


async def hand_in(service: Service, student: str, content: bytes = b"class LSTM: ...", wait: int = 120) -> str:
    async with service.client() as client:
        files = {"file": ("LSTM.py", content)}
        answer = await client.post(SUBMISSIONS, data={"student": student}, files=files, params={"wait": wait})
    return str(answer.json()["id"])


async def students(service: Service) -> list[str]:
    async with service.client() as client:
        return [item["student"] for item in (await client.get(SUBMISSIONS)).json()["items"]]
