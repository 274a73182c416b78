"""Grades in the platform's grade book: what arrives there, what is sent again, and what is given up."""

from collections.abc import Callable
from datetime import timedelta
from time import monotonic
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from app.errors import AnswerUnusable
from app.lti import keys, platform_services
from app.lti.grades import lineitems, sender
from app.lti.platform_services import LINEITEM_READ_SCOPE, SCORE_SCOPE
from app.storage.cascade import delete_rows
from app.storage.models import LtiContext, LtiLink, LtiPlatform, LtiScore, new_id, utc_now
from app.storage.passback import tokens_given
from tests.platforms import AGS, CLIENT_ID, ISSUER, LTI
from tests.unit.app.calls import send
from tests.unit.app.lti.conftest import (
    ITEM_SCOPES,
    SCORES,
    TEACHER,
    browser,
    come_and_hand_in,
    deliver,
    down,
    failure_of,
    idle,
    join_to_roster,
    open_course,
    score_when,
)
from tests.waiting import until

pytestmark = pytest.mark.usefixtures("short_waits", "clock_that_runs", "course")

GRANT = {AGS: {"scope": ITEM_SCOPES, "lineitems": f"{ISSUER}/items"}}
ANOTHER = {f"{LTI}resource_link": {"id": "another", "title": "LSTM"}}


async def test_grades_arrive_with_comments_by_one_token_that_our_signature_gets(service, client, fake):
    await come_and_hand_in(service)
    score = await until(lambda: fake.grades.get("user-5"))
    assert (score["scoreGiven"], score["scoreMaximum"]) == (100, 100)
    assert (score["activityProgress"], score["gradingProgress"]) == ("Completed", "FullyGraded")
    assert score["timestamp"].endswith("Z")
    assert "100" in score["comment"]
    assert "http" not in score["comment"]  # An address would lead to a page that asks to sign in.
    post = next(request for request in fake.sent if request.url.path == SCORES)
    assert post.url.query == b"type=7"
    assert post.headers["content-type"] == "application/vnd.ims.lis.v1.score+json"
    stored = await idle(service)
    assert (stored.points, stored.max_points, stored.failed_at) == (100, 100, None)
    await come_and_hand_in(service, sub="student-2")
    await until(lambda: len(fake.grades) == 2)
    (asked,) = [request for request in fake.sent if request.url.path == "/token"]
    form = {name: values[0] for name, values in parse_qs(asked.content.decode()).items()}
    keys = KeySet.import_key_set((await client.get("/lti/keys")).json())
    claims = jwt.decode(form["client_assertion"], keys, algorithms=["RS256"]).claims
    assert (claims["iss"], claims["sub"], claims["aud"]) == (CLIENT_ID, CLIENT_ID, f"{ISSUER}/token")
    assert form["grant_type"] == "client_credentials"
    assert form["scope"] == "https://purl.imsglobal.org/spec/lti-ags/scope/score"


def has_no_known_name() -> httpx.Response:
    raise AnswerUnusable(reason="the name lms.example.edu is not known")


AWAY: list[Callable[[], httpx.Response]] = [
    lambda: httpx.Response(500),
    lambda: httpx.Response(502, text="<html>"),
    lambda: httpx.Response(429, headers={"Retry-After": "0"}),
    lambda: httpx.Response(403, text="403 Forbidden (Rate Limit Exceeded)\n"),
    lambda: httpx.Response(403, headers={"X-Rate-Limit-Remaining": "0.0"}, json={"message": "too many"}),
    lambda: httpx.Response(408),
    *[lambda: httpx.Response(409)] * 5,
    lambda: httpx.Response(200, content=b"x" * 2_000_000),
    lambda: httpx.Response(302, headers={"Location": "/maintenance"}),
    lambda: httpx.Response(200, html="<title>Sign in</title>"),
    down,
    has_no_known_name,
]
# A web server in front of the platform says that no column is there, as in maintenance.
NO_PAGE = [lambda: httpx.Response(404, html="<title>Not found</title>")] * 2


