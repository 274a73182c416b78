"""Attempts with the same code: which students make a group, what is said of it, and what ends with an attempt."""

import hashlib
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from app.privacy import retention
from app.storage.models import DEFAULT_COURSE, MemberRole, Membership, Person, Submission, utc_now
from app.teaching.same_code import group_of
from grader import Report, Status
from grader.report.fingerprint import FEW_STATEMENTS, Fingerprint
from grader.report.source import Cell, Line, pack
from tests.unit.app.api.test_teaching_api import regraded
from tests.unit.app.calls import SUBMISSIONS, assert_problem, get, hand_in
from tests.unit.app.conftest import OWNER_TOKEN, FakeGrader, Service

HERE = f"/courses/{DEFAULT_COURSE}"
SAME_CODE = f"/api/v1{HERE}/assignments/lstm-layer/same-code"


def code(content: bytes) -> Fingerprint:
    """The fingerprint of a file that says: its form, its text, and its statements."""
    form, text, statements = content.decode().split()
    form, text = (hashlib.sha256(each.encode()).hexdigest() for each in (form, form + text))
    return Fingerprint(form=form, text=text, statements=int(statements))


@pytest.fixture
def reading(grader: FakeGrader) -> FakeGrader:
    """A grader that reads what is handed in."""

    def read(report: Report) -> Report:
        content = grader.graded[-1].content
        return report.model_copy(update={"fingerprint": code(content)})

    grader.change = read
    return grader


async def same_code(service: Service, where: str = SAME_CODE) -> dict[str, Any]:
    answer: dict[str, Any] = (await get(service, OWNER_TOKEN, where)).raise_for_status().json()
    return answer


def students_of(group: dict[str, Any]) -> list[str]:
    return [holder["student"] for holder in group["students"]]


async def _change(service: Service, student: str, **values: object) -> None:
    await service.store(Membership, Membership.external_id == student, **values)


async def test_students_who_copied_are_one_group(service, reading):
    for number in range(8):
        # Four are equal word for word, two have renamed something; the others have written their own.
        text = "as-it-was" if number < 4 else f"renamed{number}"
        await hand_in(service, f"s{number}", f"{'copied' if number < 6 else f'own{number}'} {text} 14".encode())
    now = utc_now()
    async with service.services.database.write() as session:
        for each in await session.scalars(select(Submission)):
            number = int(each.student[1:])
            each.created_at = now - timedelta(hours=30 - number if number > 2 else 30, minutes=-number)
    found = await same_code(service)
    (group,) = found.pop("items")
    assert found == {"students": 8, "with_known": 0, "not_compared": 0}
    assert students_of(group) == [f"s{number}" for number in range(6)]
    told = {name: group[name] for name in ("word_for_word", "within_an_hour", "statements", "says_little")}
    assert told == {"word_for_word": 4, "within_an_hour": 3, "statements": 14, "says_little": True}
    texts = [holder["attempts"][0]["text"] for holder in group["students"]]
    assert texts == [1] * 4 + [2, 3]


async def test_groups_are_of_students_of_one_course_with_code_of_their_own(service, owner, reading):
    for student, content in {
        "a1": b"alone x 30",
        "b1": b"left x 30",
        "b2": b"left x 30",
        "c1": b"everybody x 0",
        "c2": b"everybody y 0",
        "d1": b"tried x 30",
        "d2": b"tried y 30",
        "teacher": b"tried z 30",
        "e1": b"shared x 30",
    }.items():
        await hand_in(service, student, content)
    # A student's own attempts are no group, nor is anybody who has left, nor what a teacher has tried.
    await hand_in(service, "a1", b"alone x 30")
    await _change(service, "b2", removed_at=utc_now())
    await _change(service, "teacher", role=MemberRole.TEACHER)
    other = (await owner.post("/api/v1/courses", json={"title": "Other"})).json()["id"]
    await owner.put(f"/api/v1/courses/{other}/assignments/lstm-layer", json={})
    files, data = {"file": ("LSTM.py", b"shared x 30")}, {"student": "e2", "assignment": "lstm-layer"}
    where = {"wait": "120", "course": other}
    (await owner.post(SUBMISSIONS, params=where, files=files, data=data)).raise_for_status()
    found = await same_code(service)
    assert found == {"students": 7, "with_known": 4, "not_compared": 0, "items": []}

    await hand_in(service, "e3", b"shared y 30")
    (group,) = (await same_code(service))["items"]
    assert (students_of(group), group["word_for_word"], group["says_little"]) == (["e1", "e3"], 0, False)
    members = (await owner.get(f"/api/v1{HERE}/members", params={"search": "e"})).json()["items"]
    ids = {each["external_id"]: each["id"] for each in members}
    (await owner.post(f"/api/v1{HERE}/members/{ids['e1']}/join", json={"member": ids["e3"]})).raise_for_status()
    assert (await same_code(service))["items"] == []


