"""Grades in the platform's grade book: what arrives there, what is sent again, and what is given up."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet
from sqlalchemy import update
from sqlalchemy.exc import SQLAlchemyError

from app.errors.outgoing import AnswerUnusable
from app.lti import keys, platform_services
from app.lti.grades import lineitems, outbox, sender
from app.lti.grades.scores import below
from app.lti.platform_services import LINEITEM_READ_SCOPE, SCORE_SCOPE, words_of
from app.outgoing import client as outgoing
from app.outgoing.client import Answer
from app.storage.cascade import delete_rows
from app.storage.models import LtiContext, LtiLink, LtiPlatform, LtiScore, utc_now
from app.storage.passback import scores_changed
from grader import Status
from tests.platforms import AGS, CLIENT_ID, ISSUER, LTI, FakePlatform
from tests.unit.app.conftest import FakeGrader, Service, form_secret
from tests.unit.app.lti.conftest import (
    ITEM_SCOPES,
    SCORES,
    TEACHER,
    browser,
    come_and_hand_in,
    everything,
    failed,
    hand_in,
    idle,
    join_to_roster,
    launch,
    settled,
)
from tests.waiting import until

pytestmark = pytest.mark.anyio

GRANT = {AGS: {"scope": ITEM_SCOPES, "lineitems": f"{ISSUER}/items"}}
ANOTHER = {f"{LTI}resource_link": {"id": "another", "title": "LSTM"}}


@pytest.fixture(autouse=True)
def quick(short_waits: None, clock_that_runs: None) -> None: ...


async def test_grade_arrives_with_its_comment(service: Service, fake: FakePlatform, course: str) -> None:
    attempt = await come_and_hand_in(service, fake)
    await until(lambda: fake.grades.get("user-5"))
    score = fake.grades["user-5"]
    assert (score["scoreGiven"], score["scoreMaximum"]) == (100, 100)
    assert (score["activityProgress"], score["gradingProgress"]) == ("Completed", "FullyGraded")
    assert score["timestamp"].endswith("Z")
    assert "." not in score["timestamp"]
    assert "100" in score["comment"]
    assert score["comment"].endswith(attempt)
    assert len(score["comment"]) <= 500
    post = next(request for request in fake.sent if request.url.path == SCORES)
    assert str(post.url).partition(".edu")[2] == f"{SCORES}?type=7" or post.url.query == b"type=7"
    assert post.headers["content-type"] == "application/vnd.ims.lis.v1.score+json"
    stored = await idle(service)
    assert (stored.points, stored.max_points, stored.failed_at) == (100, 100, None)


async def test_token_is_asked_for_once_with_our_signature(service: Service, fake: FakePlatform, course: str) -> None:
    for number in range(3):
        await come_and_hand_in(service, fake, sub=f"student-{number}")
    await until(lambda: len(fake.grades) == 3)
    (asked,) = [request for request in fake.sent if request.url.path == "/token"]
    form = {name: values[0] for name, values in parse_qs(asked.content.decode()).items()}
    async with browser(service) as client:
        keys = KeySet.import_key_set((await client.get("/lti/keys")).json())
    claims = jwt.decode(form["client_assertion"], keys, algorithms=["RS256"]).claims
    assert (claims["iss"], claims["sub"], claims["aud"]) == (CLIENT_ID, CLIENT_ID, f"{ISSUER}/token")
    assert form["grant_type"] == "client_credentials"
    assert form["scope"] == "https://purl.imsglobal.org/spec/lti-ags/scope/score"


async def test_lower_resubmission_leaves_the_best_grade(
    service: Service, grader: FakeGrader, fake: FakePlatform, course: str
) -> None:
    grader.statuses = [Status.PASSED, Status.FAILED]
    async with browser(service) as student:
        page = (await launch(student, fake)).headers["location"]
        await hand_in(student, page)
        await until(lambda: fake.grades)
        await hand_in(student, page)
    await until(lambda: fake.asked.count(SCORES) == 2)
    await idle(service)
    assert fake.grades["user-5"]["scoreGiven"] == 100


async def test_adjustment_arrives(service: Service, fake: FakePlatform, course: str) -> None:
    async with browser(service) as teacher:
        await launch(teacher, fake, **TEACHER)
        await come_and_hand_in(service, fake)
        stored = await idle(service)
        work = f"{course}/members/{stored.membership_id}/assignments/lstm-layer"
        shown = await teacher.get(work)
        assert shown.status_code == 200
        sent = await teacher.post(
            f"{work}/adjustment",
            data={
                "form_secret": form_secret(shown.text),
                "way": "value",
                "points": "42",
                "adjustment_reason": "as agreed",
            },
        )
        assert sent.status_code == 303, sent.text
    await until(lambda: fake.grades.get("user-5", {}).get("scoreGiven") == 42)
    assert "as agreed" in fake.grades["user-5"]["comment"]


async def test_teachers_attempt_is_not_sent(service: Service, fake: FakePlatform, course: str) -> None:
    async with browser(service) as teacher:
        await launch(teacher, fake, **TEACHER)
        await hand_in(teacher, f"{course}/assignments/lstm-layer")
    await come_and_hand_in(service, fake)
    await until(lambda: fake.grades)
    assert set(fake.grades) == {"user-5"}


async def test_failure_of_ours_is_not_sent(
    service: Service, grader: FakeGrader, fake: FakePlatform, course: str
) -> None:
    grader.statuses = [Status.INTERNAL_ERROR]
    await come_and_hand_in(service, fake)
    await until(lambda: grader.graded)
    await idle(service)
    assert SCORES not in fake.asked


async def test_line_item_is_found_before_one_is_made(service: Service, fake: FakePlatform, course: str) -> None:
    async with browser(service) as teacher:
        await launch(teacher, fake, **TEACHER, **GRANT, **ANOTHER)
    for number in range(2):
        await come_and_hand_in(service, fake, sub=f"student-{number}", **GRANT, **ANOTHER)
    await until(lambda: len(fake.grades) == 2)
    ((_, item),) = fake.items.items()
    assert (item["resourceLinkId"], item["scoreMaximum"]) == ("another", 100)
    made = next(each for each in await everything(service, LtiLink) if each.resource_link_id == "another")
    assert made.lineitem_url == item["id"]
    # Another service that has lost its memory finds it.
    async with service.services.database.write() as session:
        stored = await session.get_one(LtiLink, made.id)
        stored.lineitem_url = stored.lineitem_at = None
    await come_and_hand_in(service, fake, sub="student-3", **GRANT, **ANOTHER)
    await until(lambda: len(fake.grades) == 3)
    assert len(fake.items) == 1


def breaks(error: Exception) -> httpx.Response:
    raise error


AWAY: list[Callable[[], httpx.Response]] = [
    lambda: httpx.Response(500),
    lambda: httpx.Response(502, text="<html>"),
    lambda: httpx.Response(503, headers={"Retry-After": "0"}),
    lambda: httpx.Response(429, headers={"Retry-After": "0"}),
    lambda: httpx.Response(429),
    lambda: httpx.Response(403, text="403 Forbidden (Rate Limit Exceeded)\n"),
    lambda: httpx.Response(403, headers={"X-Rate-Limit-Remaining": "0.0"}),
    lambda: httpx.Response(403, headers={"X-Rate-Limit-Remaining": "-3.5"}, json={"message": "too many"}),
    lambda: httpx.Response(408),
    *[lambda: httpx.Response(409)] * 5,
    lambda: httpx.Response(200, content=b"x" * 2_000_000),
    lambda: httpx.Response(302, headers={"Location": "/maintenance"}),
    lambda: breaks(httpx.ReadTimeout("slow")),
    lambda: breaks(httpx.ConnectError("refused")),
    lambda: breaks(httpx.RemoteProtocolError("cut")),
]
# A web server in front of the platform says that no column is there, as in maintenance.
NO_PAGE = [lambda: httpx.Response(404, html="<title>Not found</title>")] * 2


@pytest.mark.parametrize(("path", "answers"), [(SCORES, [*AWAY, *NO_PAGE]), ("/token", AWAY)], ids=["score", "token"])
async def test_platform_that_is_away_gets_the_grade_later(
    service: Service, fake: FakePlatform, course: str, path: str, answers: list[Callable[[], httpx.Response]]
) -> None:
    """However it says so, and however often."""
    left = answers[::-1]
    fake.answers[path] = lambda: left.pop()() if left else None
    await come_and_hand_in(service, fake)

    async def ended() -> bool:
        (score,) = await everything(service, LtiScore)
        return bool(fake.grades or score.failed_at)

    await until(ended)
    score = await idle(service)
    tried = len(answers) - len(left)
    assert (score.points, score.last_error, score.failed_at) == (100, None, None), f"given up at answer {tried}"
    assert (left, fake.grades["user-5"]["scoreGiven"]) == ([], 100)


async def suspend(service: Service, platform_id: str, *, at: datetime | None) -> None:
    """Take the confirmation from a platform, whose sessions stay, or give it back."""
    async with service.services.database.write() as session:
        (await session.get_one(LtiPlatform, platform_id)).confirmed_at = at


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda: httpx.Response(500, json={"reason": f"locked at {monotonic()}"}), "It answers 500: locked at"),
        (lambda: httpx.Response(200, content=b"x" * 2_000_000), "Reason: <bdi>the answer is longer than 500000 bytes"),
    ],
    ids=["locked", "endless"],
)
async def test_grades_that_are_tried_again_are_shown_with_the_platforms_words(
    service: Service, fake: FakePlatform, course: str, monkeypatch: pytest.MonkeyPatch, answer: Any, said: str
) -> None:
    """A grade that is locked in Moodle is tried for a week, and only a teacher there can unlock it."""
    monkeypatch.setattr(sender, "RETRY_SECONDS", (3600,))
    fake.answers[SCORES] = answer

    async def refused() -> bool:
        return sum(each.last_error is not None for each in await everything(service, LtiScore)) == 2

    async with browser(service) as teacher, service.browser() as admin:
        await launch(teacher, fake, **TEACHER)
        (platform,) = await everything(service, LtiPlatform)
        for student in ("student-1", "student-2"):
            await come_and_hand_in(service, fake, sub=student)
        await until(refused)
        for client, page in ((teacher, f"{course}/lms"), (admin, f"/platforms/{platform.id}")):
            shown = (await client.get(page)).text
            assert shown.count("does not take grades at present") == 1
            assert said in shown
            assert "2 grades wait and are tried again" in shown
        await suspend(service, platform.id, at=None)
        assert "does not take grades" not in (await admin.get(f"/platforms/{platform.id}")).text
        await suspend(service, platform.id, at=utc_now())
        del fake.answers[SCORES]
        async with service.services.database.write() as session:
            await session.execute(update(LtiScore).values(next_at=utc_now()))
        await until(lambda: len(fake.grades) == 2)

        async def ended() -> bool:
            return "does not take grades" not in (await teacher.get(f"{course}/lms")).text

        await until(ended)


async def test_student_reads_how_the_grade_stands(
    service: Service, fake: FakePlatform, course: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "RETRY_SECONDS", (3600,))
    sentences = {
        200: "In the grade book of the learning platform since",
        503: "The grade is on its way",
        400: "The grade could not be delivered",
    }
    for count, (status, sentence) in enumerate(sentences.items(), start=1):
        fake.answers[SCORES] = lambda status=status: httpx.Response(status, json={})
        async with browser(service) as student:
            page = (await launch(student, fake, sub=f"student-{status}")).headers["location"]
            await hand_in(student, page)
            await until(lambda count=count: fake.asked.count(SCORES) == count)

            async def is_said(student: httpx.AsyncClient = student, page: str = page, words: str = sentence) -> bool:
                return words in (await student.get(page)).text

            await until(is_said)


async def test_refusal_is_final_and_kept_in_the_platforms_words(
    service: Service, fake: FakePlatform, course: str
) -> None:
    left = {"X-Rate-Limit-Remaining": "512.5"}
    said = {"error_description": "the column is gone"}
    for count, status in enumerate((400, 403, 404), start=1):
        fake.answers[SCORES] = lambda status=status: httpx.Response(status, headers=left, json=said)
        await come_and_hand_in(service, fake, sub=f"student-{status}")
        score = await failed(service, f"student-{status}")
        assert (score.next_at, score.last_status, score.last_error) == (None, status, "the column is gone")
        assert fake.asked.count(SCORES) == count, status


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (400, '{"error": "invalid_client", "message": "no such tool"}', "invalid_client: no such tool"),
        (403, "not\0for\nyou", "not for you"),
        (503, "<!DOCTYPE html><html><head>\n<title>Down for\n&quot;repairs&quot;</title>", 'Down for "repairs"'),
        (502, "<p>Bad <b>gateway</b></p><img src=", "Bad Gateway"),
        (302, "", "Found"),
        (599, " ", ""),
    ],
)
def test_words_of_a_refusal_are_those_that_a_person_can_use(status: int, body: str, words: str) -> None:
    assert words_of(Answer(status, httpx.Headers(), body.encode())) == words


async def test_refused_address_is_final_and_an_unknown_name_is_not(
    service: Service, fake: FakePlatform, course: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def unknown(host: str, port: int, *, private: bool) -> list[str]:
        raise AnswerUnusable(reason=f"the name {host} is not known")

    with monkeypatch.context() as patch:
        patch.setattr(outgoing, "look_up", unknown)
        await come_and_hand_in(service, fake)
        await until(lambda: caplog.messages.count("lti_score_failed") > 2)
    await until(lambda: fake.grades)
    score = await idle(service)
    async with service.services.database.write() as session:
        await session.execute(update(LtiLink).values(lineitem_url="https://10.0.0.5/items/4"))
        await scores_changed(session, [score.id])
    score = await failed(service)
    assert (score.last_status, score.last_error) == (None, "the address is refused: 10.0.0.5 is in a private network")
    assert score.next_at is None


async def waiting(service: Service, user_id: str = "user-5") -> LtiScore:
    """Wait until the grade of this person waits for a token, and return it."""

    async def found() -> LtiScore | None:
        scores = await everything(service, LtiScore)
        return next((each for each in scores if each.user_id == user_id and each.token_refused), None)

    return await until(found)


async def test_refused_key_is_tried_again_after_a_rotation(service: Service, fake: FakePlatform, course: str) -> None:
    fake.answers["/token"] = lambda: httpx.Response(400, json={"error": "invalid_client"})
    await come_and_hand_in(service, fake)
    score = await waiting(service)
    assert (score.last_status, score.last_error, score.failed_at) == (400, "invalid_client", None)
    assert fake.asked.count("/token") == 1
    del fake.answers["/token"]
    async with service.services.database.write() as session:
        await keys.rotate(session)
    await until(lambda: fake.grades)
    assert not (await idle(service)).token_refused


async def test_refused_token_is_shown_and_ends_when_the_check_gets_one(
    service: Service, fake: FakePlatform, course: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Moodle cannot read our keys for a while, and its page of an error is no word about the column."""
    monkeypatch.setattr(sender, "RETRY_SECONDS", (3600,))
    fake.answers["/token"] = lambda: httpx.Response(404, html="<title>Error | Moodle</title>")
    await come_and_hand_in(service, fake)
    score = await waiting(service)
    assert score.next_at is not None
    (platform,) = await everything(service, LtiPlatform)
    async with browser(service) as teacher, service.browser() as admin:
        await launch(teacher, fake, **TEACHER)
        shown = (await teacher.get(f"{course}/lms")).text
        assert "gives this service no access to its grade book" in shown
        assert "404: Error | Moodle" in shown
        assert 'id="failures"' not in shown
        page = f"/platforms/{platform.id}"
        seen = (await admin.get(page)).text
        assert "404: Error | Moodle" in seen
        del fake.answers["/token"]
        await admin.post(f"{page}/check", data={"form_secret": form_secret(seen)})
        await until(lambda: fake.grades)
        await idle(service)
        assert "no access to its grade book" not in (await teacher.get(f"{course}/lms")).text


