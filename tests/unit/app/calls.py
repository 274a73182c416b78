"""Calls of the service that many tests make."""

import re
from html import unescape
from typing import Any

import httpx

from app.http.problems import TYPE_PREFIX
from app.storage.models import DEFAULT_COURSE
from grader import Report
from grader.report.model import HELD, Advisory
from tests.unit.app.conftest import Service, form_secret

SUBMISSIONS = "/api/v1/submissions"
COURSE = f"/courses/{DEFAULT_COURSE}"
#: The page of an assignment, which hands in; and its attempts.
PAGE = f"{COURSE}/assignments/lstm-layer"
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


def attacked(report: Report) -> Report:
    return report.model_copy(update={"advisories": [Advisory(code=HELD, params={"signals": ["forged"]})]}).sealed()


async def submit(client: httpx.AsyncClient, wait: int = 120, **values: Any) -> dict[str, Any]:
    body: dict[str, Any] = (await client.post(SUBMISSIONS, params={"wait": wait}, **upload(**values))).json()
    return body


async def hand_in(service: Service, student: str, content: bytes = b"class LSTM: ...", wait: int = 120) -> str:
    async with service.client() as client:
        files = {"file": ("LSTM.py", content)}
        answer = await client.post(SUBMISSIONS, data={"student": student}, files=files, params={"wait": wait})
    return str(answer.json()["id"])


def hidden(html: str, name: str) -> str:
    """Return the value of a hidden field."""
    field = re.search(rf'name="{name}" value="([^"]*)"', html)
    assert field, name
    return unescape(field[1])


async def send(
    browser: httpx.AsyncClient, page: str, action: str | None = None, *, files: Any = None, **fields: object
) -> httpx.Response:
    """Fill in a form of a page and send it to `action`, by default the page itself."""
    html = (await browser.get(page)).text
    data: dict[str, object] = {"form_secret": form_secret(html), **fields}
    for name in ("form_key", "replaces"):
        if f'name="{name}"' in html:
            data.setdefault(name, hidden(html, name))
    return await browser.post(action or page, data=data, files=files)


async def submit_by(service: Service, token: str, student: str = "ivanov", **params: Any) -> httpx.Response:
    """Hand in by a token, in the course that it is of."""
    async with service.client(token) as client:
        form = upload(student=student, assignment=params.pop("assignment", "lstm-layer"))
        return await client.post(SUBMISSIONS, params={"wait": 120, **params}, **form)


async def get(service: Service, token: str | None, path: str, **params: Any) -> httpx.Response:
    async with service.client(token) as client:
        return await client.get(path, params=params)


async def post(service: Service, token: str | None, path: str, body: Any = None) -> httpx.Response:
    async with service.client(token) as client:
        return await client.post(path, json=body)


def said(response: httpx.Response) -> str:
    """Return the id of the message that the next page shows."""
    assert response.status_code == 303, response.text
    return response.headers["location"].partition("said=")[2]


async def students(service: Service) -> list[str]:
    async with service.client() as client:
        return [item["student"] for item in (await client.get(SUBMISSIONS)).json()["items"]]
