"""Permissions: every route of the OpenAPI document is asked by people without the right to it."""

import inspect
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from fastapi import APIRouter, Depends, FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, iter_route_contexts

from app.access import persons
from app.access.rights import Right
from app.http.auth.guard import PUBLIC, check_guarded
from app.http.auth.holders import TokenFor
from app.http.auth.proof import FORM_FIELD
from app.main import create_app
from app.storage.models import (
    DEFAULT_COURSE,
    Batch,
    BatchFile,
    BatchFileState,
    Check,
    Identity,
    JobStatus,
    Person,
    Role,
    new_id,
)
from app.web import routes as web_routes
from grader.report.model import Advisory
from tests.unit.app.calls import CODE, SUBMISSIONS, assert_problem, get, upload
from tests.unit.app.conftest import OWNER_TOKEN, Service, form_secret

PLACE = "/api/v1/courses/{course_id}/members/{member_id}/assignments/{assignment_id}"
#: Requests that every token or every student may make; the answers hold nothing of others, as the tests below show.
FOR_EVERYBODY = {
    ("get", "/healthz"),
    ("get", "/readyz"),
    ("post", SUBMISSIONS),
    ("get", SUBMISSIONS),
    ("post", "/api/v1/checks"),
    ("get", "/api/v1/courses"),
    ("get", "/api/v1/courses/{course_id}"),
    ("get", "/api/v1/courses/{course_id}/assignments"),
    ("get", "/api/v1/courses/{course_id}/assignments/{assignment_id}"),
    ("get", "/api/v1/courses/{course_id}/grades/me"),
    ("get", "/api/v1/assignments"),
    ("get", "/api/v1/assignments/{assignment_id}"),
    ("post", "/api/v1/webhooks"),
    ("get", "/api/v1/webhooks"),
}

#: Requests about people and no course: for admins, and for a member about the member alone.
ABOUT_PEOPLE = ("/api/v1/people", "/api/v1/me/")


async def of_somebody_else(service: Service) -> dict[str, str]:
    """Values for the parameters in paths: things that are there, and that belong to another token."""
    token = await service.add_token("first")
    async with service.client("first") as client:
        body = (await client.post(SUBMISSIONS, params={"wait": 120}, **upload())).json()
    async with service.client() as owner:
        regrade = (await owner.post("/api/v1/regrades", json={"submissions": [body["id"]]})).json()
        here = f"/api/v1/courses/{DEFAULT_COURSE}/members"
        member = (await owner.get(here, params={"search": "ivanov"})).json()["items"][0]
        added = [(await owner.post(here, json={"external_id": id})).json()["id"] for id in ("kept", "joined")]
        joined = (await owner.post(f"{here}/{added[0]}/join", json={"member": added[1]})).json()
    async with service.client("first") as client:
        await client.get(body["links"]["self"], params={"wait": 120})
        report, _ = (await client.get(body["links"]["reports"])).json()["items"]
        hook = (await client.post("/api/v1/webhooks", json={"url": "https://lms.example.org/hook"})).json()
        assert hook["secret"].startswith("whsec_")
    async with service.client() as owner:
        join_link = (await owner.post(f"/api/v1/courses/{DEFAULT_COURSE}/join-links", json={})).json()
        ids = {"course_id": DEFAULT_COURSE, "member_id": member["id"], "assignment_id": "lstm-layer"}
        place = filled(PLACE, ids)
        await owner.put(f"{place}/extension", json={"more_attempts": 1, "reason": "ill"})
        adjustment = (await owner.post(f"{place}/adjustments", json={"delta": 1.0, "reason": "a plot"})).json()
        comment = (await owner.post(f"{place}/comments", json={"text": "Well done."})).json()
        review = (await owner.post(f"{body['links']['self']}/reviews", json={"text": "Why?"})).json()
    async with service.services.database.write() as session:
        other = Person(name="merged")
        session.add(other)
        await session.flush()
        merge = await persons.merge(session, member["person"], other.id, "owner")
        identity = Identity(id=new_id(), person_id=member["person"], issuer="https://id.example.edu", subject="7")
        session.add(identity)
        batch = Batch(
            id=new_id(), course_id=DEFAULT_COURSE, assignment_id="lstm-layer", filename="a.zip", made_by="owner"
        )
        session.add(batch)
        await session.flush()
        of_nobody = {"state": BatchFileState.UNMATCHED, "content": CODE, "name": "of ivanov", "path": "ivanov/LSTM.py"}
        session.add(BatchFile(batch_id=batch.id, filename="LSTM.py", **of_nobody))
        of_file = {"assignment_id": "lstm-layer", "filename": "of ivanov.py", "sha256": "f" * 64}
        check = Check(id=new_id(), membership_id=member["id"], submitted_by=member["id"], **of_file)
        check.job_status = JobStatus.DONE
        session.add(check)
    return {
        "course_id": DEFAULT_COURSE,
        "member_id": member["id"],
        "person_id": member["person"],
        "join_link_id": join_link["id"],
        "join_id": joined["id"],
        "adjustment_id": adjustment["id"],
        "comment_id": comment["id"],
        "review_id": review["id"],
        "webhook_id": hook["id"],
        "submission_id": body["id"],
        "regrade_id": regrade["id"],
        "merge_id": merge.id,
        "identity_id": identity.id,
        "token_id": token.id,
        "report_id": str(report["id"]),
        "name": "exercise-heat",
        "case_id": "exercise",
        "batch_id": batch.id,
        "check_id": check.id,
        "assignment_id": "lstm-layer",
    }