async def test_deleted_column_is_made_once_more(service: Service, fake: FakePlatform, course: str) -> None:
    async with browser(service) as teacher:
        await launch(teacher, fake, **TEACHER, **GRANT, **ANOTHER)
    for number in range(3):
        await come_and_hand_in(service, fake, sub=f"student-{number}", **GRANT, **ANOTHER)
    await until(lambda: len(fake.grades) == 3)
    fake.book.forget()
    fake.book.deleted.add("/items/1")
    # One new grade tells that the column is gone; the other grades go to the new one, too.
    await come_and_hand_in(service, fake, sub="student-0", **GRANT, **ANOTHER)
    await until(lambda: len(fake.grades) == 3)
    assert len(fake.items) == 2
    made = next(each for each in await everything(service, LtiLink) if each.resource_link_id == "another")
    assert made.lineitem_url == f"{ISSUER}/items/2"
    # Somebody deletes that one as well, the same day: a column is not made again and again.
    fake.book.deleted.add("/items/2")
    await come_and_hand_in(service, fake, sub="student-0", **GRANT, **ANOTHER)
    score = await failed(service, "student-0")
    assert (score.last_status, score.last_error) == (404, "the column is gone")
    assert len(fake.items) == 2


async def test_column_that_is_there_is_not_replaced_for_one_person(
    service: Service, fake: FakePlatform, course: str
) -> None:
    """The person has left the platform's course."""
    grant = {AGS: {**GRANT[AGS], "lineitem": f"{ISSUER}/items/4"}}
    fake.answers[SCORES] = lambda: httpx.Response(404, json={"message": "no such person"})
    await come_and_hand_in(service, fake, **grant)
    assert (await failed(service)).last_error == "no such person"
    assert (fake.items, fake.asked.count(SCORES)) == ({}, 1)


