"""The pages of a student, asked without a browser."""

import json
import re
from html import unescape
from itertools import pairwise
from typing import Any

import httpx
import pytest

from app.courses import members
from app.storage.models import DEFAULT_COURSE, Course, MemberRole, Person, Role, new_id
from grader import Status
from grader.report.model import Diagnosis
from grader.report.source import Cell, Line, pack
from tests.unit.app.calls import ATTEMPTS, CODE, PAGE, SUBMISSIONS, get
from tests.unit.app.conftest import OWNER_TOKEN, Browser, Service, form_secret

COURSE = f"/api/v1/courses/{DEFAULT_COURSE}"
NOTEBOOK = json.dumps({"cells": [], "nbformat": 4, "nbformat_minor": 5, "metadata": {}})


async def send(browser: Browser, headers: dict[str, str] | None = None, **fields: Any) -> httpx.Response:
    secret = form_secret((await browser.get(PAGE)).text)
    parts = {name: (None, value) for name, value in ({"form_secret": secret} | fields).items() if name != "file"}
    return await browser.post(PAGE, files=parts | {"file": fields.get("file", ("", b""))}, headers=headers)


async def stored(service: Service) -> dict[str, Any]:
    item: dict[str, Any] = (await get(service, OWNER_TOKEN, SUBMISSIONS)).json()["items"][0]
    return item


@pytest.mark.parametrize(("code", "filename"), [(CODE.decode(), "pasted.py"), (NOTEBOOK, "pasted.ipynb")])
async def test_pasted_code_is_an_attempt(service, anna, code, filename):
    assert (await send(anna, code=code)).status_code == 303
    assert ((await stored(service))["filename"], (await stored(service))["student"]) == (filename, "anna")


async def test_refused_form_keeps_the_pasted_code_and_says_why_at_the_field(anna):
    both = await send(anna, code="class LSTM: <b>", file=("LSTM.py", CODE))
    assert both.status_code == 422
    assert "class LSTM: &lt;b&gt;</textarea>" in both.text
    assert 'aria-invalid="true"' in both.text
    assert f'href="{PAGE}?lang=ru"' in both.text
    assert (await send(anna, code=" \n")).status_code == 422
    expired = await anna.post(PAGE, files={"form_secret": (None, "0" * 64), "code": (None, "class LSTM: <b>")})
    assert (expired.status_code, "The form below is a new one" in expired.text) == (403, True)
    assert "class LSTM: &lt;b&gt;</textarea>" in expired.text
    problem = await send(anna, {"Accept": "application/json"}, code=CODE.decode(), file=("LSTM.py", CODE))
    assert problem.json()["type"].endswith(":file-and-code")
    answer = await send(anna, {"Accept": "application/json"}, code=CODE.decode())
    assert answer.json()["address"].startswith("/submissions/")


async def test_bytes_of_the_newest_attempt_are_one_when_handed_in_again(service, anna):
    assert (await send(anna, file=("LSTM.py", CODE))).status_code == 303
    asked = await send(anna, file=("mine.py", CODE))
    assert asked.status_code == 409
    assert "You have handed in exactly this. It is your attempt 1" in asked.text
    assert 'name="again" value="on" aria-describedby="again-error" autofocus' in asked.text
    assert "choose the file once more" in asked.text
    problem = await send(anna, {"Accept": "application/json"}, file=("LSTM.py", CODE))
    assert (problem.json()["type"].rpartition(":")[2], problem.json()["attempt"]) == ("handed-in-before", 1)
    assert (await send(anna, file=("LSTM.py", CODE), again="on")).status_code == 303
    assert (await stored(service))["attempt"] == 2


async def test_staff_who_name_no_student_hand_in_a_trial(service):
    await service.add_token("an-assistant", Role.ASSISTANT)
    async with service.browser() as owner, service.browser("an-assistant") as assistant:
        for browser in (owner, assistant):
            page = await browser.get((await send(browser, code=CODE.decode())).headers["location"])
            assert page.status_code == 200
            assert "speaks to the author" not in page.text
        people = (await owner.get(f"/courses/{DEFAULT_COURSE}/members")).text
    assert "Пробные работы преподавателей" in people  # in the language of the course
    async with service.client() as client:
        grades = (await client.get(f"/api/v1/courses/{DEFAULT_COURSE}/grades")).json()["items"]
        await client.post(f"{COURSE}/members", json={"external_id": "kim", "role": "teacher"})
    assert grades == []
    async with service.browser_of((await service.member("kim")).person_id) as teacher:
        for student in ("", "petrov"):  # The bytes of one's own trial are new for a student.
            assert (await send(teacher, code=CODE.decode(), student=student)).status_code == 303


async def test_trial_in_an_archived_course_is_refused_and_adds_nobody(owner, browser):
    assert (await owner.patch(COURSE, json={"archived": True})).is_success
    refused = await send(browser, code=CODE.decode())
    people = (await owner.get(f"{COURSE}/members")).json()["items"]
    assert (refused.status_code, people) == (403, [])


