"""Grades in the grade books of Moodle and Canvas, by their rules, in a column that one process finds or makes."""

import asyncio
from collections.abc import AsyncIterator, Callable

import httpx
import pytest
from sqlalchemy import select

from app.errors import AnswerUnusable
from app.errors.lti import PlatformRefused
from app.lti import pages
from app.lti.arguments import TAG
from app.lti.grades import lineitems, sender
from app.lti.grades.connection import Numbers, connections_of
from app.lti.grades.scores import CANVAS_SUBMISSION
from app.lti.platform_services import LINEITEM_SCOPE, RESULT_SCOPE, SCORE_SCOPE, PlatformServices
from app.outgoing.client import Outgoing
from app.storage import passback
from app.storage.database import Database
from app.storage.due import database_now
from app.storage.models import HoldDecision, LtiLink, LtiPlatform, LtiScore, MemberRole, Submission
from app.teaching import holds
from grader import Status
from grader.report.model import HELD, Advisory
from tests.integration.app.grade_world import World
from tests.integration.app.kinds import on_both
from tests.integration.app.rows import read_by, row_of, store, write_by
from tests.platforms import ISSUER, FakePlatform
from tests.platforms.gradebooks import BY_HAND, CanvasGradeBook, Column, GradeBook, MoodleGradeBook
from tests.waiting import until

PATH = "/items/4"
BOOKS = {"moodle": MoodleGradeBook, "moodle activity": MoodleGradeBook, "canvas": CanvasGradeBook}


@pytest.fixture(params=BOOKS)
async def book(world: World, request: pytest.FixtureRequest) -> GradeBook:
    """The grade book that the link's column is in: an item of the tool's own in Moodle, one of an activity, Canvas'."""
    return await _in_book(world, BOOKS[request.param], is_of_activity=request.param == "moodle activity")


async def _in_book(world: World, kind: type[GradeBook], *, is_of_activity: bool = False) -> GradeBook:
    book = world.fake.book = kind(ISSUER)
    book.clock = world.there
    column = book.column(PATH)
    column.is_of_activity = is_of_activity
    column.item["scoreMaximum"] = 100
    if kind is CanvasGradeBook:
        await store(world.database, LtiPlatform, issuer="https://canvas.instructure.com")
    return book


async def test_grade_is_never_blanked_by_what_happens_to_attempts(world, book):
    """Each of these would be pending, or without a grade, in a sender that tells what becomes of an attempt."""
    held = {"advisories": [Advisory(code=HELD)]}
    await world.attempt(points=50)
    await world.send()
    await world.attempt(points=90, **held)
    await world.send()
    await world.attempt(points=None, status=Status.INTERNAL_ERROR, score=None)
    await world.send()
    await world.attempt(points=10)
    await world.send()
    async with world.database.write() as session:
        member = (await world.place(session)).member
        member.role = MemberRole.TEACHER
        await passback.members_changed(session, [member.id])
    await world.send()
    assert book.shown(PATH, "s1") == 50
    assert {(each["gradingProgress"], "scoreGiven" in each) for each in world.scores} == {("FullyGraded", True)}


async def test_grade_that_was_rejected_is_cleared_and_comes_back(world, book):
    held = await world.attempt(points=50, advisories=[Advisory(code=HELD)])
    await world.send()
    assert world.posts == 0
    for decision, points in ((HoldDecision.ACCEPTED, 50), (HoldDecision.REJECTED, None)):
        async with world.database.write() as session:
            submission = await session.get_one(Submission, held.id)
            await holds.decide(session, submission, decision=decision, reason="seen", decided_by="t")
        await world.send()
        assert book.shown(PATH, "s1") == points
    await world.attempt(points=80)
    await world.send()
    assert book.shown(PATH, "s1") == 80


async def test_grade_is_the_same_in_a_column_with_another_scale_of_a_teacher(world, book):
    await world.attempt(points=50)
    await world.send()
    assert book.shown(PATH, "s1") == 50
    book.column(PATH).item["scoreMaximum"] = 10
    await world.attempt(points=85)
    await world.send()
    assert book.shown(PATH, "s1") == 8.5
    assert book.results(PATH)[0]["resultScore"] / book.results(PATH)[0]["resultMaximum"] == 0.85


