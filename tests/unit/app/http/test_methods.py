"""An address takes the methods of its own operations alone, and HEAD tells of it what GET would, and nothing more."""

import asyncio
from collections import defaultdict

import httpx
import pytest
from fastapi.routing import iter_route_contexts

from app.main import create_app
from app.storage.models import DEFAULT_COURSE
from tests.unit.app.calls import hand_in
from tests.waiting import SECONDS

# Headers with numbers that change, and those of a body, which HEAD does not have (RFC 9110, section 9.3.2).
VOLATILE = {"x-request-id", "set-cookie", "content-length", "content-encoding", "vary"}


def facts(response: httpx.Response) -> tuple[int, dict[str, str]]:
    return response.status_code, {name: value for name, value in response.headers.items() if name not in VOLATILE}


@pytest.mark.thorough
async def test_head_is_answered_as_get_is_at_every_address(service, browser, owner):
    contexts = iter_route_contexts(create_app(service.services.settings).routes)
    paths = {context.path for context in contexts if "GET" in (context.methods or ())}
    assert {"/", "/submissions/{submission_id}", "/api/v1/submissions", "/openapi.json", "/static/vega.js"} <= paths
    values = defaultdict(
        lambda: "none", assignment_id="lstm-layer", report_id="1", form="svg", course_id=DEFAULT_COURSE
    )
    values["submission_id"] = await hand_in(service, "a")
    for path in sorted(filter(None, paths)):
        client = owner if path.startswith(("/api/", "/metrics")) else browser
        address = path.format_map(values)
        head, get = await client.head(address), await client.get(address)
        assert facts(head) == facts(get), path
        assert get.status_code != 405, path
        assert head.content == b"", path


async def test_head_of_a_file_has_its_etag(nobody):
    path = "/static/report/report.css"
    head, get = await nobody.head(path), await nobody.get(path)
    assert (head.status_code, head.content, head.headers["etag"]) == (200, b"", get.headers["etag"])


async def test_an_endless_stream_is_not_waited_for(service, owner, grader):
    grader.released.clear()
    submission_id = await hand_in(service, "a", wait=0)
    async with asyncio.timeout(SECONDS):
        head = await owner.head(f"/api/v1/submissions/{submission_id}/events")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-type"].startswith("text/event-stream")


async def test_no_address_takes_a_method_of_one_that_it_resembles(service, owner):
    """`/people/merges` also looks like `/people/{person_id}`, which can be deleted."""
    own: dict[str, set[str]] = defaultdict(set)
    for context in iter_route_contexts(create_app(service.services.settings).routes):
        methods = getattr(context, "methods", None)
        path = (context.path or "").format_map(defaultdict(lambda: "none"))
        # Without methods: a folder of files.
        own[path if methods else f"{path}/none.css"] |= methods or {"GET"}
    assert {
        "/api/v1/people/merges",
        "/api/v1/people/none",
        "/courses/new",
        "/courses/none",
        "/static/none.css",
    } <= own.keys()
    for path, methods in own.items():
        taken = methods | {"HEAD"} if "GET" in methods else methods
        for method in {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "NONSENSE"} - taken:
            refused = await owner.request(method, path)
            allowed = refused.headers["allow"]
            assert (refused.status_code, allowed) == (405, ", ".join(sorted(taken))), f"{method} {path}"


async def test_head_is_counted_as_such(owner):
    await owner.head("/api/v1/assignments")
    counted = (await owner.get("/metrics")).text
    line = 'lstm_grader_http_requests_total{method="HEAD",route="/api/v1/assignments",status="200"} 1.0'
    assert line in counted.splitlines()