async def test_token_that_ended_early_is_replaced_once(service: Service, fake: FakePlatform, course: str) -> None:
    left = [httpx.Response(401)]
    fake.answers[SCORES] = lambda: left.pop() if left else None
    await come_and_hand_in(service, fake)
    await until(lambda: fake.grades)
    assert fake.asked.count("/token") == 2


async def test_platform_that_takes_no_token_is_asked_twice(service: Service, fake: FakePlatform, course: str) -> None:
    fake.answers[SCORES] = lambda: httpx.Response(401, text="no")
    await come_and_hand_in(service, fake)
    assert (await failed(service)).last_status == 401
    assert fake.asked.count(SCORES) == 2


def link(number: int, **more: Any) -> dict[str, Any]:
    """The claims of a link whose column is the item of this number."""
    column = {"scope": ITEM_SCOPES, "lineitem": f"{ISSUER}/items/{number}", "lineitems": f"{ISSUER}/items"}
    return {f"{LTI}resource_link": {"id": f"link-{number}", "title": "LSTM"}, AGS: column, **more}


async def test_grade_goes_to_links_that_the_student_has_not_opened(
    service: Service, fake: FakePlatform, course: str
) -> None:
    async with browser(service) as teacher:
        await launch(teacher, fake, **TEACHER, **link(5))
    await come_and_hand_in(service, fake)
    await until(lambda: {SCORES, "/items/5/scores"} <= set(fake.asked))
    # A link that comes later gets the grades of those who have come before.
    async with browser(service) as teacher:
        await launch(teacher, fake, **TEACHER, **link(6))
    await until(lambda: "/items/6/scores" in fake.asked)
    assert {each.membership_id for each in await everything(service, LtiScore)} == {(await idle(service)).membership_id}