@pytest.mark.parametrize(("path", "answers"), [(SCORES, [*AWAY, *NO_PAGE]), ("/token", AWAY)], ids=["score", "token"])
async def test_platform_that_is_away_gets_the_grade_later(service, fake, path, answers):
    """However it says so, and however often."""
    left = answers[::-1]
    fake.answers[path] = lambda: left.pop()() if left else None
    await come_and_hand_in(service)

    async def ended() -> bool:
        (score,) = await service.rows(LtiScore)
        return bool(fake.grades or score.failed_at)

    await until(ended)
    score = await idle(service)
    tried = len(answers) - len(left)
    assert (score.points, score.last_error, score.failed_at) == (100, None, None), f"given up at answer {tried}"
    assert (left, fake.grades["user-5"]["scoreGiven"]) == ([], 100)


async def test_grades_that_are_tried_again_are_shown_with_the_platforms_words(
    service, teacher, admin, fake, course, monkeypatch
):
    """A grade that is locked in Moodle is tried for a week, and only a teacher there can unlock it."""
    monkeypatch.setattr(sender, "RETRY_SECONDS", (3600,))
    fake.answers[SCORES] = lambda: httpx.Response(500, json={"reason": f"locked at {monotonic()}"})

    async def refused() -> bool:
        return sum(each.last_error is not None for each in await service.rows(LtiScore)) == 2

    await teacher.launch(**TEACHER)
    (platform,) = await service.rows(LtiPlatform)
    for student in ("student-1", "student-2"):
        await come_and_hand_in(service, sub=student)
    await until(refused)
    for client, page in ((teacher, f"{course}/lms"), (admin, f"/platforms/{platform.id}")):
        shown = (await client.get(page)).text
        assert shown.count("does not take grades at present") == 1
        assert "It answers 500: locked at" in shown
        assert "2 grades wait and are tried again" in shown
    # Nothing is sent to a suspended platform.
    for confirmed_at in (None, utc_now()):
        await service.store(LtiPlatform, confirmed_at=confirmed_at)
        shown = (await admin.get(f"/platforms/{platform.id}")).text
        assert ("does not take grades" in shown) == (confirmed_at is not None)
    del fake.answers[SCORES]
    await service.store(LtiScore, next_at=utc_now())
    await until(lambda: len(fake.grades) == 2)
    await idle(service)
    assert "does not take grades" not in (await teacher.get(f"{course}/lms")).text


async def test_student_reads_the_state(service, fake, monkeypatch):
    monkeypatch.setattr(sender, "RETRY_SECONDS", (3600,))
    sentences = {
        200: "In the grade book of the learning platform since",
        503: "The grade is on its way",
        400: "The grade could not be delivered",
    }
    for status, sentence in sentences.items():
        fake.answers[SCORES] = lambda status=status: httpx.Response(status, json={})
        async with browser(service) as student:
            page = await student.land(sub=f"student-{status}")
            await student.hand_in(page)

            async def is_said(student: httpx.AsyncClient = student, page: str = page, words: str = sentence) -> bool:
                return words in (await student.get(page)).text

            await until(is_said)


async def test_refusal_is_final_and_kept_in_the_platforms_words(service, fake):
    left = {"X-Rate-Limit-Remaining": "512.5"}
    said = {"error_description": "the column is gone"}
    for count, status in enumerate((400, 403, 404), start=1):
        fake.answers[SCORES] = lambda status=status: httpx.Response(status, headers=left, json=said)
        await come_and_hand_in(service, sub=f"student-{status}")
        score = await failure_of(service, f"student-{status}")
        assert (score.next_at, score.last_status, score.last_error) == (None, status, "the column is gone")
        assert fake.asked.count(SCORES) == count, status


async def test_refused_request_for_a_token_is_not_repeated_for_each_grade_before_our_key_is_another(service, fake):
    fake.answers["/token"] = lambda: httpx.Response(400, json={"error": "invalid_client"})
    for student in ("student-1", "student-2"):
        await come_and_hand_in(service, sub=student)
        score = await score_when(service, lambda each, who=student: each.token_refused and each.user_id == who)
        assert (score.last_status, score.last_error, score.failed_at) == (400, "invalid_client", None)
    assert fake.asked.count("/token") == 1
    del fake.answers["/token"]
    await service.write(keys.rotate)
    await until(lambda: len(fake.grades) == 2)
    assert not (await idle(service)).token_refused


