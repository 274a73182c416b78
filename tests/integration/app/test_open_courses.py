"""Nobody archives a course while an action changes something in it."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from app.actions import hand_in, regrades
from app.actions.actor import Actor
from app.actions.regrades import BeginRegrade
from app.queue.backlog import Backlog
from app.queue.inbox import Inbox
from app.storage.database import Database
from app.storage.models import Course
from app.submissions.uploads import Upload
from grader import Status, load_assignments
from tests.integration.app.kinds import on_postgresql
from tests.integration.app.rows import REPORT, add, finish, next_claim
from tests.integration.app.test_inbox import Jobs

Act = Callable[[Actor, str, str], Awaitable[object]]


class Watched(Database):
    """A database that looks before each commit whether a course can be archived."""

    open_courses: list[bool]

    @contextlib.asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncSession]:
        async with super().write() as session:
            yield session
            async with super().write() as other:
                try:
                    await other.execute(select(Course.id).with_for_update(nowait=True, key_share=True))
                    self.open_courses.append(False)
                except DBAPIError:
                    await other.rollback()
                    self.open_courses.append(True)


async def drop(actor: Actor, failed: str, _: str) -> None:
    preview = await regrades.begin_regrade(actor, BeginRegrade(submissions=[failed], preview=True))
    await regrades.drop_preview(actor, preview.regrade.id)


async def upload(actor: Actor, *_: str) -> None:
    assignments = load_assignments(None)
    backlog = Backlog(actor.database, 3600)
    inbox = Inbox(actor.database, assignments, Jobs(), backlog, uploads_per_minute=5, upload_bytes=10**7)
    await inbox.accept(Upload("sidorov", "lstm-layer", "LSTM.py", b"x = 1"), actor.holder)


@on_postgresql
@pytest.mark.parametrize(
    "act",
    [
        lambda actor, failed, _: regrades.begin_regrade(actor, BeginRegrade(submissions=[failed])),
        lambda actor, failed, _: regrades.regrade_attempt(actor, failed),
        lambda actor, failed, _: regrades.regrade_failed(actor),
        drop,
        lambda actor, _, waiting: hand_in.cancel_submission(actor, waiting),
        upload,
    ],
    ids=["regrade of an admin", "regrade of an attempt", "regrade of our failures", "preview", "cancelling", "upload"],
)
async def test_course_stays_open_until_the_change_is_stored(database, url, owner, act):
    failed, waiting = [await add(database, student) for student in ("ivanov", "petrov")]
    report = REPORT.model_copy(update={"status": Status.INTERNAL_ERROR, "points": None})
    assert await finish(database, await next_claim(database), report)
    watched = Watched(url)
    watched.open_courses = []
    try:
        await act(Actor(owner, watched, {}), failed.id, waiting.id)
    finally:
        await watched.close()
    assert watched.open_courses
    assert all(watched.open_courses)
