"""Grades on their way to a platform: which grade goes, when, and what an interruption does."""

import asyncio
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from app.courses import extensions, uses
from app.lti.grades import expected, outbox, sender
from app.lti.grades.scores import CANVAS_SUBMISSION
from app.privacy import retention
from app.storage import passback
from app.storage.cascade import delete_rows
from app.storage.models import (
    DEFAULT_COURSE,
    Adjustment,
    CourseAssignment,
    LtiLink,
    LtiPlatform,
    LtiScore,
    Person,
    Submission,
)
from app.teaching import adjustments, previews
from tests.integration.app import rows
from tests.integration.app.grade_world import ASSIGNMENTS, NOW, World
from tests.integration.app.kinds import on_both, on_both_thoroughly
from tests.integration.app.rows import add_rows, store, write_by
from tests.platforms import ISSUER
from tests.tiers import sampled


async def adjust(world: World, points: float) -> Adjustment:
    async with world.database.write() as session:
        place, grade = await world.place(session), {"value": points, "reason": "oral exam", "made_by": "t"}
        return await adjustments.adjust(session, ASSIGNMENTS, place, **grade)


async def withdraw(world: World, adjustment: Adjustment) -> None:
    async with world.database.write() as session:
        await adjustments.withdraw(session, await world.place(session), adjustment.id, made_by="t")


async def expect_without_an_attempt(world: World) -> str:
    """Let the platform wait for the grade of a member whose attempts are gone; return the member's id."""
    submission = await rows.add(world.database, "s1")
    await world.expect(submission.membership_id, "s1")
    await write_by(world.database, delete_rows, Submission, Submission.id == submission.id)
    return submission.membership_id


@on_both_thoroughly
async def test_platform_that_is_down_for_an_hour_gets_all_grades(world):
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
    await world.send(15 * 60)
    assert [world.given(f"s{number}") for number in range(3)] == [100, 100, 100]
    assert world.posts == 3 * 8
    assert ((await world.score("s0")).next_at, (await world.score("s0")).last_error) == (None, None)


async def test_grade_that_changes_while_it_waits_keeps_the_reason_until_it_has_arrived(world):
    submission = await world.attempt()
    world.fake.answers["/items/4/scores"] = lambda: httpx.Response(503, json={"message": "down for repairs"})
    await world.send()
    for _ in range(2):
        await write_by(world.database, passback.members_changed, [submission.membership_id])
        score = await world.score()
        assert (score.last_status, score.last_error) == (503, "down for repairs")
    world.fake.answers.clear()
    await world.send(60)
    score = await world.score()
    assert (world.given(), score.last_status, score.last_error) == (100, None, None)


@pytest.mark.parametrize(("address", "posts"), [("/items/4/scores", 1), ("/token", 0)])
async def test_platform_that_asks_for_a_pause_gets_it(world, address, posts):
    await world.attempt()
    world.fake.answers[address] = lambda: httpx.Response(429, headers={"Retry-After": "600"})
    await world.send()
    world.fake.answers.clear()
    await world.send(599)
    assert (world.posts, world.given()) == (posts, None)
    await world.send(1)
    assert world.given() == 100


@pytest.mark.parametrize("status", sampled([400, 500], every=2))
async def test_platform_that_gives_no_token_for_a_day_gets_the_grade(world, status):
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
async def test_grade_that_no_token_came_for_in_a_week_is_given_up_and_not_taken_for_a_deleted_column(world):
    await world.attempt()
    world.fake.answers["/token"] = lambda: httpx.Response(404)
    await store(world.database, LtiScore, attempts=sender.MOST_TRIES - 1)
    await world.send()
    score = await world.score()
    assert (score.failed_at is not None, score.last_status, score.token_refused) == (True, 404, True)
    del world.fake.answers["/token"]
    await write_by(world.database, passback.key_changed)
    await world.send(0)
    assert world.given() == 100


@pytest.mark.parametrize("ahead", [-3600.0, 0.0, 90.0])
async def test_grade_arrives_with_a_stamp_of_the_platforms_clock_whatever_ours_says(world, ahead):
    world.ahead = ahead
    await world.attempt()
    await world.send()
    stamp = datetime.fromisoformat(world.fake.grades["s1"]["timestamp"])
    assert stamp.timestamp() == world.there()
    # The attempts of this world are of a later year.
    assert datetime.fromisoformat(world.fake.grades["s1"]["submission"]["submittedAt"]) == stamp