@pytest.mark.parametrize(("form", "holds"), [("ipynb", '"nbformat": 4'), ("py", "class LSTM(tf.keras.Model)")])
async def test_template_is_a_file_to_begin_with(browser, form, holds):
    answer = await browser.get(f"{PAGE}/template.{form}")
    assert holds in answer.text
    assert answer.headers["content-disposition"] == f'attachment; filename="lstm-layer.{form}"'
    assert (await browser.get(f"{PAGE}/template.exe")).status_code == 422


async def test_attempts_say_what_changed_and_ask_for_a_review(anna, grader):
    pages = []
    for lines in ("one", "two", "three"), ("one", "2", "three", "four"), ("one", "2", "three", "four"):
        grader.artefacts = dict(
            [pack([Cell(index=0, lines=[Line(text=line, runs=[("", len(line))]) for line in lines])])]
        )
        pages.append((await send(anna, code="\n".join(lines), again="on")).headers["location"])
        await anna.get(pages[-1])
    first, second = pages[:2]
    page = (await anna.get(ATTEMPTS)).text
    assert page.index("Attempt 2") < page.index("Attempt 1")
    assert page.count("counts: the first of your best</span>") == 1
    assert page.count("attempt 1 has as many points and came first") == 2
    assert page.count("lines: +2 −1") == page.count("the code is the same") == 1
    compared = (await anna.get(f"{first}/beside/{second.rpartition('/')[2]}")).text
    assert f'href="{ATTEMPTS}"' in compared
    assert "+ four" in compared
    question = {"form_secret": form_secret(page), "text": "Why?\nIs it wrong?"}
    assert (await anna.post(f"{first}/reviews", data=question)).status_code == 303
    report = (await anna.get(first)).text
    assert "Is it wrong?" in report
    assert "waits for an answer" in report
    assert f'action="{first}/reviews"' not in report


async def test_request_for_review_that_is_refused_gives_back_what_was_written(anna, owner):
    first = (await send(anna, code="class LSTM: ...")).headers["location"]
    secret = form_secret((await anna.get(first)).text)
    for text, why in (("x" * 2001, "at most 2000 characters"), ("a\0b", "cannot be stored")):
        refused = await anna.post(f"{first}/reviews", data={"form_secret": secret, "text": text})
        assert refused.status_code == 422
        assert why in refused.text
        assert f"\n{text}</textarea>".replace("\0", "\ufffd") in refused.text
    assert (await anna.post(f"{first}/reviews", data={"form_secret": secret, "text": "Why?"})).is_redirect
    # Signed in again in another tab.
    expired = await anna.post(f"{first}/reviews", data={"form_secret": "of before", "text": "Long words"})
    assert (expired.status_code, "\nLong words</textarea>" in expired.text) == (403, True)
    # Asked on another device, and the page on this one is of before.
    again = await anna.post(f"{first}/reviews", data={"form_secret": secret, "text": "My <b>other</b>\r\nwords"})
    await owner.patch(COURSE, json={"archived": True})
    archived = await anna.post(f"{first}/reviews", data={"form_secret": secret, "text": "More words"})
    assert (again.status_code, archived.status_code) == (409, 403)
    assert "\nMy &lt;b&gt;other&lt;/b&gt;\nwords</textarea>" in again.text
    assert "\nMore words</textarea>" in archived.text


async def test_a_mistake_is_gone_only_where_the_next_attempt_ran_to_its_end(browser, anna, grader):
    """Attempts name it as their reports do; a count of all of its variants does not."""
    grader.statuses = [Status.FAILED, Status.INVALID_SUBMISSION, Status.FAILED, Status.PASSED]
    mistake = Diagnosis(code="forget_term_missing", params={"variant": "full"}, confidence="exact")
    grader.change = lambda report: report.model_copy(
        update={"diagnoses": [mistake] if report.status == Status.FAILED else []}
    )
    ids = []
    for code in "abcd":
        ids.append((await send(anna, code=code)).headers["location"].rpartition("/")[2])
        await anna.get(f"/submissions/{ids[-1]}")
    page = (await anna.get(ATTEMPTS)).text
    beside = [(await browser.get(f"/submissions/{a}/beside/{b}")).text for a, b in pairwise(ids)]
    overview = (await browser.get(f"/courses/{DEFAULT_COURSE}/assignments/lstm-layer/overview")).text
    assert (page.count("Gone: "), page.count("Gone: Nothing is forgotten"), page.count("New: ")) == (1, 1, 0)
    assert "</span> Nothing is forgotten</li>" in page
    assert ["Forget gate is not used" in text for text in (page, overview)] == [False, True]
    assert [text.count("<h3>Gone</h3>") for text in beside] == [0, 0, 1]
    assert "1 of 1 (100" in overview


