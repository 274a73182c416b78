"""Decisions on held attempts from both databases: two at the same time, and one beside a preview."""

import asyncio

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.access.tokens import Principal
from app.storage.database import Database
from app.storage.models import Change, HoldDecision, Submission
from app.submissions import repository
from app.teaching import holds, previews
from grader import Status
from tests.integration.app.kinds import on_both
from tests.integration.app.rows import add, claim, waits
from tests.integration.app.test_previews import HELD_REPORT, add_webhook, begin, sent, store
from tests.waiting import until

pytestmark = on_both


async def held(database: Database, owner: Principal) -> Submission:
    """An attempt that waits for a decision, and a webhook that waits for its report."""
    await add_webhook(database, owner)
    submission = await add(database)
    report = HELD_REPORT.model_copy(update={"points": 40.0, "status": Status.FAILED})
    assert await store(database, await claim(database), report)
    return submission


async def decide(session: AsyncSession, owner: Principal, submission: Submission, by: str) -> None:
    attempt = await repository.existing_submission(session, submission.id, owner)
    accepted = {"decision": HoldDecision.ACCEPTED, "reason": f"{by} has looked"}
    assert await holds.decide(session, attempt, **accepted, decided_by=by)


async def test_later_of_two_decisions_at_the_same_time_replaces_the_other(database: Database, owner: Principal) -> None:
    submission = await held(database, owner)

    async def of_another() -> None:
        async with database.write() as session:
            await decide(session, owner, submission, "sidorova")

    async with database.write() as session:
        await decide(session, owner, submission, "petrova")
        second = asyncio.create_task(of_another())
        await until(lambda: waits(database))
    await second
    assert await sent(database) == [40.0]
    async with database.read() as session:
        logged = (await session.scalars(select(Change).order_by(Change.id))).all()
    replaced = [each.before.get("hold", {}).get("reason") for each in logged]
    assert replaced == [None, "petrova has looked"]


@pytest.mark.parametrize(("first", "expected"), [("decision", [40.0, 100.0]), ("preview", [100.0])])
async def test_preview_that_is_applied_beside_a_decision_is_sent(
    database: Database, owner: Principal, first: str, expected: list[float]
) -> None:
    submission = await held(database, owner)
    regrade = await begin(database, submission.id)
    assert await store(database, await claim(database), HELD_REPORT)

    async def act(session: AsyncSession, what: str) -> None:
        if what == "decision":
            await decide(session, owner, submission, "petrova")
        else:
            await previews.apply(session, regrade.id)

    async def then() -> None:
        async with database.write() as session:
            await act(session, "preview" if first == "decision" else "decision")

    async with database.write() as session:
        await act(session, first)
        second = asyncio.create_task(then())
        await until(lambda: second.done() or waits(database))
    await second
    assert await sent(database) == expected