async def test_refused_token_is_shown_and_ends_when_the_check_gets_one(
    service, teacher, admin, fake, course, monkeypatch
):
    """Moodle cannot read our keys for a while, and its page of an error is no word about the column."""
    monkeypatch.setattr(sender, "RETRY_SECONDS", (3600,))
    fake.answers["/token"] = lambda: httpx.Response(404, html="<title>Error | Moodle</title>")
    await come_and_hand_in(service)
    score = await score_when(service, lambda each: each.token_refused)
    assert score.next_at is not None
    await service.write(tokens_given, new_id())  # Another platform gives one.
    assert [each.next_at for each in await service.rows(LtiScore)] == [score.next_at]
    (platform,) = await service.rows(LtiPlatform)
    await teacher.launch(**TEACHER)
    shown = (await teacher.get(f"{course}/lms")).text
    assert "gives this service no access to its grade book" in shown
    assert "404: Error | Moodle" in shown
    assert 'id="failures"' not in shown
    page = f"/platforms/{platform.id}"
    shown = (await admin.get(page)).text
    assert "404: Error | Moodle" in shown
    del fake.answers["/token"]
    await send(admin, page, f"{page}/check")
    await until(lambda: fake.grades)
    await idle(service)
    assert "no access to its grade book" not in (await teacher.get(f"{course}/lms")).text


async def test_deleted_column_is_made_once_more(service, fake):
    await open_course(service, **GRANT, **ANOTHER)
    for number in range(2):
        await come_and_hand_in(service, sub=f"student-{number}", **GRANT, **ANOTHER)
    await until(lambda: len(fake.book.column("/items/1").grades) == 2)
    fake.book.deleted.add("/items/1")
    # One new grade tells that the column is gone; the other grades go to the new one, too.
    await come_and_hand_in(service, sub="student-0", **GRANT, **ANOTHER)
    await until(lambda: len(fake.book.column("/items/2").grades) == 2)
    assert len(fake.items) == 2
    made = [each for each in fake.sent if (each.method, each.url.path) == ("POST", "/items")]
    kinds = [each.headers.get("content-type") for each in made]
    assert kinds == ["application/vnd.ims.lis.v2.lineitem+json"] * 2
    (link,) = await service.rows(LtiLink, LtiLink.resource_link_id == "another")
    assert link.lineitem_url == f"{ISSUER}/items/2"
    # Somebody deletes that one as well, the same day: a column is not made again and again.
    fake.book.deleted.add("/items/2")
    await come_and_hand_in(service, sub="student-0", **GRANT, **ANOTHER)
    score = await failure_of(service, "student-0")
    assert (score.last_status, score.last_error) == (404, "the column is gone")
    assert len(fake.items) == 2


async def test_column_that_is_there_is_not_replaced_for_one_person(service, fake):
    """The person has left the platform's course."""
    grant = {AGS: {**GRANT[AGS], "lineitem": f"{ISSUER}/items/4"}}
    fake.answers[SCORES] = lambda: httpx.Response(404, json={"message": "no such person"})
    await come_and_hand_in(service, **grant)
    assert (await failure_of(service)).last_error == "no such person"
    assert (fake.items, fake.asked.count(SCORES)) == ({}, 1)


async def test_token_that_ended_early_is_replaced_once(service, fake):
    left = [httpx.Response(401)]
    fake.answers[SCORES] = lambda: left.pop() if left else None
    await deliver(service)
    assert fake.asked.count("/token") == 2


@pytest.mark.parametrize(("status", "pause", "tokens"), [(401, 60.0, (2, 2)), (403, 60.0, (1, 1)), (403, 0.0, (2, 3))])
async def test_token_that_is_refused_again_is_not_replaced_for_each_grade(
    service, fake, monkeypatch, status, pause, tokens
):
    """Open edX says 403 about a token that has ended, so an old one is replaced."""
    monkeypatch.setattr(platform_services, "PAUSE_SECONDS", pause)
    fake.answers[SCORES] = lambda: httpx.Response(status)
    for student, count in zip(("student-1", "student-2"), tokens, strict=True):
        await come_and_hand_in(service, sub=student)
        assert (await failure_of(service, student)).last_status == status
        assert fake.asked.count("/token") == count


