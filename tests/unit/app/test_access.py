"""Who may do what: every route of the OpenAPI document, asked by somebody whom it does not concern."""

from __future__ import annotations

import re
from typing import Any

import pytest
from fastapi import FastAPI

from app.auth import check_guarded
from app.models import Role
from tests.unit.app.conftest import Service
from tests.unit.app.test_api import SUBMISSIONS, upload

pytestmark = pytest.mark.anyio

#: What every token may ask; the answers hold nothing of others, as the tests below show.
FOR_EVERYBODY = {
    ("get", "/healthz"),
    ("post", SUBMISSIONS),
    ("get", SUBMISSIONS),
    ("get", "/api/v1/assignments"),
    ("get", "/api/v1/assignments/{assignment_id}"),
}


async def of_somebody_else(service: Service) -> dict[str, str]:
    """Values for the parameters in paths: things that are there, and that belong to another token."""
    await service.add_token("first")
    async with service.client("first") as client:
        body = (await client.post(SUBMISSIONS, params={"wait": 20}, **upload())).json()
        (report,) = (await client.get(body["links"]["reports"])).json()["items"]
    return {
        "submission_id": body["id"],
        "report_id": str(report["id"]),
        "name": "exercise-heat",
        "assignment_id": "lstm-layer",
    }


async def operations(service: Service) -> list[tuple[str, str, dict[str, Any]]]:
    async with service.client(None) as client:
        paths = (await client.get("/openapi.json")).json()["paths"]
    return [(method, path, operation) for path, methods in paths.items() for method, operation in methods.items()]


async def test_every_route_is_closed_to_another_submitter(service: Service) -> None:
    values = await of_somebody_else(service)
    await service.add_token("second", Role.SUBMITTER)
    asked = 0
    async with service.client("second") as client:
        for method, path, _ in await operations(service):
            if (method, path) in FOR_EVERYBODY:
                continue
            filled = re.sub(r"{(\w+)}", lambda match: values[match[1]], path)
            response = await client.request(method, filled)
            assert response.status_code in (403, 404), f"{method} {path}: {response.status_code}"
            assert "ivanov" not in response.text
            asked += 1
    assert asked >= 8


async def test_the_same_routes_answer_whom_they_concern(service: Service) -> None:
    """Else the test above would pass on routes that answer nobody."""
    values = await of_somebody_else(service)
    async with service.client("first") as client:
        for method, path, _ in await operations(service):
            if method == "get" and "{name}" not in path and "changes" not in path:
                filled = re.sub(r"{(\w+)}", lambda match: values[match[1]], path)
                assert (await client.get(filled)).status_code == 200, path


async def test_list_holds_nothing_of_others(service: Service) -> None:
    await of_somebody_else(service)
    await service.add_token("second")
    await service.add_token("teacher", Role.TEACHER)
    for token, expected in (("first", 1), ("second", 0), ("teacher", 1)):
        async with service.client(token) as client:
            for params in ({}, {"student": "ivanov"}, {"assignment": "lstm-layer"}, {"status": "passed"}):
                assert len((await client.get(SUBMISSIONS, params=params)).json()["items"]) == expected


async def test_pages_are_closed_to_another_session(service: Service) -> None:
    values = await of_somebody_else(service)
    await service.add_token("second")
    async with service.browser("second") as browser:
        for path in ("", "/pictures/exercise-heat.svg", "/pictures/exercise-heat.json"):
            assert (await browser.get(f"/submissions/{values['submission_id']}{path}")).status_code == 404
        assert values["submission_id"] not in (await browser.get("/")).text


def test_service_with_a_route_that_asks_nobody_does_not_start() -> None:
    app = FastAPI()
    app.get("/open")(lambda: "hello")
    with pytest.raises(RuntimeError, match="/open is open to everybody"):
        check_guarded(app.routes)
