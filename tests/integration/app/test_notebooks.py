"""Codes of notebooks and checks before handing in, where two come at once and where a worker dies."""

import asyncio

import pytest

from app.access import notebooks
from app.access.tokens import Principal
from app.courses import members
from app.errors import ChecksUsedUp, NotebookCodeUnusable
from app.queue import checks, claims
from app.queue.claims import Claim
from app.queue.heartbeat import BEAT_SECONDS, STALLED_SECONDS, Heartbeat
from app.storage.database import Database
from app.storage.models import DEFAULT_COURSE, Check, JobStatus, NotebookCode, Token
from app.submissions.uploads import Upload
from grader import Assignment, load_assignments
from tests.integration.app.kinds import on_both, on_postgresql
from tests.integration.app.rows import REPORT, add, count, next_claim, row_of, write_by
from tests.integration.app.test_heartbeat import beat_for
from tests.waiting import Clock

UPLOAD = Upload("ivanov", "lstm-layer", "LSTM.py", b"class LSTM: ...")


@pytest.fixture
async def ivanov(database: Database) -> Principal:
    enrolled = await write_by(database, members.enrol, [(DEFAULT_COURSE, "ivanov")])
    return Principal.of_member(enrolled[DEFAULT_COURSE, "ivanov"])


@pytest.fixture(scope="module")
def allowing() -> Assignment:
    assignment = load_assignments()["lstm-layer"]
    attempts = assignment.attempts.model_copy(update={"checks_per_hour": 1})
    return assignment.model_copy(update={"attempts": attempts})


async def make_code(database: Database, holder: Principal) -> str:
    return await write_by(database, notebooks.make_code, holder, "lstm-layer", "en")


async def exchange(database: Database, code: str) -> bool:
    try:
        await write_by(database, notebooks.exchange, code, "Jupyter")
    except NotebookCodeUnusable:
        return False
    return True


async def check(database: Database, holder: Principal, assignment: Assignment) -> Check | None:
    try:
        return await write_by(database, checks.add, holder, UPLOAD, assignment)
    except ChecksUsedUp:
        return None


@on_both
async def test_of_many_at_once_one_gets_the_token(database, ivanov):
    before = await count(database, Token)
    code = await make_code(database, ivanov)
    taken = await asyncio.gather(*(exchange(database, code) for _ in range(5)))
    assert sum(taken) == 1
    assert await count(database, Token) == before + 1


@on_both
async def test_of_codes_made_at_once_one_is_left(database, ivanov):
    codes = await asyncio.gather(*(make_code(database, ivanov) for _ in range(5)))
    assert await count(database, NotebookCode) == 1
    assert sum([await exchange(database, code) for code in codes]) == 1


@on_both
async def test_checks_sent_at_once_are_counted(database, ivanov, allowing):
    made = await asyncio.gather(*(check(database, ivanov, allowing) for _ in range(5)))
    assert sum(each is not None for each in made) == 1


@on_postgresql
async def test_a_check_whose_worker_died_runs_again_behind_an_attempt(database, ivanov, allowing):
    stored = await check(database, ivanov, allowing)
    lost = await next_claim(database)
    assert (lost.submission_id, lost.is_check, lost.content) == (stored.id, True, UPLOAD.content)
    clock = Clock()
    living = Heartbeat(database, lambda: [lost.id], clock)
    other = Heartbeat(database, list, clock)
    await beat_for(2 * STALLED_SECONDS, clock, living, other)
    assert await _job_status(database, lost) == JobStatus.RUNNING
    await beat_for(STALLED_SECONDS + BEAT_SECONDS, clock, other)
    assert await _job_status(database, lost) == JobStatus.QUEUED
    attempt = await add(database)
    assert (await next_claim(database)).submission_id == attempt.id
    again = await next_claim(database)
    assert (again.submission_id, again.tries) == (stored.id, 2)
    assert [await write_by(database, claims.finish, each, REPORT) for each in (lost, again)] == [False, True]
    assert await _job_status(database, lost) == JobStatus.DONE


@on_postgresql
async def test_workers_take_different_checks_back(database, ivanov, allowing):
    await check(database, ivanov, allowing)
    enrolled = await write_by(database, members.enrol, [(DEFAULT_COURSE, "petrov")])
    await check(database, Principal.of_member(enrolled[DEFAULT_COURSE, "petrov"]), allowing)
    first, second = await asyncio.gather(next_claim(database), next_claim(database))
    assert first.submission_id != second.submission_id
    assert await write_by(database, claims.release, first)
    assert (await next_claim(database)).submission_id == first.submission_id


async def _job_status(database: Database, claim: Claim) -> JobStatus:
    return (await row_of(database, Check, claim.submission_id)).job_status