def link(number: int, **more: Any) -> dict[str, Any]:
    """The claims of a link whose column is the item of this number."""
    column = {"scope": ITEM_SCOPES, "lineitem": f"{ISSUER}/items/{number}", "lineitems": f"{ISSUER}/items"}
    return {f"{LTI}resource_link": {"id": f"link-{number}", "title": "LSTM"}, AGS: column, **more}


async def test_grade_goes_to_links_that_the_student_has_not_opened(service, fake):
    await open_course(service, **link(5))
    await open_course(service, **link(7, **{AGS: None}))  # It takes no grades.
    await come_and_hand_in(service)
    await until(lambda: {SCORES, "/items/5/scores"} <= set(fake.asked))
    # A link that comes later gets the grades of those who have come before.
    await open_course(service, **link(6))
    await until(lambda: "/items/6/scores" in fake.asked)
    scores = await service.rows(LtiScore)
    assert (len(scores), {each.user_id for each in scores}) == (3, {"user-5"})
    kept = await join_to_roster(service)
    await open_course(service, **link(8))
    await until(lambda: fake.book.column("/items/8").grades.get("user-5"))
    assert {each.membership_id for each in await service.rows(LtiScore)} == {kept}


async def test_column_that_a_launch_brings_gets_the_grades_of_before(service, fake):
    """A teacher there has made the column anew; the launch is of somebody else."""
    for student in ("student-1", "student-2"):
        await come_and_hand_in(service, sub=student)
    await until(lambda: len(fake.grades) == 2)
    for number in (5, 6):
        column = {"scope": ITEM_SCOPES, "lineitem": f"{ISSUER}/items/{number}"}
        for _ in range(2):
            await open_course(service, **{AGS: column})
        await until(lambda: fake.asked.count("/items/5/scores") == 2)
    # Another one on the same day waits for the night: a platform may name one after the other.
    await come_and_hand_in(service, sub="student-1", **{AGS: column})
    await until(lambda: "/items/6/scores" in fake.asked)
    assert (fake.asked.count("/items/5/scores"), fake.asked.count("/items/6/scores")) == (2, 1)
    assert set(fake.book.column("/items/5").grades) == {"student-1", "student-2"}


@pytest.mark.parametrize("before", [[LINEITEM_READ_SCOPE], ITEM_SCOPES], ids=["no grades", "no column"])
async def test_grades_of_before_arrive_where_the_platform_takes_them_later(service, fake, before):
    """A teacher there allows grades for the link, and opens it."""
    await open_course(service, **ANOTHER, **{AGS: {"scope": before}})
    await come_and_hand_in(service, **ANOTHER, **{AGS: {"scope": before}})
    if SCORE_SCOPE in before:
        assert (await failure_of(service)).last_error == "the platform has granted no grade book for this link"
    await until(lambda: SCORES in fake.asked)  # The grade of the course's other link.
    await open_course(service, **ANOTHER, **{AGS: {"scope": ITEM_SCOPES, "lineitem": f"{ISSUER}/items/7"}})
    await until(lambda: fake.book.column("/items/7").grades.get("user-5"))


