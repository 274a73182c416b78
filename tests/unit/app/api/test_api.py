"""The API around an upload: its answers and waits, its refusals, its tokens and its document."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator

import jsonschema
import pytest
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionFree
from starlette.types import Message

from app.access.tokens import find_token
from app.answers import ANSWERS
from app.api.openapi import EXAMPLE_PARAMS
from app.http import bodies
from app.http.problems import EVERY_ANSWER, TYPE_PREFIX
from grader.formats import FORMATS
from grader.report.schema import report_schema
from tests.unit.app.calls import CODE, SUBMISSIONS, assert_problem, students, upload
from tests.unit.app.conftest import OWNER_TOKEN
from tests.waiting import until


@pytest.mark.parametrize("wait", [0, 1])
async def test_upload_is_answered_202_with_its_location_before_it_is_graded(owner, grader, wait):
    grader.released.clear()
    response = await owner.post(SUBMISSIONS, params={"wait": wait}, **upload())
    body = response.json()
    assert response.status_code == 202
    assert response.headers["location"] == body["links"]["self"] == f"{SUBMISSIONS}/{body['id']}"
    assert (body["student"], body["attempt"], body["filename"]) == ("ivanov", 1, "LSTM.py")
    assert body["job_status"] in ("queued", "running")
    assert body["report"] is None
    assert (await owner.get(response.headers["location"])).json()["id"] == body["id"]


async def test_stop_ends_waiting(settings, service, owner, grader):
    grader.released.clear()
    waiting = asyncio.create_task(owner.post(SUBMISSIONS, params={"wait": 120}, **upload()))
    await until(lambda: grader.began)
    service.services.jobs.stop_watching()
    assert (await asyncio.wait_for(waiting, 100)).status_code == 202


@pytest.mark.parametrize(
    ("lang", "accept", "expected"),
    [
        (None, "", "Класс и его ответ"),  # The assignment's own language.
        (None, "de, en;q=0.5", "The class and its output"),
        ("ru", "en", "Класс и его ответ"),
    ],
)
async def test_waiting_gives_the_report_in_the_language_that_was_asked_for(service, grader, lang, accept, expected):
    async with service.client(**{"Accept-Language": accept}) as client:
        params = {"wait": "120", **({"lang": lang} if lang else {})}
        response = await client.post(SUBMISSIONS, params=params, **upload())
    body = response.json()
    assert (response.status_code, body["job_status"], body["position"]) == (200, "done", None)
    assert body["report"]["status"] == "passed"
    assert body["report"]["checks"][0]["title"] == expected
    assert grader.graded[0].content == CODE


async def test_a_report_can_be_read_in_every_form_of_the_command_line(owner):
    body = (await owner.post(SUBMISSIONS, params={"wait": 120}, **upload())).json()
    for name, form in FORMATS.items():
        response = await owner.get(body["links"]["report"], params={"format": name, "lang": "en"})
        assert response.status_code == 200, name
        assert response.headers["content-type"].split(";")[0] == form.media_type
        assert "The class and its output" in response.text or name in ("junit", "coursera"), name


async def test_a_report_that_is_not_there_yet_is_a_conflict(owner, grader):
    grader.released.clear()
    body = (await owner.post(SUBMISSIONS, **upload())).json()
    assert_problem(await owner.get(body["links"]["report"]), 409, "report-not-ready")
    assert_problem(await owner.get(body["links"]["report"], params={"format": "docx"}), 422, "invalid-request")
    assert_problem(await owner.get(f"{SUBMISSIONS}/nothing/report"), 404, "submission-not-found")


@pytest.mark.parametrize(
    ("changed", "status", "slug"),
    [
        ({"content": b""}, 422, "empty-file"),
        ({"content": b"#" * 200_001}, 413, "file-too-large"),
        ({"content": b"#" * 2_000_000}, 413, "file-too-large"),  # By the announced length of the body.
        ({"filename": "LSTM.pdf"}, 415, "unsupported-file-type"),
        ({"filename": "LSTM"}, 415, "unsupported-file-type"),
        ({"student": "a\x00b"}, 422, "invalid-student"),
    ],
)
async def test_bad_upload_is_refused_at_once(owner, grader, changed, status, slug):
    assert_problem(await owner.post(SUBMISSIONS, **upload(**changed)), status, slug)
    assert (await owner.get(SUBMISSIONS)).json()["items"] == []
    assert grader.began == []


async def test_refused_upload_names_fields_and_assignments(owner):
    refused = await owner.post(SUBMISSIONS, **upload(assignment="gru" * 100))
    unknown = assert_problem(refused, 422, "unknown-assignment")
    assert "lstm-layer" in unknown["known"]
    assert "lstm-layer" in unknown["detail"]
    assert unknown["came"] == ("gru" * 100)[:100]
    assert unknown["came"] in unknown["detail"]
    # A browser sends an empty file without a name when none was chosen.
    empty = await owner.post(SUBMISSIONS, files={"file": ("", b"")})
    assert assert_problem(empty, 422, "fields-missing")["missing"] == ["file", "student"]
    form = {"student": "ivanov", "assigment": "lstm-notebook"}
    misspelt = await owner.post(SUBMISSIONS, files={"file": ("a.py", CODE)}, data=form)
    assert assert_problem(misspelt, 422, "unknown-fields")["unknown"] == ["assigment"]
    without_assignment = await owner.post(SUBMISSIONS, files={"file": ("a.py", CODE)}, data={"student": "ivanov"})
    assert without_assignment.status_code == 202


async def test_body_that_is_no_form_with_one_file_is_refused(owner):
    for content_type, body, status, slug in (
        ("application/x-www-form-urlencoded", b"student=a", 415, "form-expected"),
        ("multipart/form-data", b"x", 400, "form-unreadable"),
        ("Multipart/Form-Data ; boundary=b", b"nonsense", 400, "form-unreadable"),
    ):
        response = await owner.post(SUBMISSIONS, content=body, headers={"Content-Type": content_type})
        assert_problem(response, status, slug)
    files = [("file", ("a.py", CODE)), ("file", ("b.py", CODE))]
    assert_problem(await owner.post(SUBMISSIONS, files=files, data={"student": "a"}), 400, "form-unreadable")


async def test_cap_counts_what_comes_when_no_length_is_announced(owner):
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.py"\r\n\r\n'
        while sent < 1_000_000:
            sent += 50_000
            yield b"#" * 50_000

    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    assert_problem(await owner.post(SUBMISSIONS, content=endless(), headers=headers), 413, "file-too-large")


@pytest.mark.parametrize("wait", ["-1", "121"])
async def test_impossible_wait_is_a_problem_that_names_it(owner, wait):
    problem = assert_problem(await owner.post(SUBMISSIONS, params={"wait": wait}, **upload()), 422, "invalid-request")
    assert problem["errors"][0]["location"] == ["query", "wait"]


async def test_problems_are_in_the_readers_language(service):
    async with service.client(None, **{"Accept-Language": "ru"}) as client:
        response = await client.get("/api/v1/assignments")
    assert response.json()["title"] == "Нужен токен"
    assert response.headers["content-language"] == "ru"


async def test_fault_of_ours_is_a_problem_with_a_number_alone(owner, monkeypatch):
    def fail(*_: object) -> None:
        raise ZeroDivisionError("/secret/path")

    monkeypatch.setattr("app.api.endpoints.assignments.services", fail)
    response = await owner.get("/api/v1/assignments")
    problem = assert_problem(response, 500, "internal-error")
    assert problem["request_id"] == response.headers["x-request-id"]
    for sent, is_kept in (("a-1", True), ("a 1", False)):
        response = await owner.get("/api/v1/assignments", headers={"X-Request-ID": sent})
        assert (response.headers["x-request-id"] == sent) is is_kept
    assert "secret" not in response.text


@pytest.mark.parametrize(
    ("error", "slug"),
    [
        (OperationalError("INSERT", {}, Exception("database or disk is full")), "storage-unavailable"),
        (NoConnectionFree("QueuePool limit of size 5 overflow 10 reached, connection timed out"), "busy"),
    ],
    ids=["database gone", "no connection free"],
)
async def test_database_that_cannot_be_used_is_503(owner, monkeypatch, error, slug):
    async def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("app.submissions.repository.add_submissions", fail)
    response = await owner.post(SUBMISSIONS, **upload())
    assert_problem(response, 503, slug)
    assert response.headers["retry-after"]


@pytest.mark.parametrize("wait", [0, 5])
async def test_a_stored_upload_is_answered_202_though_the_database_is_gone_by_then(owner, monkeypatch, wait):
    async def fail(*_: object, **__: object) -> None:
        raise OperationalError("SELECT", {}, Exception("server closed the connection unexpectedly"))

    monkeypatch.setattr("app.submissions.repository.find_submission", fail)
    response = await owner.post(SUBMISSIONS, params={"wait": wait}, **upload())
    assert (response.status_code, response.json()["job_status"], response.json()["position"]) == (202, "queued", 1)


@pytest.mark.parametrize(("sent", "kept"), [(100, []), (None, ["ivanov"])], ids=["during", "after"])
async def test_client_that_leaves_is_no_fault_and_what_it_had_sent_whole_is_graded(service, owner, sent, kept):
    request = owner.build_request("POST", SUBMISSIONS, **upload())
    body = await request.aread()
    messages: list[Message] = [
        {"type": "http.disconnect"},
        {"type": "http.request", "body": body[:sent], "more_body": bool(sent)},
    ]
    answers: list[Message] = []

    async def receive() -> Message:
        return messages.pop() if len(messages) > 1 else messages[0]

    async def send(message: Message) -> None:
        answers.append(message)

    url = {"path": SUBMISSIONS, "raw_path": SUBMISSIONS.encode(), "query_string": b"wait=60", "scheme": "http"}
    headers = [(name.lower(), value) for name, value in request.headers.raw]
    scope = {"type": "http", "method": "POST", "headers": headers, "server": ("grader.test", 80), **url}
    await service._transport.app(scope, receive, send)
    assert [each["status"] for each in answers if "status" in each] == [200] * len(kept)
    assert await students(service) == kept
    assert not service.operations.failed_requests


async def test_header_without_a_valid_token_is_refused(nobody):
    for header in ("Bearer", "Bearer wrong", "Basic dTpw", f"Basic {OWNER_TOKEN}", f"{OWNER_TOKEN}"):
        answer = await nobody.get("/api/v1/assignments", headers={"Authorization": header})
        assert answer.status_code == 401, header


async def test_token_is_checked_before_the_upload_is_read(nobody):
    async def body() -> AsyncIterator[bytes]:
        pytest.fail("the body was read")
        yield b""

    headers = {"Content-Type": "multipart/form-data; boundary=b", "Content-Length": "1"}
    assert_problem(await nobody.post(SUBMISSIONS, content=body(), headers=headers), 401, "unauthorized")


async def test_tokens_are_stored_hashed(service):
    assert await service.write(find_token, hashlib.sha256(OWNER_TOKEN.encode()).hexdigest())


async def test_document_names_the_scheme_the_assignments_the_forms_and_every_refusal(nobody):
    document = (await nobody.get("/openapi.json")).json()
    assert document["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    operation = document["paths"][SUBMISSIONS]["post"]
    assert operation["security"] == [{"bearer": []}]
    form = operation["requestBody"]["content"]["multipart/form-data"]["schema"]["properties"]
    # Other services may have other assignments: a client that is generated here works there.
    assert "lstm-layer" in form["assignment"]["examples"]
    assert "enum" not in form["assignment"]
    documented = {
        f"{TYPE_PREFIX}{slug}"
        for answer in operation["responses"].values()
        for slug in answer["content"].get("application/problem+json", {}).get("examples", {})
    }
    refusals = [answer for cls, answer in ANSWERS.items() if "Upload" in str(cls.__mro__) and not cls.__subclasses__()]
    assert {TYPE_PREFIX + answer.slug for answer in refusals if answer} <= documented
    statuses = {200, 202, 400, 401, 403, 404, 408, 409, 413, 415, 422, 429, 503}
    assert set(map(int, operation["responses"])) == statuses
    waits = [status for status, each in operation["responses"].items() if "Retry-After" in each.get("headers", {})]
    assert sorted(waits) == ["429", "503"]
    assert {"SubmissionList", "TokenList"} <= document["components"]["schemas"].keys()
    assert "HTTPValidationError" not in str(document)
    names = [operation["operationId"] for methods in document["paths"].values() for operation in methods.values()]
    assert len(set(names)) == len(names)
    assert {"create_submission", "read_report", "create_regrade", "watch_submission"} <= set(names)
    read_report = document["paths"][f"{SUBMISSIONS}/{{submission_id}}/report"]["get"]
    (parameter,) = [parameter for parameter in read_report["parameters"] if parameter["name"] == "format"]
    assert parameter["schema"]["enum"] == list(FORMATS)
    assert set(read_report["responses"]["200"]["content"]) == {form.media_type for form in FORMATS.values()}


@pytest.mark.parametrize(
    ("route", "refusals"),
    [
        ("get /courses/{course_id}/members/{member_id}", {"forbidden", "member-not-found"}),
        (
            "patch /courses/{course_id}/members/{member_id}",
            {"forbidden", "course-archived", "member-not-found", "body-unreadable", "body-too-large"}
            | {"external-id-taken", "email-taken", "person-shared"},
        ),
        (
            "post /courses",
            {"forbidden", "body-unreadable", "body-too-large", "idempotency-key-reused"},
        ),
        ("post /submissions/{submission_id}/cancel", {"course-archived", "submission-not-found", "not-cancellable"}),
        ("get /submissions/{submission_id}/reports/{report_id}", {"submission-not-found", "report-not-found"}),
    ],
)
async def test_document_shows_the_refusals_of_each_route(nobody, route, refusals):
    method, path = route.split()
    operation = (await nobody.get("/openapi.json")).json()["paths"][f"/api/v1{path}"][method]
    contents = [answer.get("content", {}) for answer in operation["responses"].values()]
    shown = {slug for each in contents for slug in each.get("application/problem+json", {}).get("examples", {})}
    everywhere = {"unauthorized", "course-not-found", "invalid-request", "too-many-requests"}
    assert shown - {"outcome-unknown"} == refusals | everywhere | {"storage-unavailable", "busy"}
    assert ("outcome-unknown" in shown) == (method != "get")


def test_examples_of_problems_belong_to_problems():
    assert EXAMPLE_PARAMS.keys() <= {answer.slug for answer in EVERY_ANSWER.values()}


async def test_documented_report_is_the_published_one(owner):
    document = (await owner.get("/openapi.json")).json()
    body = (await owner.post(SUBMISSIONS, params={"wait": 120}, **upload())).json()
    schemas = document["components"]["schemas"]
    published = json.loads(json.dumps(report_schema()).replace("#/$defs/", "#/components/schemas/"))
    assert schemas["SubmissionBody"]["properties"]["report"]["anyOf"][0]["$ref"] == "#/components/schemas/Report"
    assert schemas["Report"]["properties"] == published["properties"]
    # None of its parts has the name of something else.
    for name, part in published["$defs"].items():
        assert schemas[name] == part
    jsonschema.validate(body, {"$ref": "#/components/schemas/SubmissionBody", "components": {"schemas": schemas}})


async def test_documented_adjustment_has_a_difference_or_a_value(nobody):
    schemas = (await nobody.get("/openapi.json")).json()["components"]["schemas"]
    adjust = {"$ref": "#/components/schemas/AdjustGrade", "components": {"schemas": schemas}}
    for given, is_valid in (({"delta": 1}, True), ({"value": 1}, True), ({}, False), ({"delta": 1, "value": 1}, False)):
        assert jsonschema.Draft202012Validator(adjust).is_valid({"reason": "ill", **given}) is is_valid, given


async def test_documentation_page_and_its_files_come_from_here(nobody):
    page = (await nobody.get("/docs")).text
    assert "https:" not in page
    for path in ("/static/swagger/swagger-ui-bundle.js", "/static/swagger/swagger-ui.css", "/static/docs.js"):
        assert path in page
        assert (await nobody.get(path)).status_code == 200


async def test_upload_that_does_not_end_is_not_waited_for(owner, monkeypatch):
    async def endless() -> AsyncIterator[bytes]:
        yield b'--b\r\nContent-Disposition: form-data; name="student"\r\n\r\n'
        while True:
            await asyncio.sleep(0.05)  # Sleeps: a client that sends slowly is given up here.
            yield b"i"

    monkeypatch.setattr(bodies, "UPLOAD_SECONDS", 0.3)
    response = await owner.post(
        SUBMISSIONS, content=endless(), headers={"Content-Type": "multipart/form-data; boundary=b"}
    )
    assert_problem(response, 408, "upload-too-slow")