async def test_student_who_was_joined_gets_grades_in_links_that_come_later(
    service: Service, fake: FakePlatform, course: str
) -> None:
    await come_and_hand_in(service, fake)
    await until(lambda: fake.grades)
    await idle(service)
    kept = await join_to_roster(service)
    async with browser(service) as teacher:
        await launch(teacher, fake, **TEACHER, **link(6))
    await until(lambda: fake.book.column("/items/6").grades.get("user-5"))
    assert {each.membership_id for each in await everything(service, LtiScore)} == {kept}


async def test_column_that_a_launch_brings_gets_the_grades_of_before(
    service: Service, fake: FakePlatform, course: str
) -> None:
    """A teacher there has made the column anew; the launch is of somebody else."""
    for student in ("student-1", "student-2"):
        await come_and_hand_in(service, fake, sub=student)
    await until(lambda: len(fake.grades) == 2)
    async with browser(service) as teacher:
        for number in (5, 6):
            column = {"scope": ITEM_SCOPES, "lineitem": f"{ISSUER}/items/{number}"}
            for _ in range(2):
                await launch(teacher, fake, **TEACHER, **{AGS: column})
            await until(lambda: fake.asked.count("/items/5/scores") == 2)
    # Another one on the same day waits for the night: a platform may name one after the other.
    await come_and_hand_in(service, fake, sub="student-1", **{AGS: column})
    await until(lambda: "/items/6/scores" in fake.asked)
    assert (fake.asked.count("/items/5/scores"), fake.asked.count("/items/6/scores")) == (2, 1)
    assert set(fake.book.column("/items/5").grades) == {"student-1", "student-2"}


