"""Codes and tokens of notebooks: how one becomes the other, and what the token may do."""

import logging
import re
from datetime import datetime, timedelta

import httpx

from app.access import notebooks, sessions
from app.access.tokens import hash_secret
from app.http.auth.sessions import SESSION_COOKIE
from app.storage.models import DEFAULT_COURSE, Course, MemberRole, Membership, NotebookCode, Person, Token, utc_now
from tests.unit.app.access.test_access import filled, of_somebody_else, operations
from tests.unit.app.calls import PAGE, SUBMISSIONS, assert_problem, get, hand_in, post, upload
from tests.unit.app.conftest import Service, form_secret

EXCHANGE = "/api/v1/notebook/tokens"
CHECKS = "/api/v1/checks"
#: The routes for which a notebook's token has the right.
OF_NOTEBOOKS = {("post", SUBMISSIONS), ("get", SUBMISSIONS), ("post", CHECKS), ("get", f"{CHECKS}/{{check_id}}")} | {
    ("get", f"{SUBMISSIONS}/{{submission_id}}{rest}")
    for rest in (
        *("", "/events", "/file", "/report", "/reports", "/reports/{report_id}", "/reports/{report_id}/changes"),
        *("/reports/{report_id}/pictures", "/reports/{report_id}/pictures/{name}.svg"),
    )
}


async def code_for(service: Service, student: str = "ivanov", assignment: str = "lstm-layer") -> str:
    """Make a code, as the student's page does."""
    member = await service.member(student)
    return await service.write(notebooks.make_code, notebooks.Principal.of_member(member), assignment, "ru")


async def exchange(service: Service, code: str, **more: str) -> httpx.Response:
    return await post(service, None, EXCHANGE, {"code": code, **more})


async def token_for(service: Service, student: str = "ivanov", assignment: str = "lstm-layer") -> str:
    answer = await exchange(service, await code_for(service, student, assignment))
    token: str = answer.json()["token"]
    return token


async def test_a_code_becomes_the_token_of_one_assignment_once(service, ivanov):
    code = await code_for(service)
    first = await exchange(service, f" {code.lower().replace('-', ' – ')} ", where="Colab")
    assert first.status_code == 201
    body = first.json()
    lifetime = notebooks.TOKEN_LIFETIME - (datetime.fromisoformat(body.pop("expires_at")) - utc_now())
    assert abs(lifetime) < timedelta(minutes=1)
    token = body.pop("token")
    assert body == {
        "assignment": "lstm-layer",
        "title": service.services.assignments["lstm-layer"].title["ru"],
        "language": "ru",
        "whole_notebook": False,
        "upload_bytes": 200_000,
        "check_only": False,
    }
    assert_problem(await exchange(service, code), 403, "code-unusable")
    async with service.client(token) as notebook:
        handed_in = (await notebook.post(SUBMISSIONS, params={"wait": 120}, **upload(student=None))).json()
        assert (handed_in["student"], handed_in["job_status"]) == ("ivanov", "done")


async def test_every_unusable_code_gets_the_same_answer(service, ivanov):
    replaced, current = await code_for(service), await code_for(service)
    await exchange(service, current)
    expired = await code_for(service)
    await service.store(NotebookCode, expires_at=utc_now())
    answers = [(await exchange(service, code)).text for code in ("AAAA-AAAA", replaced, current, expired, "")]
    assert len(set(answers)) == 1
    for table, values in ((Course, {"archived_at": utc_now()}), (Membership, {"removed_at": utc_now()})):
        code = await code_for(service)
        await service.store(table, **values)
        assert (await exchange(service, code)).text == answers[0], table
        await service.store(table, **dict.fromkeys(values))


async def test_a_code_is_of_no_use_when_the_assignment_is_gone(service, ivanov, monkeypatch):
    await hand_in(service, "ivanov")
    code = await code_for(service)
    monkeypatch.delitem(service.services.assignments, "lstm-layer")
    assert_problem(await exchange(service, code), 404, "assignment-not-found")


async def test_wrong_codes_are_limited_and_right_ones_are_not(service, ivanov):
    for _ in range(20):
        assert (await exchange(service, "AAAA-AAAA")).status_code == 403
    for code in ("AAAA-AAAA", await code_for(service)):
        refused = await exchange(service, code)
        assert_problem(refused, 429, "too-many-requests")
        assert int(refused.headers["retry-after"]) >= 1


async def test_a_class_behind_one_address_connects_at_once(service, ivanov):
    assert {(await exchange(service, await code_for(service))).status_code for _ in range(40)} == {201}