async def test_groups_with_most_students_word_for_word_come_first_and_each_attempt_leads_to_its_own(service, reading):
    ids = {}
    for form, students in (("renamed", "abc"), ("copied", "de"), ("other", "fgh")):
        for student in students:
            text = student if form == "renamed" else "x"
            ids[student] = await hand_in(service, student, f"{form} {text} 30".encode())
    assert [students_of(each) for each in (await same_code(service))["items"]] == [list("fgh"), list("de"), list("abc")]
    async with service.services.database.read() as session:
        for student, others in {"a": "abc", "d": "de", "h": "fgh"}.items():
            group = await group_of(session, await session.get_one(Submission, ids[student]))
            assert group is not None
            assert [holder.student for holder in group.students] == list(others)


async def test_attempts_from_before_are_counted_and_a_preview_compares_them(service, owner, grader):
    for student in ("ivanov", "petrov"):
        await hand_in(service, student, b"same x 30")
    grader.statuses = [Status.INTERNAL_ERROR]
    await hand_in(service, "petrov", b"our fault 30")
    grader.statuses = [Status.PASSED]
    found = await same_code(service)
    assert found == {"students": 0, "with_known": 0, "not_compared": 2, "items": []}
    grader.change = lambda report: report.model_copy(update={"fingerprint": code(grader.graded[-1].content)})
    await regraded(owner, preview=True, all=True)
    found = await same_code(service)
    assert [students_of(group) for group in found["items"]] == [["ivanov", "petrov"]]
    assert found["not_compared"] == 0


@pytest.mark.parametrize("way", ["member", "retention"])
async def test_deleted_attempts_are_in_no_group(service, reading, way):
    for student in ("ivanov", "petrov"):
        await hand_in(service, student, b"same x 30")
    if way == "member":
        async with service.client() as owner:
            (await owner.delete("/api/v1/students", params={"student": "ivanov"})).raise_for_status()
    else:
        await service.store(Submission, Submission.student == "ivanov", created_at=utc_now() - timedelta(days=3))
        assert await retention.delete_older(service.services.database, 2) == 1
    assert await same_code(service) == {"students": 1, "with_known": 0, "not_compared": 0, "items": []}


async def test_only_the_staff_see_it(service, ivanov, reading):
    ids = [await hand_in(service, student, b"same x 30") for student in ("ivanov", "petrov")]
    assert_problem(await ivanov.get(SAME_CODE), 403, "forbidden")
    assert str(code(b"same x 30").form) not in (await ivanov.get(f"/api/v1/submissions/{ids[0]}")).text
    async with service.browser("of-ivanov") as student:
        assert (await student.get(f"/submissions/{ids[0]}/beside/{ids[1]}")).status_code == 404


def cell(*lines: str) -> Cell:
    return Cell(index=0, lines=[Line(text=each, runs=[("", len(each))] if each else []) for each in lines])


async def test_pages_lead_from_the_overview_to_two_files_side_by_side(service, browser, reading):
    sources = {
        "ivanov": cell("h = f(x)", "return h"),
        "petrov": cell("<script>alert(1)</script>", "state = f(x)", "return state"),
    }
    ids = []
    for student, source in sources.items():
        reading.artefacts = dict([pack([source])])
        ids.append(await hand_in(service, student, f"same {student} {FEW_STATEMENTS - 1}".encode()))
    await service.store(Person, Person.id == (await service.member("ivanov")).person_id, name="<b>Иванов</b>")

    async def opened(address: str) -> str:
        page = await browser.get(address)
        assert page.status_code == 200
        return page.text

    assert "Same code: 1 group" in await opened(f"{HERE}/assignments/lstm-layer/overview")
    listed = await opened(f"{HERE}/assignments/lstm-layer/same-code")
    assert "&lt;b&gt;Иванов&lt;/b&gt;</bdi> and 1 other" in listed
    assert "2 of 2" in listed
    assert "few: says little" in listed
    group = f"{HERE}/submissions/{ids[0]}/same-code"
    assert f'href="{group}"' in listed
    shown = await opened(group)
    assert "The same code of 2 students" in shown
    beside = f"/submissions/{ids[0]}/beside/{ids[1]}"
    assert f'href="{beside}"' in shown
    compared = await opened(beside)
    assert "The class is the same but for names" in compared
    assert "<code><mark>h</mark> = f(x)</code>" in compared
    assert "<code><mark>state</mark> = f(x)</code>" in compared
    assert "<code><mark>&lt;script&gt;alert(1)&lt;/script&gt;</mark></code>" in compared
    assert "<code>return <mark>h</mark></code>" in compared


async def test_attempt_whose_code_nobody_has_says_so(service, browser, reading):
    id = await hand_in(service, "ivanov", b"own x 30")
    assert "Nobody else in the course" in (await browser.get(f"{HERE}/submissions/{id}/same-code")).text
    assert "No two students" in (await browser.get(f"{HERE}/assignments/lstm-layer/same-code")).text