async def test_link_that_is_deleted_after_its_grades_have_come_is_no_failure_beside_another_one(
    service, teacher, student, fake, course
):
    """A teacher there deletes the activity, and makes it again. Moodle makes no column for the old one."""
    of_old = {AGS: {**GRANT[AGS], "lineitem": f"{ISSUER}/items/5"}}
    await teacher.launch(**TEACHER, **ANOTHER, **of_old)
    page = await student.land(**ANOTHER, **of_old)
    await student.launch()
    await student.hand_in(page)
    await until(lambda: fake.book.column("/items/4").grades and fake.book.column("/items/5").grades)
    await come_and_hand_in(service, sub="student-2", **ANOTHER, **of_old)
    await idle(service)
    fake.book.deleted.add("/items/5")
    fake.book.deleted_links.add("another")
    await student.hand_in(page)
    for user in ("user-5", "student-2"):
        score = await failure_of(service, user)
        said = "the column is gone, and no other one is made for this link: 403 Forbidden"
        assert (score.last_status, score.last_error) == (404, said)
    await idle(service)
    # A refused token says nothing about a column.
    for is_refused in (True, False):
        await service.store(LtiScore, LtiScore.failed_at.is_not(None), token_refused=is_refused)
        assert ("the column is gone" in (await teacher.get(f"{course}/lms")).text) is is_refused
    assert "In the grade book" in (await student.get(page)).text
    # Later grades do not ask for the column that is gone, which did not arrive there either.
    asked, grades = len(fake.sent), fake.book.column("/items/4").grades
    before = grades["user-5"]["timestamp"]
    await student.hand_in(page)
    await until(lambda: grades["user-5"]["timestamp"] != before)
    await idle(service)
    assert {each.url.path for each in fake.sent[asked:]} <= {SCORES, "/token"}
    # Somebody whose grade no other link has taken is in need of help.
    fake.answers[SCORES] = lambda: httpx.Response(404, json={"message": "the activity is gone"})
    await come_and_hand_in(service, sub="student-3")
    await failure_of(service, "student-3")
    await idle(service)
    assert "the activity is gone" in (await teacher.get(f"{course}/lms")).text


async def test_grade_whose_stamp_is_ahead_waits_with_words(service, teacher, fake, course):
    """A date of the platform was hours ahead once, and it takes no earlier stamp than the last one."""
    before = await deliver(service)
    assert before.stamp is not None

    async def send_again(**values: object) -> None:
        await service.store(LtiScore, next_at=utc_now(), **values)

    await send_again(stamp=before.stamp + timedelta(hours=2))
    waits = await score_when(service, lambda each: each.last_error)
    assert timedelta(hours=1) < waits.next_at - waits.waits_since <= timedelta(hours=2)
    assert (waits.attempts, fake.asked.count(SCORES)) == (0, 1)
    await teacher.launch(**TEACHER)
    assert "Its clock was ahead" in (await teacher.get(f"{course}/lms")).text
    await send_again(stamp=before.stamp)
    assert (await idle(service)).last_error is None
    assert fake.asked.count(SCORES) == 2


async def test_fault_of_ours_is_logged_and_a_try(service, monkeypatch, caplog):
    faults = [ValueError("a fault")] * 2
    real = lineitems.of_link

    async def faulty(*arguments: Any, **named: Any) -> str | None:
        if faults:
            raise faults.pop()
        return await real(*arguments, **named)

    monkeypatch.setattr(lineitems, "of_link", faulty)
    await deliver(service)
    logged = [each for each in caplog.records if each.message == "sending_failed"]
    assert [(vars(each)["by"], each.exc_info is not None) for each in logged] == [("lti-scores", True)] * 2
    tries = [vars(each) for each in caplog.records if each.message == "lti_score_failed"]
    assert [(each["attempts"], each["reason"]) for each in tries] == [(n, "a fault of this service") for n in (1, 2)]


@pytest.mark.parametrize(
    ("path", "status", "said"), [("/items", 200, []), ("/items/1/scores", 200, {}), ("/items/1/scores", 503, {})]
)
async def test_connection_that_is_undone_while_a_grade_is_on_its_way_is_no_outage(
    service, fake, caplog, path, status, said
):
    caplog.set_level("INFO", "app")

    async def undo() -> httpx.Response:
        await service.write(delete_rows, LtiContext, LtiContext.platform_id.is_not(None))
        return httpx.Response(status, json=said)

    await open_course(service, **GRANT, **ANOTHER)
    fake.answers[path] = undo
    await come_and_hand_in(service, **GRANT, **ANOTHER)
    await until(lambda: "sending_ended" in caplog.messages)
    assert not {"database_failing", "sending_failed"} & set(caplog.messages)
    assert await service.rows(LtiScore) == []