@pytest.mark.parametrize("ahead", [-3600.0, 3600.0])
async def test_grades_follow_one_another_by_a_wrong_clock_there(world, book, ahead):
    """Moodle dates the grades of an activity by its own clock."""
    world.ahead = ahead
    for points in (50, 60, 70):
        await world.attempt(points=points)
        await world.send(2)
        assert book.shown(PATH, "s1") == points
    assert (world.posts, (await world.score()).last_status) == (3, None)


async def test_grade_that_moodle_takes_and_does_not_show_is_marked_at_once(world):
    """A teacher there has overridden the earlier one. Where Moodle does not answer, the night asks."""
    book = await _in_book(world, MoodleGradeBook, is_of_activity=True)
    world.fake.token_path = "/mod/lti/token.php"
    await store(world.database, LtiPlatform, token_url=f"{ISSUER}{world.fake.token_path}")
    await store(world.database, LtiLink, scopes={"granted": [SCORE_SCOPE, RESULT_SCOPE]})
    for others in range(3):
        await world.attempt(f"other-{others}", points=10)
    await world.attempt(points=50)
    await world.send()
    assert (await world.score()).differs_since is None
    book.grade_by_hand(PATH, "s1", 70)
    await world.attempt(points=90)
    await world.send(2)
    marked = await world.score()
    assert (marked.points, marked.there_points, marked.differs_since) == (90, 70, marked.delivered_at)
    assert marked.mended_at is not None
    assert await _numbers_after_another_try(world, marked) == Numbers(people=4, delivered=3, differ=1)
    world.fake.answers[f"{PATH}/scores"] = lambda: httpx.Response(400, json={"reason": "User cannot be graded"})
    assert await _numbers_after_another_try(world, marked) == Numbers(people=4, delivered=3, failed=1)
    del world.fake.answers[f"{PATH}/scores"]
    book.column(PATH).grades["s1"][BY_HAND] = False
    assert await _numbers_after_another_try(world, marked) == Numbers(people=4, delivered=4)
    world.fake.answers[f"{PATH}/results"] = lambda: httpx.Response(500)
    await world.attempt(points=95)
    await world.send(2)
    arrived = await world.score()
    assert (book.shown(PATH, "s1"), arrived.points, arrived.differs_since, arrived.last_error) == (95, 95, None, None)


async def _numbers_after_another_try(world: World, score: LtiScore) -> Numbers:
    await write_by(world.database, passback.send_again, score.lti_link_id, score.id)
    await world.send(2)
    async with world.database.read() as session:
        course_id = (await world.use(session)).course_id
        [connection] = await connections_of(session, course_id)
    return connection.links[0].numbers


async def test_canvas_that_allows_no_more_attempts_gets_the_grade(world):
    canvas = await _in_book(world, CanvasGradeBook)
    canvas.column(PATH).attempts_allowed = 1
    for points in (50, 90):
        await world.attempt(points=points)
        await world.send()
        assert canvas.shown(PATH, "s1") == points
    assert canvas.grades["s1"]["attempts"] == 1
    assert [each[CANVAS_SUBMISSION]["new_submission"] for each in world.scores] == [True, True, False]
    assert (await world.score()).failed_at is None


@pytest.mark.parametrize("by_link", [True, False], ids=["of the link", "of the resource"])
async def test_first_of_two_columns_is_used_whatever_order_they_come_in_later(world, by_link):
    await world.attempt("s1", points=50)
    book = world.fake.book
    ids = (
        {"resourceLinkId": "9"}
        if by_link
        else {"resourceId": (await read_by(world.database, world.use)).id, "tag": TAG}
    )
    first, second = (book.add({"label": "LSTM", "scoreMaximum": 100, **ids}) for _ in range(2))
    if not by_link:
        book.listed = lambda wanted: list(book.items.values())  # type: ignore[method-assign]
    await _let_make_column(world, SCORE_SCOPE, LINEITEM_SCOPE)
    await world.send()
    book.items = dict(reversed(book.items.items()))
    await world.attempt("s2", points=70)
    await world.attempt("s1", points=90)
    await world.send()
    assert _points(first) == {"s1": 90, "s2": 70}
    assert (_points(second), len(book.items)) == ({}, 2)