@pytest.mark.parametrize(
    "before", [None, {"scope": [LINEITEM_READ_SCOPE]}, {"scope": ITEM_SCOPES}], ids=["nothing", "reading", "no column"]
)
async def test_grades_of_before_arrive_where_the_platform_takes_them_later(
    service: Service, fake: FakePlatform, course: str, before: dict[str, Any] | None
) -> None:
    """A teacher there allows grades for the link, and opens it."""
    async with browser(service) as teacher:
        await launch(teacher, fake, **TEACHER, **ANOTHER, **{AGS: before})
        await come_and_hand_in(service, fake, **ANOTHER, **{AGS: before})
        if before and SCORE_SCOPE in before["scope"]:
            assert (await failed(service)).last_error == "the platform has granted no grade book for this link"
        await until(lambda: SCORES in fake.asked)  # The grade of the course's other link.
        column = {"scope": ITEM_SCOPES, "lineitem": f"{ISSUER}/items/7"}
        await launch(teacher, fake, **TEACHER, **ANOTHER, **{AGS: column})
    await until(lambda: fake.book.column("/items/7").grades.get("user-5"))


async def test_link_that_is_gone_beside_another_one_is_no_failure(
    service: Service, fake: FakePlatform, course: str
) -> None:
    async with browser(service) as teacher, browser(service) as student:
        await launch(teacher, fake, **TEACHER, **link(5))
        fake.answers["/items/5/scores"] = lambda: httpx.Response(404, json={"message": "the activity is gone"})
        page = (await launch(student, fake)).headers["location"]
        await hand_in(student, page)
        await until(lambda: fake.grades)
        await failed(service)
        await settled(service)
        assert "the activity is gone" not in (await teacher.get(f"{course}/lms")).text
        assert "In the grade book" in (await student.get(page)).text
        fake.answers[SCORES] = fake.answers["/items/5/scores"]
        await come_and_hand_in(service, fake, sub="student-2")
        await failed(service, "student-2")
        await settled(service)
        assert "the activity is gone" in (await teacher.get(f"{course}/lms")).text


