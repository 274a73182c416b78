"""Rights of people whose role has changed since their token was made, and of assistants, who give no grades."""

from collections.abc import AsyncIterator

import pytest

from app.storage.models import DEFAULT_COURSE, Role
from tests.unit.app.calls import SUBMISSIONS, assert_problem, submit, upload
from tests.unit.app.conftest import Browser, Service, form_secret

COURSE = f"/api/v1/courses/{DEFAULT_COURSE}"
MEMBERS = f"{COURSE}/members"


async def add(admin: Browser, role: str, external_id: str = "petrova") -> tuple[str, str]:
    """Add a member; return the id, and the token in the personal link."""
    id = (await admin.post(MEMBERS, json={"external_id": external_id, "role": role})).json()["id"]
    link: str = (await admin.post(f"{MEMBERS}/{id}/link")).json()["link"]
    return id, link.rpartition("=")[2]


@pytest.mark.parametrize(("before", "after", "status"), [("teacher", "student", 403), ("student", "teacher", 200)])
async def test_metrics_are_for_whoever_is_a_teacher_now(
    service: Service, owner: Browser, before: str, after: str, status: int
) -> None:
    id, token = await add(owner, before)
    assert (await owner.patch(f"{MEMBERS}/{id}", json={"role": after})).status_code == 200
    async with service.client(token) as theirs:
        assert (await theirs.get("/metrics")).status_code == status


async def test_teacher_ends_links_of_somebody_who_is_no_teacher_any_more(service: Service, owner: Browser) -> None:
    await service.add_token("teacher", Role.TEACHER)
    async with service.client("teacher") as teacher:
        id, token = await add(owner, "teacher")
        assert (await owner.patch(f"{MEMBERS}/{id}", json={"role": "assistant"})).status_code == 200
        listed = (await teacher.get(f"{COURSE}/links")).json()["items"]
        ended = (await teacher.delete(f"{MEMBERS}/{id}/link")).json()
    assert ([each["member"] for each in listed], ended) == ([id], {"ended": 1})
    async with service.client(token) as theirs:
        assert (await theirs.get(SUBMISSIONS)).status_code == 401


async def test_assistant_hands_in_for_nobody_else(service: Service, owner: Browser) -> None:
    await service.add_token("ivanov", student="ivanov")
    await service.add_token("unbound", Role.ASSISTANT)
    _, token = await add(owner, "assistant")
    for each in (token, "unbound"):
        async with service.client(each) as assistant:
            assert_problem(await assistant.post(SUBMISSIONS, **upload(student="ivanov")), 403, "other-student")
    async with service.client(token) as assistant:
        assert (await submit(assistant, student="petrova"))["student"] == "petrova"
    students = {each["external_id"] for each in (await owner.get(MEMBERS)).json()["items"]}
    assert students == {"ivanov", "petrova"}


@pytest.mark.parametrize("change", ["the token ends", "the student is renamed"])
async def test_slow_upload_has_the_rights_of_its_end(
    service: Service, owner: Browser, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    monkeypatch.setattr("app.http.watching.SLOW_SECONDS", 0)
    added = await service.add_token("of-ivanov", student="ivanov")
    async with service.client("of-ivanov") as ivanov:

        async def slowly() -> AsyncIterator[bytes]:
            yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="LSTM.py"\r\n\r\n'
            if change == "the token ends":
                request = owner.delete(f"/api/v1/tokens/{added.id}")
            else:
                request = owner.patch(f"{MEMBERS}/{added.membership_id}", json={"external_id": "ivanov-2"})
            assert (await request).is_success
            yield b"class LSTM: ...\r\n--x--\r\n"

        form = {"Content-Type": "multipart/form-data; boundary=x"}
        answer = await ivanov.post(SUBMISSIONS, content=slowly(), headers=form)
        students = [each["student"] for each in (await owner.get(SUBMISSIONS)).json()["items"]]
    if change == "the token ends":
        assert (answer.status_code, students) == (401, [])
    else:
        assert (answer.json()["student"], students) == ("ivanov-2", ["ivanov-2"])


@pytest.mark.parametrize(("change", "status"), [("removed", 401), ("demoted", 403)])
async def test_slow_roster_needs_the_right_at_its_end(
    service: Service, owner: Browser, monkeypatch: pytest.MonkeyPatch, change: str, status: int
) -> None:
    monkeypatch.setattr("app.http.watching.SLOW_SECONDS", 0)
    id, token = await add(owner, "teacher")

    async def slowly() -> AsyncIterator[bytes]:
        yield b"id;name\n"
        if change == "removed":
            request = owner.post(f"{MEMBERS}/{id}/remove")
        else:
            request = owner.patch(f"{MEMBERS}/{id}", json={"role": "assistant"})
        assert (await request).is_success
        yield b"ivanov;Ivanov\n"

    async with service.client(token) as teacher:
        answer = await teacher.post(f"{COURSE}/roster", content=slowly(), headers={"Content-Type": "text/csv"})
    members = (await owner.get(MEMBERS)).json()["items"]
    assert (answer.status_code, len(members)) == (status, 1)


async def test_slow_archive_needs_the_right_at_its_end(
    service: Service, owner: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.http.watching.SLOW_SECONDS", 0)
    page, field = f"/courses/{DEFAULT_COURSE}/batch", "--x\r\nContent-Disposition: form-data; name="
    id, token = await add(owner, "teacher")
    async with service.browser(token) as teacher:
        secret = form_secret((await teacher.get(page)).text)

        async def slowly() -> AsyncIterator[bytes]:
            yield f'{field}"form_secret"\r\n\r\n{secret}\r\n'.encode()
            assert (await owner.patch(f"{MEMBERS}/{id}", json={"role": "assistant"})).is_success
            yield f'{field}"file"; filename="course.zip"\r\n\r\nPK\r\n--x--\r\n'.encode()

        form = {"Content-Type": "multipart/form-data; boundary=x"}
        assert (await teacher.post(page, content=slowly(), headers=form)).status_code == 403