async def _let_make_column(world: World, *scopes: str) -> None:
    unknown = {"lineitem_url": None, "lineitems_url": f"{ISSUER}/items"}
    await store(world.database, LtiLink, **unknown, scopes={"granted": list(scopes)})


def _points(column: Column) -> dict[str, float]:
    return {user: grade["scoreGiven"] for user, grade in column.grades.items()}


Found = Callable[[], "asyncio.Task[str | None]"]


class SlowPlatform(FakePlatform):
    """Shows its line items only when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.released = asyncio.Event()

    def transport(self) -> httpx.MockTransport:
        return httpx.MockTransport(self._slowly)

    async def _slowly(self, request: httpx.Request) -> httpx.Response:
        answer = self.answer(request)
        if request.url.path == "/items" and request.method == "GET":
            await self.released.wait()
        return answer


@pytest.fixture
async def fake() -> SlowPlatform:
    return SlowPlatform()


@pytest.fixture
async def link(world: World) -> LtiLink:
    """A link without a column, whose platform lets us make one."""
    await _let_make_column(world, LINEITEM_SCOPE)
    return await row_of(world.database, LtiLink, world.link.id)


@pytest.fixture
async def find(database: Database, link: LtiLink, fake: SlowPlatform) -> AsyncIterator[Found]:
    """Each call is a process of its own that needs the column."""
    async with Outgoing(private=False, transport=fake.transport()) as client, database.read() as session:
        platform = (await session.scalars(select(LtiPlatform))).one()

        def begin() -> asyncio.Task[str | None]:
            services = PlatformServices(database, client)
            return asyncio.create_task(
                lineitems.of_link(
                    database, services, platform, link, label="LSTM by hand. " * 15, max_points=9.5, resource="u1"
                )
            )

        yield begin


@on_both
async def test_two_processes_make_one_line_item(find, fake):
    first = find()
    await until(lambda: "/items" in fake.asked)
    assert await find() is None
    fake.released.set()
    address = await first
    assert address == f"{ISSUER}/items/1"
    assert fake.items[address]["scoreMaximum"] == 10
    assert await find() == address
    assert len(fake.items) == 1


@on_both
async def test_turn_of_a_dead_process_ends(database, link, find, fake):
    fake.released.set()
    now = await read_by(database, database_now)
    await store(database, LtiLink, LtiLink.id == link.id, lineitem_at=now)
    assert await find() is None
    await store(database, LtiLink, LtiLink.id == link.id, lineitem_at=now - lineitems.TURN)
    assert await find() == f"{ISSUER}/items/1"


async def test_refusal_and_interruption_end_the_turn_at_once(find, fake):
    interrupted = find()
    await until(lambda: "/items" in fake.asked)
    interrupted.cancel()
    await asyncio.gather(interrupted, return_exceptions=True)
    fake.released.set()
    fake.answers["/items"] = lambda: httpx.Response(403)
    with pytest.raises(PlatformRefused):
        await find()
    del fake.answers["/items"]
    assert await find() == f"{ISSUER}/items/1"


def test_try_ends_before_its_lease_and_its_turn():
    assert sender.TRY_SECONDS < lineitems.TURN.total_seconds() <= sender.LEASE.total_seconds()


async def test_endless_list_makes_no_line_item(find, fake):
    fake.released.set()
    more = {"Link": f'<{ISSUER}/items?page=2>; rel="next"'}
    fake.answers["/items"] = lambda: httpx.Response(200, json=[], headers=more)
    with pytest.raises(AnswerUnusable) as caught:
        await find()
    assert "pages" in caught.value.params["reason"]
    assert fake.asked.count("/items") == pages.MOST_PAGES