async def test_link_that_is_deleted_after_its_grades_have_come_is_no_failure_beside_another_one(
    service: Service, fake: FakePlatform, course: str
) -> None:
    """A teacher there deletes the activity, and makes it again. Moodle makes no column for the old one."""
    of_old = {AGS: {**GRANT[AGS], "lineitem": f"{ISSUER}/items/5"}}
    async with browser(service) as teacher, browser(service) as student:
        await launch(teacher, fake, **TEACHER, **ANOTHER, **of_old)
        page = (await launch(student, fake, **ANOTHER, **of_old)).headers["location"]
        await launch(student, fake)
        await hand_in(student, page)
        await until(lambda: fake.book.column("/items/4").grades and fake.book.column("/items/5").grades)
        await come_and_hand_in(service, fake, sub="student-2", **ANOTHER, **of_old)
        await settled(service)
        fake.book.deleted.add("/items/5")
        fake.book.deleted_links.add("another")
        await hand_in(student, page)
        for user in ("user-5", "student-2"):
            score = await failed(service, user)
            said = "the column is gone, and no other one is made for this link: 403 Forbidden"
            assert (score.last_status, score.last_error) == (404, said)
        await settled(service)
        assert "the column is gone" not in (await teacher.get(f"{course}/lms")).text
        assert "In the grade book" in (await student.get(page)).text


async def test_link_without_grades_gets_none(service: Service, fake: FakePlatform, course: str) -> None:
    async with browser(service) as teacher:
        await launch(teacher, fake, **TEACHER, **link(5, **{AGS: None}))
    await come_and_hand_in(service, fake)
    await until(lambda: fake.grades)
    assert len(await everything(service, LtiScore)) == 1


