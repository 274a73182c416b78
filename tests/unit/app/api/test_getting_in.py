"""Rosters, personal links and join links over the API."""

import csv
import io
from dataclasses import replace
from typing import Any

import httpx

from app.mail.mailer import Mailer, MailServer
from app.storage.models import DEFAULT_COURSE, Change, MemberRole, Session
from tests.unit.app.calls import assert_problem, submit
from tests.unit.app.conftest import OTHER, OWNER_TOKEN, Service

ROSTER = "id;ФИО;Почта;Группа\nivanov;Иван Иванов;ivanov@hse.ru;201\npetrova;=Анна;petrova@hse.ru;\n"
CSV = {"Content-Type": "text/csv"}


def path(part: str, course: str = DEFAULT_COURSE) -> str:
    return f"/api/v1/courses/{course}/{part}"


async def send(
    service: Service,
    text: str | bytes = ROSTER,
    token: str = OWNER_TOKEN,
    course: str = DEFAULT_COURSE,
    headers: dict[str, str] | None = None,
    **params: Any,
) -> httpx.Response:
    async with service.client(token) as client:
        content = text if isinstance(text, bytes) else text.encode()
        return await client.post(
            path("roster", course), content=content, params=params, headers={**CSV, **(headers or {})}
        )


def secret(link: str) -> str:
    return link.partition("token=")[2]


async def test_dry_run_says_what_the_import_then_does(service):
    dry = (await send(service, dry_run=True)).json()
    assert (dry["dry_run"], dry["counts"]["new"], dry["id_column"]) == (True, 2, "id")
    first = dry["rows"][0]
    assert (first["line"], first["id"], first["outcome"], first["link"]) == (2, "ivanov", "new", None)
    assert {"field": "email", "before": None, "after": "ivanov@hse.ru"} in first["changes"]
    done = (await send(service, plan=dry["plan"])).json()
    assert done["counts"] == dry["counts"]
    assert (await service.member("ivanov")).confirmed_at is not None
    again = (await send(service)).json()
    assert again["counts"]["unchanged"] == 2
    assert_problem(await send(service, plan=dry["plan"]), 409, "roster-changed")


async def test_form_and_file_itself_are_the_same_and_their_faults_are_told(service, owner):
    content = ROSTER.encode("cp1251")
    sent = await owner.post(path("roster"), files={"file": ("roster.csv", content)}, params={"dry_run": True})
    assert sent.json()["rows"] == (await send(service, content, dry_run=True)).json()["rows"]
    misspelt = await owner.post(path("roster"), files={"roster": ("roster.csv", content)})
    assert_problem(misspelt, 422, "unknown-fields")
    no_file = await owner.post(path("roster"), data={"file": "x"}, files={"file2": b""})
    assert no_file.status_code == 422
    assert_problem(await send(service, b"x" * 1_000_001), 422, "roster-too-long")
    headings = assert_problem(await send(service, "a;b\n1;2\n"), 422, "roster-headings-unknown")
    assert headings["came"] == ["a", "b"]
    assert_problem(await send(service, id_column="login"), 422, "roster-column-unknown")
    faults = (await send(service, "id;email\na;x\n", headers={"Accept-Language": "ru"})).json()["rows"][0]["problems"]
    assert faults[0]["code"] == "email_invalid"
    assert faults[0]["message"].startswith("«x» не адрес электронной почты.")


async def test_links_of_new_members_sign_them_in_and_are_shown_once(service):
    link = (await send(service, links="new")).json()["rows"][0]["link"]
    assert link.startswith("http://grader.test/enter?token=lstmg_")
    assert (await send(service, links="new")).json()["rows"][0]["link"] is None
    async with service.browser(secret(link)) as browser:
        assert "My courses" in (await browser.get("/")).text
    assert (await submit(service.client(secret(link)), student="ivanov"))["student"] == "ivanov"
    listed = await get(service, "links")
    assert len(listed["items"]) == 2
    assert secret(link) not in str(listed)
    used = next(item for item in listed["items"] if item["external_id"] == "ivanov")
    assert used["used_at"] is not None
    assert used["ended_at"] is None


async def get(service: Service, part: str, token: str = OWNER_TOKEN, **params: Any) -> dict[str, Any]:
    async with service.client(token) as client:
        answer = await client.get(path(part), params=params)
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body


async def test_links_come_as_csv_without_formulas(service):
    await send(service, "id;name\nivanov;Old\n")
    answers = [await send(service, links="all", format="csv")]
    answers.append(await send(service, headers={"Accept": "text/csv"}, links="new"))
    for answer in answers:
        assert answer.headers["content-type"] == "text/csv; charset=utf-8"
        assert answer.content.startswith(b"\xef\xbb\xbfid,name,email,group,link\r\n")
    rows, rows_of_nobody = [list(csv.DictReader(io.StringIO(each.content.decode("utf-8-sig")))) for each in answers]
    assert rows_of_nobody == []
    assert [(row["id"], row["name"], row["group"]) for row in rows] == [
        ("ivanov", "Иван Иванов", "201"),
        ("petrova", "'=Анна", ""),
    ]
    assert all(row["link"].startswith("http://grader.test/enter?token=") for row in rows)


