"""Workers on a real PostgreSQL notice which of them live."""

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from app.queue import claims
from app.queue.claims import Claim
from app.queue.heartbeat import BEAT_SECONDS, STALLED_SECONDS, Heartbeat
from app.storage.database import Database
from app.storage.models import JobStatus, LiveWorker
from tests.integration.app.kinds import on_postgresql
from tests.integration.app.rows import add, finish, job_status, next_claim, read_by
from tests.waiting import Clock

pytestmark = on_postgresql


@pytest.fixture
def clock() -> Clock:
    return Clock()


async def running(database: Database) -> Claim:
    await add(database)
    return await next_claim(database)


async def beat_for(seconds: float, clock: Clock, *hearts: Heartbeat) -> None:
    until = clock.now + seconds
    while clock.now < until:
        for heart in hearts:
            await heart.beat()
        clock.now += BEAT_SECONDS


async def test_claim_that_nobody_holds_is_queued_again(database, clock):
    """Its worker has died; or this very worker took it and the answer was lost."""
    lost = await running(database)
    heart = Heartbeat(database, list, clock)
    await beat_for(STALLED_SECONDS, clock, heart)
    assert await job_status(database, lost.submission_id) == (JobStatus.RUNNING, 1)
    await beat_for(BEAT_SECONDS, clock, heart)
    assert await job_status(database, lost.submission_id) == (JobStatus.QUEUED, 1)
    again = await next_claim(database)
    # The worker that was taken for dead goes on, and changes nothing for the one that has it now.
    await beat_for(BEAT_SECONDS, clock, Heartbeat(database, lambda: [lost.id], clock))
    assert [await finish(database, lost), await finish(database, again)] == [False, True]


async def test_claim_whose_worker_lives_is_left_alone(database, clock):
    held = await running(database)
    await beat_for(
        5 * STALLED_SECONDS,
        clock,
        Heartbeat(database, lambda: [held.id], clock),
        Heartbeat(database, list, clock),
    )
    assert await job_status(database, held.submission_id) == (JobStatus.RUNNING, 1)
    assert await finish(database, held)


async def test_only_time_that_was_spent_looking_counts(database, clock):
    """PostgreSQL was away for all of them: whoever looks first afterwards does not take the others for dead."""
    held = await running(database)
    first, second = Heartbeat(database, lambda: [held.id], clock), Heartbeat(database, list, clock)
    await beat_for(STALLED_SECONDS / 2, clock, first, second)
    clock.now += 10 * STALLED_SECONDS
    assert not second.is_beating
    await beat_for(STALLED_SECONDS, clock, second)
    await first.beat()
    await beat_for(STALLED_SECONDS, clock, second)
    assert second.is_beating
    assert await job_status(database, held.submission_id) == (JobStatus.RUNNING, 1)


async def test_heart_does_not_beat_where_nothing_can_be_written(database, clock):
    """As after a failover, when the old server is a copy that can only be read."""
    read_only = database.url.update_query_dict({"options": "-c default_transaction_read_only=on"})
    copy = Database(read_only.render_as_string(hide_password=False))
    heart = Heartbeat(copy, list, clock)
    with pytest.raises(DBAPIError, match="read-only"):
        await heart.beat()
    assert not heart.is_beating
    await copy.close()


async def test_workers_that_live_are_counted(database, clock):
    hearts = [Heartbeat(database, list, clock) for _ in range(2)]
    for heart in hearts:
        await heart.beat()
    assert len(await read_by(database, claims.live_workers, STALLED_SECONDS)) == 2
    await hearts[0].leave()
    async with database.write() as session:
        assert len(await claims.live_workers(session, STALLED_SECONDS)) == 1
        await session.execute(text("UPDATE workers SET seen_at = seen_at - interval '16 seconds'"))
        assert len(await claims.live_workers(session, STALLED_SECONDS)) == 0
        assert len((await session.scalars(select(LiveWorker.id))).all()) == 1