async def test_refused_request_for_a_token_is_not_repeated_for_each_grade(
    service: Service, fake: FakePlatform, course: str
) -> None:
    fake.answers["/token"] = lambda: httpx.Response(400, json={"error": "invalid_client"})
    for student in ("student-1", "student-2"):
        await come_and_hand_in(service, fake, sub=student)
        assert (await waiting(service, student)).last_error == "invalid_client"
    assert fake.asked.count("/token") == 1


async def test_new_token_that_is_refused_is_not_replaced_for_each_grade(
    service: Service, fake: FakePlatform, course: str
) -> None:
    fake.answers[SCORES] = lambda: httpx.Response(401)
    for student in ("student-1", "student-2"):
        await come_and_hand_in(service, fake, sub=student)
        assert (await failed(service, student)).last_status == 401
    assert fake.asked.count("/token") == 2


@pytest.mark.parametrize(("is_old", "tokens"), [(True, 2), (False, 1)])
async def test_old_token_that_is_forbidden_is_replaced_once(
    service: Service, fake: FakePlatform, course: str, monkeypatch: pytest.MonkeyPatch, is_old: bool, tokens: int
) -> None:
    """Open edX says 403 about a token that has ended."""
    if is_old:
        monkeypatch.setattr(platform_services, "PAUSE_SECONDS", 0.0)
    fake.answers[SCORES] = lambda: httpx.Response(403)
    await come_and_hand_in(service, fake)
    assert (await failed(service)).last_status == 403
    assert (fake.asked.count("/token"), fake.asked.count(SCORES)) == (tokens, tokens)