async def test_a_notebooks_token_is_for_its_students_work_at_its_assignment(service):
    """On every route: what it may read is there for its own work, and not there for any other; the rest is refused."""
    of_ivanov = await of_somebody_else(service)
    await service.add_token("of-petrov", student="petrov")
    elsewhere = dict(of_ivanov)
    async with service.client("of-petrov") as petrov:
        other = await petrov.post(SUBMISSIONS, **upload(student=None, assignment="lstm-notebook"))
        elsewhere["submission_id"] = other.json()["id"]
    own = await token_for(service)
    asked = set()
    async with service.client(own) as notebook, service.client(await token_for(service, "petrov")) as of_petrov:
        for method, path, _ in await operations(service):
            if not path.startswith("/api/"):
                continue
            asked.add((method, path))
            if (method, path) not in OF_NOTEBOOKS:
                for client in (notebook, of_petrov):
                    assert_problem(await client.request(method, filled(path, of_ivanov)), 403, "forbidden")
            elif "{submission_id}" in path:
                answer = await notebook.get(filled(path, of_ivanov))
                assert answer.status_code == 200 or "problem:report-not-found" in answer.text, path
                for values in (of_ivanov, elsewhere):  # Somebody else's; the own one at another assignment.
                    assert_problem(await of_petrov.get(filled(path, values)), 404, "submission-not-found")
        assert asked >= OF_NOTEBOOKS
        listed = (await notebook.get(SUBMISSIONS)).json()["items"]
        assert [each["id"] for each in listed] == [of_ivanov["submission_id"]]
        assert (await of_petrov.get(SUBMISSIONS)).json()["items"] == []
        assert_problem(await notebook.post(SUBMISSIONS, **upload(assignment="lstm-notebook")), 403, "forbidden")
        assert_problem(await notebook.post(SUBMISSIONS, **upload(student="petrov")), 403, "other-student")


async def test_a_notebooks_token_opens_no_browser_and_ends_with_its_student(service, ivanov):
    token = await token_for(service)
    async with service.client(None, Accept="text/html") as browser:
        assert (await browser.post("/enter", data={"token": token})).status_code == 401
        assert (await browser.get("/enter", params={"token": token})).status_code == 401
        browser.cookies.set(SESSION_COOKIE, token)
        assert (await browser.get("/")).status_code == 401
    async with service.client(token) as notebook:
        assert (await notebook.get(SUBMISSIONS)).status_code == 200
        await service.store(Membership, Membership.external_id == "ivanov", role=MemberRole.TEACHER)
        assert (await notebook.get(SUBMISSIONS)).status_code == 401


async def test_the_eleventh_notebook_ends_the_first_and_each_use_is_noted(service, ivanov):
    secrets = [await token_for(service) for _ in range(notebooks.MOST + 1)]
    for secret, status in ((secrets[0], 401), (secrets[1], 200), (secrets[-1], 200)):
        assert (await get(service, secret, SUBMISSIONS)).status_code == status
    used_at = {token.sha256: token.used_at for token in await service.rows(Token, Token.assignment_id.is_not(None))}
    noted = [secret for secret in secrets if used_at[hash_secret(secret)] is not None]
    assert noted == [secrets[1], secrets[-1]]


async def test_a_notebook_ends_with_the_links_of_its_student(service, owner, ivanov):
    """It may have been connected in the session of a link that somebody else has."""
    token = await token_for(service)
    assert (await owner.delete(f"/api/v1/courses/{DEFAULT_COURSE}/links")).is_success
    assert (await get(service, token, SUBMISSIONS)).status_code == 401


async def test_a_code_is_made_in_a_platforms_frame(service, ivanov):
    member = await service.member("ivanov")
    async with service.services.database.write() as session:
        person = await session.get_one(Person, member.person_id)
        lasting = {"lifetime": timedelta(hours=1), "course_id": member.course_id}
        await sessions.add(session, sha256=sessions.hash_of_frame("f" * 43), of=person, **lasting)
    headers = {"Sec-Fetch-Dest": "iframe", "Sec-Fetch-Site": "same-origin", "Accept": "text/html"}
    async with service.client(None, **headers) as frame:
        page = (await frame.get(f"/t/{'f' * 43}{PAGE}")).text
        (address,) = re.findall(r'action="([^"]+)/code#notebook"', page)
        assert address == f"/t/{'f' * 43}{PAGE}"
        shown = await frame.post(f"{address}/code", data={"form_secret": form_secret(page)})
    (code,) = re.findall(r">([A-Z2-9]{4}-[A-Z2-9]{4})<", shown.text)
    assert (await exchange(service, code)).status_code == 201


async def test_no_secret_of_a_notebook_is_logged(service, ivanov, caplog):
    caplog.set_level(logging.DEBUG)
    code = await code_for(service)
    token = (await exchange(service, code)).json()["token"]
    await exchange(service, code)
    written = "\n".join(str(vars(record)) for record in caplog.records)
    assert "notebook_connected" in written
    for secret in (code, code.replace("-", ""), token):
        assert secret not in written
