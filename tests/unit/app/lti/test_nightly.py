"""The nightly look at the platform's members and grades: what differs is sent again once, and listed."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
from sqlalchemy.exc import DataError, OperationalError

from app.errors import AnswerUnusable
from app.lti import keys, memberships
from app.lti.grades import expected
from app.lti.nightly import AGAIN, FIRST_HOUR, HOURS, LAST_HOUR, Nightly, next_look, next_night
from app.lti.pages import next_page
from app.lti.platform_services import LINEITEM_READ_SCOPE, LINEITEM_SCOPE, RESULT_SCOPE, SCORE_SCOPE
from app.outgoing.client import Answer
from app.privacy.retention import delete_ended
from app.storage.models import (
    LtiCode,
    LtiContext,
    LtiInvitation,
    LtiLink,
    LtiLogin,
    LtiQuestion,
    LtiScore,
    LtiSelection,
    Membership,
)
from tests.platforms import AGS, ISSUER, NRPS, ROLE, FakePlatform
from tests.platforms.gradebooks import CanvasGradeBook, MoodleGradeBook
from tests.unit.app.conftest import Service
from tests.unit.app.lti.conftest import SCORES, TEACHER, browser, come_and_hand_in, deliver, idle
from tests.waiting import until

GRANT: dict[str, Any] = {
    AGS: {"scope": [SCORE_SCOPE, RESULT_SCOPE], "lineitem": f"{ISSUER}/items/4?type=7", "lineitems": f"{ISSUER}/items"},
    NRPS: {"context_memberships_url": f"{ISSUER}/members", "service_versions": ["2.0"]},
}


@pytest.fixture(autouse=True)
def quick(short_waits: None, clock_that_runs: None) -> None: ...


@pytest.fixture
def nightly(service: Service) -> Nightly:
    """A second process, whose loop does not run."""
    parts = service.services
    return Nightly(parts.database, parts.assignments, parts.platform_services)


def person(user_id: str, role: str = "Learner", **more: str) -> dict[str, Any]:
    return {"user_id": user_id, "roles": [f"{ROLE}{role}"], **more}


async def night(service: Service, nightly: Nightly) -> LtiContext:
    """Let it be night, and look at the course."""
    await nightly.check_next()
    await service.store(LtiContext, next_at=datetime.now(UTC) - timedelta(seconds=1))
    assert await nightly.check_next()
    assert not await nightly.check_next()
    (context,) = await service.rows(LtiContext)
    return context


async def connection_page(service: Service) -> str:
    """Return the page of the connection, as a teacher sees it."""
    async with browser(service) as teacher:
        course = await teacher.land(**TEACHER, **GRANT)
        return (await teacher.get(f"{course}/lms")).text


@pytest.fixture
async def score(service: Service, fake: FakePlatform, course: str) -> LtiScore:
    """A grade of 100 that has arrived."""
    fake.people = [person("teacher-1", "Instructor"), person("user-5")]
    return await deliver(service, **GRANT)


async def test_equal_grades_are_left_in_any_scale_and_lost_ones_sent_again(service, fake, score, nightly):
    for points, most in [(100, 100), (10, 10), (1, 1), (99.995, 100)]:
        fake.grades["user-5"] |= {"scoreGiven": points, "scoreMaximum": most}
        context = await night(service, nightly)
        assert (context.check_error, context.checked_at is not None) == (None, True)
        assert (await idle(service)).differs_since is None, (points, most)
    assert f"{SCORES.removesuffix('scores')}results" in fake.asked
    assert fake.asked.count(SCORES) == 1
    shown = await connection_page(service)
    assert "compared with those here" in shown
    assert "Last done" in shown
    assert 'id="differences"' not in shown
    fake.book.forget()
    await night(service, nightly)
    await until(lambda: fake.grades)
    assert (await idle(service)).differs_since is not None
    await night(service, nightly)
    assert (await idle(service)).differs_since is None
    assert fake.asked.count(SCORES) == 2


@pytest.mark.parametrize("kind", [MoodleGradeBook, CanvasGradeBook])
async def test_grades_of_a_column_with_another_scale_are_sent_again_once(service, fake, course, nightly, kind):
    """Canvas leaves the points as they are; Moodle rescales them, and shows the results in the scale of before."""
    book = fake.book = kind(ISSUER)
    column = book.column("/items/4")
    column.item["scoreMaximum"] = 100
    grant = granted(SCORE_SCOPE, RESULT_SCOPE, LINEITEM_READ_SCOPE)
    fake.people = [person("teacher-1", "Instructor"), person("user-5"), person("user-6")]
    for sub in ("user-5", "user-6"):
        await come_and_hand_in(service, sub=sub, **grant)
    await until(lambda: len(fake.grades) == 2)
    await idle(service)
    for _ in range(2):  # The second time it is left alone.
        book.grade_by_hand("/items/4", "user-6", 55)
        await night(service, nightly)
        await idle(service)
    posts = fake.asked.count(SCORES)
    for most in (10, 20):
        column.item["scoreMaximum"] = most
        for _ in range(2):
            await night(service, nightly)
            await idle(service)
        posts += 1
        assert (book.shown("/items/4", "user-5"), fake.asked.count(SCORES)) == (most, posts)
        scores = {each.user_id: each for each in await service.rows(LtiScore)}
        assert (scores["user-5"].differs_since, scores["user-6"].differs_since is None) == (None, False)


def granted(*scopes: str) -> dict[str, Any]:
    return {**GRANT, AGS: {**GRANT[AGS], "scope": scopes}}


async def test_column_that_is_gone_is_replaced_and_a_refused_token_is_no_word_about_it(service, fake, course, nightly):
    fake.people = [person("teacher-1", "Instructor"), person("user-5")]
    before = await deliver(service, **granted(SCORE_SCOPE, RESULT_SCOPE, LINEITEM_SCOPE))
    fake.answers["/token"] = lambda: httpx.Response(404, html="<title>Moodle</title>")
    assert (await night(service, nightly)).check_error == "no token: 404 Moodle"
    assert (await idle(service)).version == before.version
    assert not fake.items
    del fake.answers["/token"]
    await service.write(keys.rotate)  # Else the refusal is remembered for a minute.
    fake.book.forget()
    fake.book.deleted.add("/items/4")
    fake.answers["/items/4/results"] = lambda: httpx.Response(404)
    assert (await night(service, nightly)).check_error is None
    await until(lambda: fake.grades)
    assert list(fake.items) == [f"{ISSUER}/items/1"]


async def test_grade_that_somebody_changes_there_is_sent_again_once_and_listed_until_there_is_a_new_one_here(
    service, student, fake, score, nightly
):
    for points in (55, 55, 100, 55):  # It agrees for one night.
        fake.grades["user-5"] |= {"scoreGiven": points}
        await night(service, nightly)
        assert ((await idle(service)).differs_since is None) == (points == 100)
    assert fake.asked.count(SCORES) == 2
    shown = await connection_page(service)
    assert "1 differs" in shown
    assert "has arrived" not in shown
    page = await student.land(**GRANT)
    assert "shows another grade than this one" in (await student.get(page)).text
    assert 'id="differences"' in shown
    assert ">55<" in shown
    await service.store(LtiScore, points=10.0)
    await student.hand_in(page)
    await until(lambda: fake.grades["user-5"]["scoreGiven"] == 100)
    assert (await idle(service)).differs_since is None


async def test_members_who_left_lose_their_rights_and_new_ones_come(service, fake, score, nightly):
    fake.people = [person("teacher-1", "Instructor"), *(person(f"new-{number}") for number in range(4))]
    context = await night(service, nightly)
    assert context.check_error is None
    members = {member.id: member for member in await service.rows(Membership)}
    assert members[score.membership_id].removed_at is not None
    assert sum(member.removed_at is None for member in members.values()) == 5
    assert fake.asked.count("/members") == 3
    assert fake.grades["user-5"]["scoreGiven"] == 100


async def test_grade_of_somebody_who_left_is_the_platforms_own(service, fake, score, nightly):
    await service.store(LtiContext, memberships_url=None)
    await service.store(Membership, removed_at=datetime.now(UTC))
    fake.grades["user-5"] |= {"scoreGiven": 55}
    await night(service, nightly)
    (compared,) = await service.rows(LtiScore)
    assert compared.differs_since is None


async def test_list_that_cannot_be_read_keeps_no_other_from_being_read_and_is_said(service, fake, score, nightly):
    def refuse() -> httpx.Response:
        return httpx.Response(403, json={"message": "not for you"})

    fake.answers["/members"] = refuse
    fake.book.forget()
    context = await night(service, nightly)
    assert (context.check_error, context.checked_at) == ("403 not for you", None)
    await until(lambda: fake.grades)
    assert "So far it has failed: <bdi>403 not for you" in await connection_page(service)
    del fake.answers["/members"]
    assert (await night(service, nightly)).check_error is None
    fake.answers["/members"] = refuse
    await night(service, nightly)
    shown = await connection_page(service)
    assert shown.index("Last done") < shown.index("Since then it has failed: <bdi>403 not for you")


async def test_failure_is_noted_alone(service, fake, score, nightly):
    """Other answers of a wrong form stand in test_services."""
    answers = [
        httpx.Response(200, text='[{"userId": "user-5", "resultScore": NaN}]'),
        httpx.Response(200, json=[], headers={"Link": "<http://[x>; rel=next"}),
        httpx.Response(404),
    ]
    for answer in answers:
        fake.answers["/items/4/results"] = lambda answer=answer: answer
        context = await night(service, nightly)
        assert context.check_error, answer
        assert context.next_at is not None, answer
        assert context.next_at <= next_night(datetime.now(UTC), "UTC", context.id), answer
        assert (await idle(service)).differs_since is None, answer
    await service.store(LtiLink, lineitem_url="https://[x")
    assert (await night(service, nightly)).check_error == "the address is refused: 'https://[x' is no address"


async def test_endless_lists_are_given_up(service, fake, score, nightly, monkeypatch):
    monkeypatch.setattr("app.lti.pages.MOST_ENTRIES", 3)
    monkeypatch.setattr(memberships, "READ_SECONDS", 0.05)
    more = {"Link": '</items/4/results?again>; rel="next"'}
    listed = iter([{"userId": f"user-{number}"}] for number in range(1000))
    fake.answers["/items/4/results"] = lambda: httpx.Response(200, json=next(listed), headers=more)
    fake.answers["/members"] = asyncio.Event().wait
    context = await night(service, nightly)
    assert context.check_error == (
        "the list of members did not come within 0.05 seconds; the list has more than 3 results"
    )
    assert fake.asked.count("/items/4/results") == 4


async def test_fault_of_ours_in_one_course_ends_neither_its_other_steps_nor_the_job(
    service, fake, score, nightly, monkeypatch, caplog
):
    """A value that the database does not take is no outage, which would end the look at every course."""

    async def refuses(*_: object) -> None:
        raise DataError("insert", {}, Exception("value too long"))

    async def breaks(*_: object) -> None:
        raise LookupError("a mistake of ours")

    monkeypatch.setattr(nightly, "_read_members", refuses)
    monkeypatch.setattr(expected, "send_changed", breaks)
    context = await night(service, nightly)
    assert (context.check_error, context.checked_at) == ("DataError; LookupError", None)
    assert fake.asked.count("/items/4/results") == 1
    assert caplog.messages.count("lti_nightly_failed") == 2
    async with nightly:
        await until(lambda: caplog.messages.count("lti_nightly_failed") == 3)
        assert not nightly._task.done()


@pytest.mark.parametrize(("hour", "is_soon"), [(0, False), (1, True), (3, True), (6, True), (7, False), (15, False)])
def test_failure_that_may_pass_is_tried_in_an_hour_until_the_morning(hour, is_soon):
    now = datetime(2026, 5, 4, hour, 59, 59, tzinfo=UTC)
    night = next_night(now, "UTC", "course")
    assert next_look(now, "UTC", "course", soon=False) == night
    assert next_look(now, "UTC", "course", soon=True) == (min(now + AGAIN, night) if is_soon else night)
    assert LAST_HOUR > FIRST_HOUR + HOURS


@pytest.mark.parametrize(
    ("link", "address"),
    [
        ("</members?from=2>; rel=next", f"{ISSUER}/members?from=2"),
        (f"<{ISSUER}:443/members?from=2>; rel=next", f"{ISSUER}:443/members?from=2"),
        (f"<{ISSUER}/members?from=0>; rel=prev", None),
        ("", None),
    ],
)
def test_next_page_is_of_the_same_site(link, address):
    assert next_page(Answer(200, httpx.Headers({"Link": link}), b""), f"{ISSUER}/members") == address


@pytest.mark.parametrize(
    "address",
    ["http://[x", f"{ISSUER.replace('https', 'http')}/x", f"{ISSUER}:444/x", "https://lms.example.org/x", "//other/x"],
)
def test_next_page_elsewhere_is_refused(address):
    answer = Answer(200, httpx.Headers({"Link": f"<{address}>; rel=next"}), b"")
    with pytest.raises(AnswerUnusable):
        next_page(answer, f"{ISSUER}/members")


async def test_messages_kept_for_a_while_are_deleted_though_nobody_comes(service, platform, course):
    """A question holds the whole message of a launch, with name and address."""
    tables = LtiLogin, LtiQuestion, LtiSelection, LtiCode, LtiInvitation
    (context,), (member,) = await service.rows(LtiContext), await service.rows(Membership)
    now = datetime.now(UTC)
    async with service.services.database.write() as session:
        for name, ends in (("old", now - timedelta(days=91)), ("new", now + timedelta(minutes=5))):
            began = {"nonce_sha256": "n", "browser_sha256": "b", "platform_id": platform.id, "asked": ""}
            session.add(LtiLogin(state_sha256=name, expires_at=ends, **began))
            session.add(LtiQuestion(sha256=name, platform_id=platform.id, message={}, expires_at=ends))
            chosen = {"lti_context_id": context.id, "membership_id": member.id, "takes_lineitem": True}
            session.add(LtiSelection(id=name, return_url=ISSUER, expires_at=ends, **chosen))
            session.add(LtiCode(sha256=name, course_id=context.course_id, made_by="test", expires_at=ends))
            # An admin still reads for a while that an invitation has ended.
            expired = min(ends, now - timedelta(days=1))
            session.add(LtiInvitation(sha256=name, made_by="test", expires_at=expired))

    await delete_ended(service.services.database)
    assert [len(await service.rows(table)) for table in tables] == [1] * len(tables)


async def test_course_that_waited_longest_is_compared_first(service, course, nightly, monkeypatch):
    (context,), now = await service.rows(LtiContext), datetime.now(UTC)
    await service.store(LtiContext, next_at=now - timedelta(minutes=2))
    place = {
        "platform_id": context.platform_id,
        "deployment_id": "1",
        "course_id": context.course_id,
        "made_by": "test",
    }
    for name, minutes in (("last", 1), ("first", 3)):
        await service.add(
            LtiContext(id=f"{name:26}", context_id=name, next_at=now - timedelta(minutes=minutes), **place)
        )
    compared: list[str] = []

    async def check(claim: Any, refusals: list[Exception]) -> None:
        compared.append(claim.context.context_id)

    monkeypatch.setattr(nightly, "_check", check)
    while await nightly.check_next():
        pass
    assert compared == ["first", context.context_id, "last"]


async def test_process_that_died_leaves_the_course_to_others(service, score, nightly, monkeypatch):
    async def dies(*_: object) -> list[Any]:
        raise OperationalError("update", {}, Exception("killed"))

    with monkeypatch.context() as patch:
        patch.setattr(nightly, "_check", dies)
        with pytest.raises(OperationalError):
            await night(service, nightly)
    assert not await nightly.check_next()
    (context,) = await service.rows(LtiContext)
    assert context.next_at > datetime.now(UTC)
    await night(service, nightly)


@pytest.mark.parametrize("zone", ["Europe/Moscow", "America/New_York", "UTC", "Asia/Kathmandu"])
@pytest.mark.parametrize("now", [datetime(2026, 3, 8, 6, 30, tzinfo=UTC), datetime(2026, 11, 1, 5, 30, tzinfo=UTC)])
def test_night_is_the_next_one_of_the_course(zone, now):
    nights = {next_night(now, zone, f"course {number}") for number in range(200)}
    assert len(nights) > 50
    for each in nights:
        assert now < each <= now + timedelta(hours=25)
        assert FIRST_HOUR <= each.astimezone(ZoneInfo(zone)).hour <= FIRST_HOUR + HOURS