def filled(path: str, values: dict[str, str]) -> str:
    return re.sub(r"{(\w+)}", lambda match: values[match[1]], path)


def without_ids(page: httpx.Response, *ids: str) -> str:
    """Return a page without secrets of forms, and without these ids, which its address may have put into it."""
    text = re.sub(r'value="[0-9a-f]{32,}"', "", page.text)
    for id in ids:
        text = text.replace(id, "ID")
    return text


async def operations(service: Service) -> list[tuple[str, str, dict[str, Any]]]:
    async with service.client(None) as client:
        paths = (await client.get("/openapi.json")).json()["paths"]
    found = [(method, path, operation) for path, methods in paths.items() for method, operation in methods.items()]
    # Without the calls of strangers.
    return [each for each in found if each[2].get("security") != []]


async def test_every_route_is_closed_to_another_submitter_and_to_another_student(service):
    values = await of_somebody_else(service)
    await service.add_token("submitter")
    await service.add_token("student", student="petrov")
    requests = 0
    for token in ("submitter", "student"):
        async with service.client(token) as client:
            for method, path, _ in await operations(service):
                if (method, path) in FOR_EVERYBODY or path.startswith("/api/v1/me/"):
                    continue
                # Every submitter may ask about own attempts, so this body is read before the attempt is looked for.
                body = {"text": "x"} if path.endswith("{submission_id}/reviews") and method == "post" else None
                for headers in ({}, {"If-None-Match": "*", "Last-Event-ID": "1"}) if method == "get" else ({},):
                    response = await client.request(method, filled(path, values), headers=headers, json=body)
                    assert response.status_code in (403, 404), f"{token}: {method} {path}: {response.status_code}"
                    assert "ivanov" not in response.text, f"{token}: {method} {path}"
                requests += 1
    assert requests >= 2 * 15


async def test_lists_hold_nothing_of_others_and_students_leave_no_webhooks(service):
    await of_somebody_else(service)
    await service.add_token("second")
    await service.add_token("teacher", Role.TEACHER)
    await service.add_token("of-ivanov", student="ivanov")
    for token, expected in (("first", 1), ("second", 0), ("teacher", 1)):
        async with service.client(token) as client:
            for params in ({}, {"student": "ivanov"}, {"status": "passed"}, {"cursor": "z" * 26}):
                assert len((await client.get(SUBMISSIONS, params=params)).json()["items"]) == expected
    for token, expected in (("first", 1), ("teacher", 0), (OWNER_TOKEN, 1)):
        assert len((await get(service, token, "/api/v1/webhooks")).json()["items"]) == expected
    async with service.client("of-ivanov") as client:
        assert_problem(await client.get("/api/v1/webhooks"), 403, "forbidden")
        body = {"url": "https://evil.example.org"}
        assert_problem(await client.post("/api/v1/webhooks", json=body), 403, "forbidden")