async def test_grade_that_the_platform_has_stamped_itself_is_passed_by_a_clock_behind_its_own(world):
    """Somebody grades by hand there, and Moodle stamps that by its own clock."""
    world.ahead = 3600.0
    await world.attempt()
    stamp = datetime.fromtimestamp(world.there(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    there = {"userId": "s1", "timestamp": stamp, "scoreGiven": 7, "scoreMaximum": 100}
    world.fake.book.column("/items/4").grades["s1"] = there
    await world.send()
    assert (world.given(), world.posts) == (100, 1)


@on_both
async def test_two_grades_of_one_second_have_two_stamps(world):
    await world.attempt(points=10)
    await world.send()
    await world.attempt(points=20)
    await world.send(0)
    assert world.given() == 10
    await world.send(1)
    stamps = [each["timestamp"] for each in world.scores]
    assert (world.given(), stamps) == (20, sorted(set(stamps)))


@on_both_thoroughly
async def test_newer_stamp_there_is_passed_by_a_later_one(world):
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


@on_both
async def test_process_that_ends_after_posting_neither_loses_nor_doubles(world):
    await world.attempt()
    await store(world.database, Submission, created_at=NOW)

    def take_and_end() -> None:
        world.fake.book.take("/items/4", world.scores[-1])
        raise asyncio.CancelledError  # Nothing of what follows a post is done, as after a kill.

    world.fake.answers["/items/4/scores"] = take_and_end
    with pytest.raises(asyncio.CancelledError):
        await world.send()
    world.fake.answers.clear()
    await world.send(sender.LEASE.total_seconds() - 1)
    assert world.posts == 1  # The process may still be alive.
    await world.send(1)
    first, second = world.scores
    assert (world.given(), first["scoreGiven"]) == (100, 100)
    assert first["timestamp"] < second["timestamp"]
    assert {**first, "timestamp": ""} == {**second, "timestamp": ""}
    await world.send(3600)
    assert world.posts == 2


async def test_score_that_another_process_has_delivered_is_not_put_off(world):
    await world.attempt()
    (due,) = await write_by(world.database, outbox.claim_due, sender.LEASE, {}, 1)
    await world.send(sender.LEASE.total_seconds())
    await write_by(world.database, outbox.put_off, due, timedelta(seconds=2))
    score = await world.score()
    assert (score.attempts, score.next_at) == (0, None)


@on_both_thoroughly
async def test_adjustment_without_an_attempt_is_cleared_when_it_ends(world):
    await expect_without_an_attempt(world)
    adjustment = await adjust(world, 80)
    await world.send()
    assert world.given() == 80
    assert "oral exam" in world.scores[-1]["comment"]
    await withdraw(world, adjustment)
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


async def test_grade_that_arrived_without_an_answer_is_cleared_when_it_ends(world):
    member_id = await expect_without_an_attempt(world)
    for points in (80, 90):  # The second one comes after a grade that was cleared.
        world.lose_answers()
        adjustment = await adjust(world, points)
        await world.send()
        assert (world.given(), (await world.score()).points) == (points, None)
        world.fake.answers.clear()
        await withdraw(world, adjustment)
        await world.send(60)
        assert (world.given(), (await world.score()).next_at) == (None, None)
    # A grade that somebody writes there afterwards stays.
    posts = world.posts
    await write_by(world.database, passback.members_changed, [member_id])
    await world.send()
    assert world.posts == posts


@on_both
async def test_lateness_an_extension_and_another_scale_arrive(world):
    submission = await world.attempt()
    await world.send()
    late = submission.created_at - timedelta(hours=30)
    rules = {"due": late.isoformat(), "late_percent_per_day": 10}
    await write_by(world.database, uses.change, DEFAULT_COURSE, "lstm-layer", ASSIGNMENTS, {"rules": rules}, "t")
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
    given = {"grade_book_points": 5.0}
    await write_by(world.database, uses.change, DEFAULT_COURSE, "lstm-layer", ASSIGNMENTS, given, "t")
    await world.send()
    assert (world.given(), world.fake.grades["s1"]["scoreMaximum"]) == (5, 5)


async def test_regrade_arrives_and_a_preview_when_it_is_applied(world):
    submission = await world.attempt(points=50)
    await world.send()
    for is_preview, points, before in ((False, 70, 70), (True, 80, 70)):
        regrade = await rows.begin_regrade(world.database, submission.id, preview=is_preview)
        await world.finish(await rows.claim(world.database), points)
        await world.send()
        assert world.given() == before
    await write_by(world.database, previews.apply, regrade.id)
    await world.send()
    assert world.given() == 80


async def test_removed_member_keeps_what_is_there(world):
    await world.attempt(points=90)
    await world.send()
    async with world.database.write() as session:
        member = (await world.place(session)).member
        member.removed_at = world.now()
        await passback.members_changed(session, [member.id])
    await world.send()
    assert (world.given(), world.posts) == (90, 1)


@on_both_thoroughly
async def test_attempts_that_are_deleted_for_their_age_lower_nothing(world):
    await world.attempt(points=90)
    await store(world.database, Submission, created_at=NOW - timedelta(days=4000))
    submission = await world.attempt(points=20)
    await world.send()
    assert world.given() == 90
    assert await retention.delete_older(world.database, 1000) == 1
    await write_by(world.database, passback.grades_changed, submission.course_assignment_id)
    await world.send()
    assert world.given() == 90
    assert await expected.send_changed(world.database, ASSIGNMENTS) == 0
    adjustment = await adjust(world, 30)
    await world.send()
    assert world.given() == 30
    await withdraw(world, adjustment)
    await world.send()
    assert world.given() == 90


async def test_grade_that_arrived_without_an_answer_outlives_its_attempts(world):
    world.lose_answers()
    submission = await world.attempt(points=90)
    await world.send()
    assert (world.given(), (await world.score()).points) == (90, None)
    world.fake.answers.clear()
    await store(world.database, Submission, created_at=NOW - timedelta(days=4000))
    assert await retention.delete_older(world.database, 1000) == 1
    await write_by(world.database, passback.members_changed, [submission.membership_id])
    await world.send(60)
    assert world.given() == 90


@on_both_thoroughly
@pytest.mark.parametrize("issuer", ["https://canvas.instructure.com", ISSUER])
async def test_canvas_gets_a_new_submission_and_a_comment_for_what_is_new(world, issuer):
    await store(world.database, LtiPlatform, issuer=issuer)
    submission = await world.attempt(points=50)
    await world.send()
    await write_by(world.database, passback.grades_changed, submission.course_assignment_id)
    await world.send()
    await adjust(world, 80)
    await world.send()
    await world.attempt(points=100)
    await world.send()
    await write_by(world.database, passback.column_changed, world.link.id)
    await world.send()
    comments = ["comment" in score for score in world.scores]
    new = [score.get(CANVAS_SUBMISSION, {}).get("new_submission") for score in world.scores]
    if issuer == ISSUER:  # Moodle takes the comment away that is left out.
        assert (comments, new) == ([True] * 5, [None] * 5)
    else:
        assert comments == [True, False, True, True, True]
        assert new == [True, False, False, True, True]


@on_both
async def test_changed_file_of_an_assignment_sends_the_grades_that_it_changes(world):
    for number, points in enumerate((100.0, 40.0)):
        await world.attempt(f"s{number}", points)
    await world.send()
    async with world.database.write() as session:
        other = CourseAssignment(course_id=DEFAULT_COURSE, assignment_id="lstm-notebook")
        session.add(other)
        await session.flush()
        of = {"lti_context_id": world.link.lti_context_id, "course_assignment_id": other.id}
        link = LtiLink(resource_link_id="10", **of)
        session.add(link)
        await session.flush()
        member = (await world.place(session, "s0")).member
        # They have opened it, and handed in nothing.
        session.add(LtiScore(lti_link_id=link.id, membership_id=member.id, user_id="s0"))
    assert await expected.send_changed(world.database, world.assignments) == 0
    layer = world.assignments["lstm-layer"]
    due = datetime.now(UTC) - timedelta(days=2.5)
    dates = layer.deadline.model_copy(update={"due": due, "late_percent_per_day": 10.0})
    world.assignments["lstm-layer"] = layer.model_copy(update={"deadline": dates})
    assert await expected.send_changed(world.database, world.assignments) == 2
    await world.send()
    assert [world.given("s0"), world.given("s1")] == [70, 28]
    assert await expected.send_changed(world.database, world.assignments) == 0


@on_both_thoroughly
async def test_many_grades_reach_a_slow_platform_while_others_write(world):
    """No transaction is open while the platform is waited for, and it is asked a few things at a time."""
    rounds = 3
    for number in range(rounds * sender.SIDE_BY_SIDE):
        await world.attempt(f"s{number}")
    places = asyncio.Barrier(sender.SIDE_BY_SIDE)
    in_flight = []

    async def upload() -> None:
        """Store something while every place at the platform is taken, and waits."""
        if await places.wait() == 0:
            await add_rows(world.database, Person())
            in_flight.append(world.in_flight[0])
        await places.wait()

    world.wait = upload
    await world.send()
    assert len(world.fake.grades) == world.posts == rounds * sender.SIDE_BY_SIDE
    assert world.in_flight[1] == sender.SIDE_BY_SIDE
    assert in_flight == [sender.SIDE_BY_SIDE] * rounds
