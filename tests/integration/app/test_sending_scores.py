"""Grades on their way to a platform: which grade goes, when, and what an interruption does."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from app.courses import extensions, uses
from app.lti.grades import outbox, sender, wanted
from app.lti.grades.scores import CANVAS_SUBMISSION
from app.lti.grades.sender import ScoreSender
from app.lti.platform_services import PlatformServices
from app.outgoing import client as outgoing
from app.outgoing.client import Outgoing
from app.privacy import retention
from app.storage import passback
from app.storage.cascade import delete_rows
from app.storage.database import Database
from app.storage.models import (
    DEFAULT_COURSE,
    Adjustment,
    CourseAssignment,
    HoldDecision,
    JobStatus,
    LtiLink,
    LtiPlatform,
    LtiScore,
    MemberRole,
    Membership,
    Person,
    Submission,
)
from app.teaching import adjustments, holds
from app.teaching.adjustments import Wanted
from grader.report.model import HELD as HELD_CODE
from grader.report.model import Advisory
from tests.integration.app import rows
from tests.integration.app.grade_world import ASSIGNMENTS, NOW, World, drain
from tests.integration.app.kinds import on_both, on_both_thoroughly
from tests.platforms import ISSUER

pytestmark = pytest.mark.anyio

#: Of grades to one platform at once.
NUMBER = 60
HELD = {"advisories": [Advisory(code=HELD_CODE)]}


async def people(session: AsyncSession, number: int) -> list[Person]:
    made = [Person() for _ in range(number)]
    session.add_all(made)
    await session.flush()
    return made


@on_both_thoroughly
async def test_platform_that_is_down_for_an_hour_gets_all_grades(world: World) -> None:
    for number in range(3):
        await world.attempt(f"s{number}")
    world.fake.answers["/items/4/scores"] = lambda: httpx.Response(503)
    tries = []
    for _ in range(60):
        await world.send(60)
        tries.append(world.posts // 3)
    assert world.fake.grades == {}
    assert tries[-1] == 7  # After 10 s, 1 min, 5 min and three times 15 min.
    score = await world.score("s0")
    assert (score.last_status, score.failed_at) == (503, None)
    del world.fake.answers["/items/4/scores"]
    for _ in range(60):
        await world.send(60)
    assert [world.given(f"s{number}") for number in range(3)] == [100, 100, 100]
    assert world.posts == 3 * 8
    assert ((await world.score("s0")).next_at, (await world.score("s0")).last_error) == (None, None)


async def test_grade_that_changes_while_it_waits_keeps_the_reason_until_it_has_arrived(world: World) -> None:
    submission = await world.attempt()
    world.fake.answers["/items/4/scores"] = lambda: httpx.Response(503, json={"message": "down for repairs"})
    await world.send()
    for _ in range(2):
        async with world.database.write() as session:
            await passback.members_changed(session, [submission.membership_id])
        score = await world.score()
        assert (score.last_status, score.last_error) == (503, "down for repairs")
    world.fake.answers.clear()
    await world.send(60)
    score = await world.score()
    assert (world.given(), score.last_status, score.last_error) == (100, None, None)


async def test_platform_that_asks_for_a_pause_gets_it(world: World) -> None:
    await world.attempt()
    world.fake.answers["/items/4/scores"] = lambda: httpx.Response(429, headers={"Retry-After": "600"})
    await world.send()
    world.fake.answers.clear()
    await world.send(599)
    assert (world.posts, world.given()) == (1, None)
    await world.send(1)
    assert world.given() == 100


async def test_token_that_is_refused_for_a_while_keeps_its_pause_too(world: World) -> None:
    await world.attempt()
    world.fake.answers["/token"] = lambda: httpx.Response(429, headers={"Retry-After": "600"})
    await world.send()
    world.fake.answers.clear()
    await world.send(599)
    assert world.given() is None
    await world.send(1)
    assert world.given() == 100


@pytest.mark.parametrize("status", [400, 404, 500])
async def test_platform_that_gives_no_token_for_a_day_gets_the_grade(world: World, status: int) -> None:
    await world.attempt()
    world.fake.answers["/token"] = lambda: httpx.Response(status, json={"error": "no keys"})
    for _ in range(24):
        await world.send(3600)
    score = await world.score()
    assert (score.last_status, score.last_error, score.token_refused) == (status, "no keys", True)
    assert (score.failed_at, world.posts) == (None, 0)
    del world.fake.answers["/token"]
    await world.send(3 * 3600)
    assert world.given() == 100
    assert not (await world.score()).token_refused


@on_both_thoroughly
async def test_grade_that_no_token_came_for_in_a_week_is_given_up_and_not_taken_for_a_deleted_column(
    world: World,
) -> None:
    await world.attempt()
    world.fake.answers["/token"] = lambda: httpx.Response(404)
    async with world.database.write() as session:
        await session.execute(update(LtiScore).values(attempts=sender.MOST_TRIES - 1))
    await world.send()
    score = await world.score()
    assert (score.failed_at is not None, score.last_status, score.token_refused) == (True, 404, True)
    del world.fake.answers["/token"]
    async with world.database.write() as session:
        await passback.key_changed(session)
    await world.send(0)
    assert world.given() == 100


@pytest.mark.parametrize("ahead", [-3600.0, -1.0, 0.0, 90.0])
async def test_grade_arrives_with_a_stamp_of_the_platforms_clock_whatever_ours_says(world: World, ahead: float) -> None:
    world.ahead = ahead
    await world.attempt()
    await world.send()
    stamp = datetime.fromisoformat(world.fake.grades["s1"]["timestamp"])
    assert stamp.timestamp() == world.there()
    # The attempts of this world are of a later year.
    assert datetime.fromisoformat(world.fake.grades["s1"]["submission"]["submittedAt"]) == stamp


async def test_grade_that_the_platform_has_stamped_itself_is_passed_by_a_clock_behind_its_own(world: World) -> None:
    """Somebody grades by hand there, and Moodle stamps that by its own clock."""
    world.ahead = 3600.0
    await world.attempt()
    stamp = datetime.fromtimestamp(world.there(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    there = {"userId": "s1", "timestamp": stamp, "scoreGiven": 7, "scoreMaximum": 100}
    world.fake.book.column("/items/4").grades["s1"] = there
    await world.send()
    assert (world.given(), world.posts) == (100, 1)


@on_both
async def test_two_grades_of_one_second_have_two_stamps(world: World) -> None:
    await world.attempt(points=10)
    await world.send()
    await world.attempt(points=20)
    await world.send(0)
    assert world.given() == 10
    await world.send(1)
    stamps = [each["timestamp"] for each in world.scores]
    assert (world.given(), stamps) == (20, sorted(set(stamps)))


@on_both_thoroughly
async def test_newer_stamp_there_is_passed_by_a_later_one(world: World) -> None:
    await world.attempt()
    later = world.now() + timedelta(seconds=13)
    there = {"timestamp": later.strftime("%Y-%m-%dT%H:%M:%SZ"), "scoreGiven": 7, "scoreMaximum": 100}
    world.fake.book.column("/items/4").grades["s1"] = there
    await world.send()
    assert world.given() == 7
    assert (await world.score()).last_status == 409
    await world.send(2)
    assert world.given() == 7
    await world.send(2)
    assert (world.given(), world.posts) == (100, 3)


def _post_and_die(url: str, clock: datetime, file: Path) -> None:
    """Send what is due, as a process that is killed while the platform takes the score."""

    def kill(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/token":
            return httpx.Response(200, json={"access_token": "token-of-the-platform"})
        file.write_bytes(request.content)
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError("it lives")

    async def now(session: AsyncSession) -> datetime:
        return clock

    async def known(host: str, port: int, *, private: bool) -> list[str]:
        return ["203.0.113.9"]

    async def send() -> None:
        database = Database(url)
        client = Outgoing(private=False, transport=httpx.MockTransport(kill))
        services = PlatformServices(database, client, clock=clock.timestamp)
        await drain(ScoreSender(database, ASSIGNMENTS, services, "https://grader.test"))

    vars(outbox)["database_now"], vars(outgoing)["look_up"] = now, known
    asyncio.run(send())


@on_both_thoroughly
async def test_process_that_is_killed_after_posting_neither_loses_nor_doubles(world: World, tmp_path: Path) -> None:
    await world.attempt()
    async with world.database.write() as session:
        await session.execute(update(Submission).values(created_at=NOW))
    file = tmp_path / "score.json"
    url = world.database.url.render_as_string(hide_password=False)
    process = multiprocessing.get_context("spawn").Process(
        target=_post_and_die, args=(url, world.now() + timedelta(seconds=10), file)
    )
    process.start()
    await asyncio.to_thread(process.join)
    assert process.exitcode == -signal.SIGKILL
    first = json.loads(file.read_bytes())
    world.fake.book.column("/items/4").grades["s1"] = first  # The platform has it, and nobody here knows.
    await world.send(10 + sender.LEASE.total_seconds() - 1)
    assert world.posts == 0  # The process may still be alive.
    await world.send(1)
    (second,) = world.scores
    assert (world.given(), first["scoreGiven"]) == (100, 100)
    assert first["timestamp"] < second["timestamp"]
    assert {**first, "timestamp": ""} == {**second, "timestamp": ""}
    await world.send(3600)
    assert world.posts == 1


@on_both
async def test_process_that_is_killed_before_posting_loses_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.attempt()
    async with world.database.write() as session:
        assert await outbox.claim_due(session, sender.LEASE, {}, 4)
    await world.send(1)
    assert world.posts == 0
    await world.send(sender.LEASE.total_seconds())
    assert world.given() == 100


@on_both_thoroughly
async def test_adjustment_without_an_attempt_is_cleared_when_it_ends(world: World) -> None:
    submission = await rows.add(world.database, world.owner, "s1")
    await world.expect(submission.membership_id, "s1")
    async with world.database.write() as session:
        await delete_rows(session, Submission, Submission.id == submission.id)
        wish = Wanted(delta=None, value=80, reason="oral exam")
        made = await adjustments.adjust(session, ASSIGNMENTS, await world.place(session), wish, made_by="t")
    await world.send()
    assert world.given() == 80
    async with world.database.write() as session:
        await adjustments.withdraw(session, await world.place(session), made.id, made_by="t")
    await world.send()
    last = world.scores[-1]
    assert (last.get("scoreGiven"), last["gradingProgress"], last["activityProgress"]) == (
        None,
        "NotReady",
        "Initialized",
    )
    assert world.given() is None
    score = await world.score()
    assert (score.points, score.next_at) == (None, None)
    await world.send(3600)
    assert world.posts == 2


async def test_grade_that_arrived_without_an_answer_is_cleared_when_it_ends(world: World) -> None:
    submission = await rows.add(world.database, world.owner, "s1")
    await world.expect(submission.membership_id, "s1")
    async with world.database.write() as session:
        await delete_rows(session, Submission, Submission.id == submission.id)

    for points in (80, 90):  # The second one comes after a grade that was cleared.
        world.lose_answers()
        async with world.database.write() as session:
            wish = Wanted(delta=None, value=points, reason="oral exam")
            made = await adjustments.adjust(session, ASSIGNMENTS, await world.place(session), wish, made_by="t")
        await world.send()
        assert (world.given(), (await world.score()).points) == (points, None)
        world.fake.answers.clear()
        async with world.database.write() as session:
            await adjustments.withdraw(session, await world.place(session), made.id, made_by="t")
        await world.send(60)
        assert (world.given(), (await world.score()).next_at) == (None, None)
    # What somebody writes there afterwards stays.
    posts = world.posts
    async with world.database.write() as session:
        await passback.members_changed(session, [submission.membership_id])
    await world.send()
    assert world.posts == posts


@on_both
async def test_lateness_and_an_extension_arrive(world: World) -> None:
    submission = await world.attempt()
    await world.send()
    late = submission.created_at - timedelta(hours=30)
    rules = {"due": late.isoformat(), "late_percent_per_day": 10}
    async with world.database.write() as session:
        await uses.change(session, DEFAULT_COURSE, "lstm-layer", ASSIGNMENTS, {"rules": rules}, "t")
    await world.send()
    assert world.given() == 80
    async with world.database.write() as session:
        place = await world.place(session)
        due = submission.created_at + timedelta(days=1)
        await extensions.put(
            session, place.member, place.use, made_by="t", due=due, closes=None, more_attempts=0, reason="ill"
        )
    await world.send()
    assert world.given() == 100


async def test_grade_book_scale_arrives(world: World) -> None:
    await world.attempt(points=50)
    await world.send()
    async with world.database.write() as session:
        await uses.change(session, DEFAULT_COURSE, "lstm-layer", ASSIGNMENTS, {"grade_book_points": 5.0}, "t")
    await world.send()
    assert (world.given(), world.fake.grades["s1"]["scoreMaximum"]) == (2.5, 5)


async def test_regrade_arrives(world: World) -> None:
    submission = await world.attempt(points=50)
    await world.send()
    async with world.database.write() as session:
        (await session.get_one(Submission, submission.id)).job_status = JobStatus.QUEUED
    await world.finish(await rows.claim(world.database), 70)
    await world.send()
    assert world.given() == 70


async def test_held_attempt_is_not_sent_until_it_is_accepted_and_its_rejection_clears_it(world: World) -> None:
    submission = await world.attempt(points=50, **HELD)
    await world.send()
    assert world.posts == 0
    for decision, points in ((HoldDecision.ACCEPTED, 50), (HoldDecision.REJECTED, None)):
        async with world.database.write() as session:
            found = await session.get_one(Submission, submission.id)
            await holds.decide(session, found, decision=decision, reason="seen", decided_by="t")
        await world.send()
        assert world.given() == points


async def test_teacher_and_removed_member_keep_what_is_there(world: World) -> None:
    await world.attempt(points=90)
    await world.send()
    async with world.database.write() as session:
        member = (await world.place(session)).member
        member.role = MemberRole.TEACHER
        await passback.members_changed(session, [member.id])
    await world.send()
    assert (world.given(), world.posts) == (90, 1)
    async with world.database.write() as session:
        member = (await world.place(session)).member
        member.role, member.removed_at = MemberRole.STUDENT, world.now()
        await passback.members_changed(session, [member.id])
    await world.send()
    assert (world.given(), world.posts) == (90, 1)


@on_both_thoroughly
async def test_attempts_that_are_deleted_for_their_age_lower_nothing(world: World) -> None:
    await world.attempt(points=90)
    async with world.database.write() as session:
        await session.execute(update(Submission).values(created_at=NOW - timedelta(days=4000)))
    await world.attempt(points=20)
    await world.send()
    assert world.given() == 90
    assert await retention.delete_older(world.database, 1000) == 1
    async with world.database.write() as session:
        await passback.grades_changed(session, (await world.use(session)).id)
    await world.send()
    assert world.given() == 90
    assert await wanted.send_changed(world.database, ASSIGNMENTS) == 0
    async with world.database.write() as session:
        wish = Wanted(delta=None, value=30, reason="copied")
        made = await adjustments.adjust(session, ASSIGNMENTS, await world.place(session), wish, made_by="t")
    await world.send()
    assert world.given() == 30
    async with world.database.write() as session:
        await adjustments.withdraw(session, await world.place(session), made.id, made_by="t")
    await world.send()
    assert world.given() == 90


async def test_grade_that_arrived_without_an_answer_outlives_its_attempts(world: World) -> None:
    world.lose_answers()
    submission = await world.attempt(points=90)
    await world.send()
    assert (world.given(), (await world.score()).points) == (90, None)
    world.fake.answers.clear()
    async with world.database.write() as session:
        await session.execute(update(Submission).values(created_at=NOW - timedelta(days=4000)))
    assert await retention.delete_older(world.database, 1000) == 1
    async with world.database.write() as session:
        await passback.members_changed(session, [submission.membership_id])
    await world.send(60)
    assert world.given() == 90


@on_both_thoroughly
@pytest.mark.parametrize("issuer", ["https://canvas.instructure.com", ISSUER])
async def test_canvas_gets_a_new_submission_and_a_comment_for_what_is_new(world: World, issuer: str) -> None:
    async with world.database.write() as session:
        await session.execute(update(LtiPlatform).values(issuer=issuer))
    await world.attempt(points=50)
    await world.send()
    async with world.database.write() as session:
        await passback.grades_changed(session, (await world.use(session)).id)
    await world.send()
    async with world.database.write() as session:
        wish = Wanted(delta=None, value=80, reason="as agreed")
        await adjustments.adjust(session, ASSIGNMENTS, await world.place(session), wish, made_by="t")
    await world.send()
    await world.attempt(points=100)
    await world.send()
    async with world.database.write() as session:
        await passback.column_changed(session, world.link.id)
    await world.send()
    said = ["comment" in score for score in world.scores]
    new = [score.get(CANVAS_SUBMISSION, {}).get("new_submission") for score in world.scores]
    if issuer == ISSUER:  # Moodle takes the comment away that is left out.
        assert (said, new) == ([True] * 5, [None] * 5)
    else:
        assert said == [True, False, True, True, True]
        assert new == [True, False, False, True, True]


@on_both
async def test_changed_file_of_an_assignment_sends_the_grades_that_it_changes(world: World) -> None:
    for number, points in enumerate((100.0, 40.0)):
        await world.attempt(f"s{number}", points)
    await world.send()
    assert await wanted.send_changed(world.database, world.assignments) == 0
    layer = world.assignments["lstm-layer"]
    due = datetime.now(UTC) - timedelta(days=2.5)
    dates = layer.deadline.model_copy(update={"due": due, "late_percent_per_day": 10.0})
    world.assignments["lstm-layer"] = layer.model_copy(update={"deadline": dates})
    assert await wanted.send_changed(world.database, world.assignments) == 2
    await world.send()
    assert [world.given("s0"), world.given("s1")] == [70, 28]
    assert await wanted.send_changed(world.database, world.assignments) == 0


@on_both_thoroughly
async def test_many_grades_reach_a_slow_platform_while_others_write(world: World) -> None:
    """No transaction is open while the platform is waited for, and it is asked a few things at a time."""
    async with world.database.write() as session:
        use = CourseAssignment(course_id=DEFAULT_COURSE, assignment_id="lstm-layer", rules={})
        session.add(use)
        await session.flush()
        members = [
            Membership(course_id=DEFAULT_COURSE, external_id=f"s{number}", role=MemberRole.STUDENT, person_id=person.id)
            for number, person in enumerate(await people(session, NUMBER))
        ]
        session.add_all(members)
        await session.flush()
        for member in members:
            name = str(member.external_id)
            graded = {"value": 50.0, "reason": "oral exam", "made_by": "t"}
            session.add(Adjustment(membership_id=member.id, course_assignment_id=use.id, **graded))
            session.add(
                LtiScore(
                    lti_link_id=world.link.id,
                    membership_id=member.id,
                    user_id=name,
                    version=1,
                    waits_since=world.now(),
                    next_at=world.now(),
                )
            )
        (await session.get_one(LtiLink, world.link.id)).course_assignment_id = use.id
    places = asyncio.Barrier(sender.SIDE_BY_SIDE)
    written = []

    async def upload() -> None:
        """Store something while every place at the platform is taken, and waits."""
        if await places.wait() == 0:
            async with world.database.write() as session:
                await people(session, 1)
            written.append(world.in_flight[0])
        await places.wait()

    world.wait = upload
    await world.send()
    assert len(world.fake.grades) == world.posts == NUMBER
    assert world.in_flight[1] == sender.SIDE_BY_SIDE
    assert written == [sender.SIDE_BY_SIDE] * (NUMBER // sender.SIDE_BY_SIDE)
