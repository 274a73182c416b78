"""Teachers' queries on both databases: the API's own tests run on SQLite."""

from __future__ import annotations

import pytest

from app.access.tokens import Principal
from app.queue import claims
from app.storage.database import Database
from app.submissions.listing import Selection
from app.teaching import regrades
from app.teaching.statistics import Misconception, statistics_of
from grader.report.model import Diagnosis, Status
from tests.integration.app.kinds import on_both
from tests.integration.app.rows import REPORT, add, claim

pytestmark = [pytest.mark.anyio, on_both]

WRONG = REPORT.model_copy(
    update={
        "status": Status.FAILED,
        "points": 30.0,
        "diagnoses": [Diagnosis(code="scaled", confidence="exact")] * 2,
    }
)


async def test_statistics_and_regrades_say_the_same_on_both_databases(database: Database, owner: Principal) -> None:
    for report in (WRONG, REPORT):
        await add(database, owner)
        taken = await claim(database)
        assert taken is not None
        async with database.write() as session:
            assert await claims.finish(session, taken, report)
    async with database.read() as session:
        statistics = await statistics_of(session, "lstm-layer")
    assert statistics.statuses == {"failed": 1, "passed": 1}
    assert (statistics.attempts.mean, statistics.attempts.median) == (pytest.approx(0.65), pytest.approx(0.65))
    assert statistics.students.histogram == [0] * 10 + [1]
    assert statistics.misconceptions == [Misconception("scaled", attempts=1, students=1, retried=1, fixed=1)]

    async with database.write() as session:
        failed = Selection(status="failed")
        regrade = await regrades.begin(session, requested_by=owner.id, meant=failed, selection={})
    async with database.write() as session:
        taken = await claims.claim_next(session)
        assert taken is not None
        assert await claims.finish(session, taken, REPORT)
    async with database.read() as session:
        progress = await regrades.find_regrade(session, regrade.id)
        assert progress is not None
        assert (progress.total, progress.done, progress.changed) == (1, 1, 1)
        (item,) = await regrades.list_items(session, regrade.id, only_changed=True, limit=5)
    assert item.new is not None
    assert (item.old.points, item.new.points) == (30.0, 100.0)