async def test_try_that_was_cut_off_is_repeated_with_a_later_stamp(
    service: Service, fake: FakePlatform, course: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process dies between posting and recording: the lease ends, and the same grade goes again."""
    recorded = outbox.delivered
    died = []

    async def dies(*arguments: Any, **named: Any) -> None:
        if fake.grades and not died:
            died.append(True)
            raise SQLAlchemyError("the process is gone")
        await recorded(*arguments, **named)

    monkeypatch.setattr(sender, "LEASE", timedelta(seconds=0.1))
    monkeypatch.setattr(outbox, "delivered", dies)
    await come_and_hand_in(service, fake)
    await until(lambda: fake.asked.count(SCORES) >= 2)
    await idle(service)
    stamps = [json.loads(each.content)["timestamp"] for each in fake.sent if each.url.path == SCORES]
    assert stamps == sorted(set(stamps))
    assert fake.grades["user-5"]["scoreGiven"] == 100


async def test_grade_whose_stamp_is_ahead_waits_and_teachers_read_why(
    service: Service, fake: FakePlatform, course: str
) -> None:
    """A date of the platform was hours ahead once, and it takes no earlier stamp than the last one."""
    await come_and_hand_in(service, fake)
    await until(lambda: fake.grades)
    before = await idle(service)
    assert before.stamp is not None

    async def send(**values: object) -> None:
        async with service.services.database.write() as session:
            await session.execute(update(LtiScore).values(next_at=utc_now(), **values))

    async def refused() -> LtiScore | None:
        (score,) = await everything(service, LtiScore)
        return score if score.last_error else None

    await send(stamp=before.stamp + timedelta(hours=2))
    waits = await until(refused)
    assert timedelta(hours=1) < waits.next_at - waits.waits_since <= timedelta(hours=2)
    assert (waits.attempts, fake.asked.count(SCORES)) == (0, 1)
    async with browser(service) as teacher:
        await launch(teacher, fake, **TEACHER)
        for language, said in {"en": "Its clock was ahead", "ru": "Часы платформы спешили"}.items():
            shown = await teacher.get(f"{course}/lms", headers={"Accept-Language": language})
            assert said in shown.text
            assert "Moodle" not in shown.text.partition(said)[2].partition("</section>")[0]
    await send(stamp=before.stamp)
    assert (await idle(service)).last_error is None
    assert fake.asked.count(SCORES) == 2


async def test_address_of_line_items_that_cannot_be_read_is_final(
    service: Service, fake: FakePlatform, course: str
) -> None:
    await come_and_hand_in(service, fake)
    await until(lambda: fake.grades)
    score = await idle(service)
    async with service.services.database.write() as session:
        unreadable = {"lineitem_url": None, "lineitems_url": "https://[abc/items", "scopes": {"granted": ITEM_SCOPES}}
        await session.execute(update(LtiLink).values(**unreadable))
        await scores_changed(session, [score.id])
    said = "the address is refused: the platform's list of line items has no usable one"
    assert (await failed(service)).last_error == said


async def test_fault_of_ours_is_logged_and_a_try(
    service: Service, fake: FakePlatform, course: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    faults = [ValueError("a fault")] * 2
    real = lineitems.of_link

    async def faulty(*arguments: Any, **named: Any) -> str | None:
        if faults:
            raise faults.pop()
        return await real(*arguments, **named)

    monkeypatch.setattr(lineitems, "of_link", faulty)
    await come_and_hand_in(service, fake)
    await until(lambda: fake.grades)
    logged = [each for each in caplog.records if each.message == "sending_failed"]
    assert [(vars(each)["by"], each.exc_info is not None) for each in logged] == [("lti-scores", True)] * 2
    tries = [each for each in caplog.records if each.message == "lti_score_failed"]
    assert [(vars(each)["attempts"], vars(each)["reason"]) for each in tries] == [
        (1, "a fault of this service"),
        (2, "a fault of this service"),
    ]


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/items", 200, []),
        ("/token", 200, {"access_token": "token-of-the-platform"}),
        ("/items/1/scores", 200, {}),
        ("/items/1/scores", 503, {}),
        *(pytest.param(path, 503, {}, marks=pytest.mark.thorough) for path in ("/items", "/token")),
    ],
)
async def test_connection_that_is_undone_while_a_grade_is_on_its_way_is_no_outage(
    service: Service,
    platform: LtiPlatform,
    fake: FakePlatform,
    caplog: pytest.LogCaptureFixture,
    path: str,
    status: int,
    said: object,
) -> None:
    caplog.set_level("INFO", "app")

    async def undo() -> httpx.Response:
        async with service.services.database.write() as session:
            await delete_rows(session, LtiContext, LtiContext.platform_id == platform.id)
        return httpx.Response(status, json=said)

    async with browser(service) as teacher:
        await launch(teacher, fake, **TEACHER, **GRANT)
    fake.answers[path] = undo
    await come_and_hand_in(service, fake, **GRANT)
    await until(lambda: "sending_ended" in caplog.messages)
    assert not {"database_failing", "sending_failed"} & set(caplog.messages)
    assert await everything(service, LtiScore) == []


async def test_grade_that_changes_while_one_is_on_its_way_is_sent_too(
    service: Service, grader: FakeGrader, fake: FakePlatform, course: str
) -> None:
    """The platform is slow; meanwhile a second attempt is graded."""
    grader.statuses = [Status.FAILED, Status.PASSED]
    left = [httpx.ReadTimeout("slow")] * 3

    def slow() -> None:
        if left:
            raise left.pop()

    fake.answers[SCORES] = slow
    async with browser(service) as student:
        page = (await launch(student, fake)).headers["location"]
        await hand_in(student, page)
        await hand_in(student, page)
    await until(lambda: fake.grades.get("user-5", {}).get("scoreGiven") == 100)
    score = await idle(service)
    assert score.sent_version == score.version


@pytest.mark.parametrize(
    ("lineitem", "scores"),
    [
        ("https://lms/items/4", "https://lms/items/4/scores"),
        ("https://lms/items/4/", "https://lms/items/4/scores"),
        (
            "https://lms/mod/lti/services.php/2/lineitems/4/lineitem?type_id=1",
            "https://lms/mod/lti/services.php/2/lineitems/4/lineitem/scores?type_id=1",
        ),
    ],
)
def test_scores_go_before_the_query(lineitem: str, scores: str) -> None:
    assert below(lineitem, "scores") == scores


def test_stamps_are_whole_seconds() -> None:
    from app.lti.grades.scores import score_of

    moment = datetime(2026, 5, 4, 3, 2, 1, 999_999, UTC)
    score = score_of(user_id="u", points=1, max_points=2, comment="x" * 900, stamp=moment, submitted_at=moment)
    assert (score["timestamp"], len(score["comment"])) == ("2026-05-04T03:02:01Z", 500)