async def test_every_route_of_the_api_needs_a_token_and_takes_no_session(service, nobody, browser):
    """So that no page of another site can have a signed-in browser ask for anything."""
    values = await of_somebody_else(service)
    for method, path, _ in await operations(service):
        if path not in PUBLIC:
            refused = await nobody.request(method, filled(path, values))
            assert_problem(refused, 401, "unauthorized")
            assert refused.headers["www-authenticate"].startswith("Bearer")
            with_session = await browser.request(method, filled(path, values))
            assert with_session.status_code == 401, f"{method} {path}"


async def test_pages_are_closed_to_others_and_to_forms_of_other_sites(service, nobody):
    values = await of_somebody_else(service) | {"form": "ipynb"}
    await service.add_token("second")
    looked_at = changed = 0
    async with service.browser("first") as first, service.browser("second") as second:
        theirs = form_secret((await second.get("/")).text)
        for context in iter_route_contexts(web_routes.router.routes):
            route = context.original_route
            assert isinstance(route, APIRoute)
            if route.path in PUBLIC:
                continue
            path = filled(route.path, values)
            if "GET" in route.methods and "{submission_id}" in route.path:
                looked_at += 1
                for headers in ({}, {"If-None-Match": "*", "Last-Event-ID": "1"}):
                    assert (await second.get(path, headers=headers)).status_code == 404, path
                if not route.path.endswith((".svg", ".csv")):
                    assert (await first.get(path)).status_code == 200, path
            if "GET" not in route.methods:
                changed += 1
                for secret in ("", theirs):
                    assert (await first.post(path, files={FORM_FIELD: (None, secret)})).status_code == 403, path
            assert (await nobody.request(next(iter(route.methods)), path)).status_code == 401, path
        assert values["submission_id"] not in (await second.get("/")).text
    assert (looked_at, changed) >= (3, 2)


def test_service_with_a_route_for_nobody_does_not_start(settings, monkeypatch):
    outer, inner = APIRouter(prefix="/outer"), APIRouter()
    inner.get("/inner")(lambda: "hello")
    outer.include_router(inner)
    for router, path in ((inner, "/inner"), (outer, "/outer/inner")):
        app = FastAPI()
        app.include_router(router)
        with pytest.raises(RuntimeError, match=f"{path} is open to everybody"):
            check_guarded(app.routes)
    app = FastAPI()
    app.include_router(outer, dependencies=[Depends(TokenFor(Right.REGRADE))])
    check_guarded(app.routes)
    monkeypatch.setattr("app.http.auth.guard.PUBLIC", PUBLIC - {"/enter"})
    with pytest.raises(RuntimeError, match="/enter is open to everybody"):
        create_app(settings)


def test_no_request_waits_for_a_thread(settings):
    """FastAPI runs what is not `async` in one, and beside grading that waits for a core."""

    def in_threads(dependant: Dependant) -> Iterator[object]:
        call = dependant.call
        kinds = inspect.iscoroutinefunction, inspect.isasyncgenfunction
        if not any(kind(each) for kind in kinds for each in (call, type(call).__call__)):
            yield call
        for inner in dependant.dependencies:
            yield from in_threads(inner)

    routes = [context.original_route for context in iter_route_contexts(list(create_app(settings).routes))]
    dependants = [route.dependant for route in routes if isinstance(route, APIRoute)]
    assert len(dependants) > 30
    assert not [call for dependant in dependants for call in in_threads(dependant)]


async def test_remarks_for_the_teacher_are_not_shown_to_the_submitter(service, grader):
    suspicion = Advisory(code="review_suggested", params={"evidence": "ctypes"})
    harmless = Advisory(code="global_x_shape")
    grader.change = lambda report: report.model_copy(update={"advisories": [suspicion, harmless]})
    values = await of_somebody_else(service)
    here = f"{SUBMISSIONS}/{values['submission_id']}"
    for token, expected in (("first", 1), (OWNER_TOKEN, 2)):
        async with service.client(token) as client:
            assert len((await client.get(here)).json()["report"]["advisories"]) == expected
            for params in ({}, {"format": "html"}):
                report = await client.get(f"{here}/report", params=params)
                assert ("ctypes" in report.text) == (expected == 2)
    async with service.browser("first") as browser:
        assert "ctypes" not in (await browser.get(f"/submissions/{values['submission_id']}")).text