async def test_teacher_imports_no_teacher_and_into_the_own_course_only(two):
    assert_problem(await send(two, token="teacher-there"), 404, "course-not-found")
    text = "id;role\nboss;teacher\nhelper;assistant\n"
    rows = (await send(two, text, token="teacher-there", course=OTHER)).json()["rows"]
    assert [(row["outcome"], row["conflict"]) for row in rows] == [("conflict", "role_reserved"), ("new", None)]
    rows = (await send(two, text, course=OTHER)).json()["rows"]
    assert [row["outcome"] for row in rows] == ["new", "unchanged"]
    assert (await two.member("helper", OTHER)).role == MemberRole.ASSISTANT
    assert {change.made_by for change in await two.rows(Change)} == {"test", "owner"}


async def test_links_for_many_and_their_end(service, owner):
    rows = (await send(service, links="new")).json()["rows"]
    petrova = await service.member("petrova")
    async with service.browser(secret(rows[0]["link"])):
        for body, expected in (
            ({"never_used": True}, ["petrova"]),
            ({"all": True}, ["ivanov", "petrova"]),
            ({"members": [petrova.id]}, ["petrova"]),
        ):
            made = await owner.post(path("links"), json=body)
            assert made.status_code == 201
            assert [link["external_id"] for link in made.json()["items"]] == expected
        unknown = await owner.post(path("links"), json={"members": [petrova.id, "0" * 26]})
        assert_problem(unknown, 404, "member-not-found")
        for wrong in ({}, {"all": True, "never_used": True}, {"members": [], "all": False}, {"everyone": True}):
            assert_problem(await owner.post(path("links"), json=wrong), 422, "invalid-request")
        assert len((await get(service, "links", member=petrova.id))["items"]) == 4
        page = await get(service, "links", limit=3)
        assert len((await get(service, "links", cursor=page["next_cursor"]))["items"]) == 3
        for ended in (6, 0):
            assert (await owner.delete(path("links"))).json() == {"ended": ended}
    assert await service.rows(Session) == []


async def test_mail_goes_out_with_the_links_or_nothing_is_done(service, owner, monkeypatch):
    assert_problem(await send(service, links="new", mail=True), 409, "mail-not-set")
    sent: list[tuple[str, object]] = []

    def note(self: Mailer, to: str, language: str, kind: str, **params: object) -> bool:
        sent.append((to, params["link"]))
        return True

    monkeypatch.setattr(Mailer, "send", note)
    mailer = Mailer(MailServer("localhost", 25, "none", "grader@hse.ru"))
    service._transport.app.state.services = replace(service.services, mailer=mailer)
    rows = (await send(service, f"{ROSTER}nomail;;;\n", links="new", mail=True)).json()["rows"]
    assert [row["mailed"] for row in rows] == [True, True, False]
    assert sent == [("ivanov@hse.ru", rows[0]["link"]), ("petrova@hse.ru", rows[1]["link"])]
    ivanov = await service.member("ivanov")
    answer = (await owner.post(path(f"members/{ivanov.id}/link"), params={"mail": True})).json()
    assert answer["mailed"] is True
    assert sent[-1] == ("ivanov@hse.ru", answer["link"])


async def test_join_links_are_made_listed_and_revoked(two):
    there = path("join-links", OTHER)
    async with two.client("teacher-there") as teacher, two.client() as owner:
        answer = await teacher.post(there, json={"group": "201", "limit": 2})
        body = answer.json()
        assert answer.status_code == 201
        assert body["url"].startswith("http://grader.test/join/lstmj_")
        assert body["qr_svg"].startswith("<svg")
        assert (body["group"], body["limit"], body["uses"], body["made_by"]) == ("201", 2, 0, "test")
        assert body["expires_at"] is not None
        for wrong in ({"limit": 0}, {"group": "x" * 101}, {"group": " "}, {"cap": 1}):
            assert_problem(await teacher.post(there, json=wrong), 422, "invalid-request")
        (listed,) = (await teacher.get(there)).json()["items"]
        assert listed["id"] == body["id"]
        assert "lstmj_" not in str(listed)
        assert_problem(await owner.delete(path(f"join-links/{body['id']}")), 404, "join-link-not-found")
        for _ in range(2):
            assert (await teacher.delete(f"{there}/{body['id']}")).status_code == 204
        assert_problem(await teacher.delete(f"{there}/x"), 404, "join-link-not-found")
        assert (await teacher.get(there)).json()["items"][0]["revoked_at"] is not None