async def test_student_who_handed_nothing_in_reads_the_grade_set_and_why(service, anna, owner):
    assert (await owner.put(f"{COURSE}/assignments/lstm-layer", json={})).is_success
    place = f"{COURSE}/members/{(await service.member('anna')).id}/assignments/lstm-layer"
    before = (await anna.get(PAGE)).text
    assert (await owner.post(f"{place}/adjustments", json={"value": 80.0, "reason": "oral exam"})).is_success
    assert (await owner.post(f"{place}/comments", json={"text": "You <know> it."})).is_success
    page, attempts = [(await anna.get(address)).text for address in (PAGE, ATTEMPTS)]
    assert "No grade yet" not in before
    for text in page, attempts:
        assert "<b>80</b>&nbsp;/&nbsp;100" in text
        assert "oral exam" in text
    assert "You &lt;know&gt; it." in page


async def test_page_of_an_assignment_tells_comments_on_all_of_the_work_and_not_on_one_attempt(service, anna, owner):
    report = (await send(anna, code="class LSTM: ...")).headers["location"]
    comments = f"{COURSE}/members/{(await service.member('anna')).id}/assignments/lstm-layer/comments"
    on_one = {"text": "On this one", "submission": report.rpartition("/")[2]}
    for comment in ({"text": "On everything"}, on_one):
        assert (await owner.post(comments, json=comment)).is_success
    page, of_report = [(await anna.get(address)).text for address in (PAGE, report)]
    assert ("On everything" in page, "On this one" in page) == (True, False)
    assert ("On everything" in of_report, "On this one" in of_report) == (True, True)


async def test_report_names_the_assignment_and_its_rule_as_the_course_does(anna, owner):
    own = {"title": "An LSTM of one's own", "rules": {"counts": "last"}}
    assert (await owner.put(f"{COURSE}/assignments/lstm-layer", json=own)).is_success
    first, second = [(await send(anna, code=code)).headers["location"] for code in ("a = 1", "a = 2")]
    await anna.get(second)
    page = unescape((await anna.get(first)).text)
    assert "› An LSTM of one's own" in re.sub("<[^>]+>", "", page)
    assert "the last one counts" in page


async def test_closed_assignment_offers_no_button_that_leads_to_handing_in(anna, owner):
    offered = []
    for rules in {}, {"closes": "2026-01-02T00:00Z"}:
        assert (await owner.put(f"{COURSE}/assignments/lstm-layer", json={"rules": rules})).is_success
        offered.append('href="#hand-in"' in (await anna.get(PAGE)).text)
    assert offered == [True, False]


async def test_every_time_is_one_that_a_script_shows_by_the_students_clock(service, owner, anna, browser):
    dates = {"due": "2026-01-02T00:00Z", "closes": "2026-01-02T00:00Z"}
    report = (await send(anna, code="class LSTM: ...")).headers["location"]
    await anna.get(report)
    secret = form_secret((await anna.get(PAGE)).text)
    await anna.post(f"{report}/reviews", data={"form_secret": secret, "text": "?"})
    await owner.put(f"{COURSE}/assignments/lstm-layer", json={"rules": dates})
    place = f"{COURSE}/members/{(await service.member('anna')).id}/assignments/lstm-layer"
    ill = {"due": "2026-01-03T00:00Z", "reason": "ill"}
    assert (await owner.put(f"{place}/extension", json=ill)).status_code == 200
    assert "No work has been taken since" in (await anna.get(PAGE)).text
    for address in "/", PAGE, ATTEMPTS, report:
        page = (await anna.get(address)).text
        assert "UTC" not in re.sub(r"<time [^>]*data-own-zone>.*?</time>", "", page), address
        assert 'src="/static/times.js"' in page
        assert ("extended until <time" in page) == (address != "/")
        assert "own-zone" not in (await browser.get(address)).text


@pytest.mark.parametrize(
    ("parts", "leads_to"),
    [
        (("teacher",), 0),
        (("assistant",), 0),
        (("student",), None),
        (("student", "teacher"), None),
        (("teacher", "teacher"), None),
    ],
)
async def test_staff_of_one_course_are_led_to_it_and_others_see_all_their_courses(service, parts, leads_to):
    courses = [Course(id=new_id(), title=f"Course {n}", language="en", time_zone="UTC") for n in range(len(parts))]
    async with service.services.database.write() as session:
        session.add_all(courses)
        person = Person(id=new_id(), name="Anna")
        session.add(person)
        await session.flush()
        for course, role in zip(courses, parts, strict=True):
            members.add(session, course.id, external_id="anna", role=MemberRole(role), person=person)
    async with service.browser_of(person.id) as browser:
        page = await browser.get("/?lang=en")
        if leads_to is None:
            assert page.status_code == 200
            for course, role in zip(courses, parts, strict=True):
                assert course.title in page.text
                assert (f'href="/courses/{course.id}"' in page.text) == (role != "student")
        else:
            where = f"/courses/{courses[leads_to].id}?lang=en"
            assert (page.status_code, page.headers["location"]) == (303, where)
            assert (await browser.get(where)).status_code == 200


async def test_student_at_a_course_is_led_to_the_own_work_in_the_language_of_the_address(anna):
    led = await anna.get(f"/courses/{DEFAULT_COURSE}?lang=ru&course=other")
    assert led.status_code == 303
    page = (await anna.get(led.headers["location"])).text
    assert '<html lang="ru"' in page
    assert PAGE in page
