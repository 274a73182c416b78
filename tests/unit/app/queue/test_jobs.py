"""The queue and its slots: what a stop, a crash and a fault of ours leave."""

import asyncio
import threading

import pytest
from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncSession

from app.access import tokens
from app.access.tokens import Principal
from app.errors.commands import DataDirInUse
from app.queue import hold_data_dir
from app.queue.backlog import LATE_SECONDS, Pace
from app.queue.grading import MAX_CLAIMS, MAX_TRIES
from app.storage.models import DEFAULT_COURSE, JobStatus, StoredReport, Submission
from app.submissions import reports, repository
from app.submissions.uploads import Upload
from grader import Report, RunStarved, Status
from tests.unit.app.conftest import Service, running
from tests.waiting import until, wait_until

pytestmark = pytest.mark.usefixtures("with_tables")


async def submit(service: Service, student: str = "ivanov") -> str:
    token = await service.add_token(f"token-{student}-{id(object())}")
    upload = Upload(student, "lstm-layer", "LSTM.py", b"class LSTM: ...")
    submission, _ = await service.services.inbox.accept(upload, Principal(token.id, token.role))
    return submission.id


async def state(service: Service, submission_id: str) -> tuple[JobStatus, int, Report | None]:
    async with service.services.database.read() as session:
        submission = await session.get(Submission, submission_id)
        stored = await reports.newest_report(session, submission_id)
    return submission.job_status, submission.tries, Report.model_validate(stored.body) if stored else None


async def done(service: Service, submission_id: str) -> tuple[JobStatus, int, Report | None]:
    async def state_when_done() -> tuple[JobStatus, int, Report | None] | None:
        now = await state(service, submission_id)
        return now if now[0] == JobStatus.DONE else None

    return await until(state_when_done)


OURS = Status.INTERNAL_ERROR


@pytest.mark.parametrize(
    ("statuses", "runs", "expected"),
    [([OURS, OURS, Status.PASSED], 3, Status.PASSED), ([OURS], MAX_TRIES, OURS)],
    ids=["tried again", "kept after the last try"],
)
async def test_our_failure_is_tried_again(service, grader, statuses, runs, expected):
    grader.statuses = statuses
    _, tries, report = await done(service, await submit(service))
    assert (tries, report.status, report.points is None) == (1, expected, expected == OURS)
    assert len(grader.graded) == runs


async def test_a_run_that_had_no_core_holds_its_slot_no_longer(service, grader):
    def fail(report: Report) -> Report:
        raise RunStarved

    grader.change = fail
    _, _, report = await done(service, await submit(service))
    assert (report.status, len(grader.graded)) == (OURS, 1)


async def test_exception_in_the_engine_is_our_failure_and_stops_nobody(service, grader):
    def fail(report: Report) -> Report:
        raise ZeroDivisionError("/path/of/the/server")

    grader.change = fail
    _, _, report = await done(service, await submit(service))
    assert report.status == Status.INTERNAL_ERROR
    assert (report.error.type, report.error.message) == ("ZeroDivisionError", "")
    assert {check.status for check in report.checks} == {"skipped"}
    assert report.receipt.report_sha256 == report.digest()
    grader.change = lambda report: report
    assert (await done(service, await submit(service, "petrov")))[2].status == Status.PASSED


async def test_assignment_that_is_gone_is_our_failure(service):
    async with service.services.database.write() as session:
        token = await tokens.set_owner_token(session, "0" * 64)
        submission = Submission(
            course_id=DEFAULT_COURSE,
            student="ivanov",
            assignment_id="removed",
            filename="LSTM.py",
            content=b"class LSTM: ...",
            sha256="c" * 64,
            submitted_by=token.id,
        )
        await repository.take_turns(session, [submission])
        await repository.add_submissions(session, [submission])
    service.services.jobs.wake()
    _, _, report = await done(service, submission.id)
    assert (report.status, report.assignment.id) == (Status.INTERNAL_ERROR, "removed")


async def test_slots_grade_side_by_side_and_block_nobody(service, nobody, grader):
    grader.released.clear()
    ids = [await submit(service, f"s{number}") for number in range(4)]
    await until(lambda: len(grader.began) == 2)
    assert (await nobody.get("/healthz")).status_code == 200
    assert [(await state(service, id))[0] for id in ids] == ["running", "running", "queued", "queued"]
    grader.released.set()
    for id in ids:
        await done(service, id)


async def test_stop_queues_again_what_does_not_finish_and_counts_no_try(settings, grader):
    settings = settings.model_copy(update={"shutdown_seconds": 0.1})
    grader.released.clear()
    async with running(settings, grader) as service:
        submission_id = await submit(service)
        await until(lambda: grader.began)
        slots = service.services.jobs._slots._tasks

        def end() -> None:
            """The thread itself ends after the worker has stopped, as with the real sandbox."""
            wait_until(lambda: all(slot.done() for slot in slots))
            grader.released.set()

        threading.Thread(target=end).start()
    async with running(settings, grader) as service:
        assert (await done(service, submission_id))[:2] == (JobStatus.DONE, 1)
    assert len(grader.began) == 2


async def test_stop_lets_a_running_grade_finish(settings, grader):
    settings = settings.model_copy(update={"shutdown_seconds": 60})
    grader.released.clear()
    async with running(settings, grader) as service:
        submission_id = await submit(service)
        await until(lambda: grader.began)

        async def finish() -> None:
            await until(lambda: service.services.jobs.stopping)
            grader.released.set()

        finishing = asyncio.create_task(finish())
    await finishing
    grader.released.clear()
    async with running(settings, grader) as service:
        assert (await state(service, submission_id))[0] == JobStatus.DONE
    assert len(grader.graded) == 1


async def test_crash_while_grading_is_graded_at_the_next_start(settings, grader):
    async with running(settings, grader) as service:
        submission_id = await submit(service)
        await done(service, submission_id)
        # As after a kill in the middle of a grade.
        await service.store(
            Submission, Submission.id == submission_id, job_status=JobStatus.RUNNING, claim="claim-of-the-dead"
        )
    async with running(settings, grader) as service:
        assert (await done(service, submission_id))[:2] == (JobStatus.DONE, 2)
    assert len(grader.graded) == 2
    assert len(set(grader.seeds)) == 1


async def test_submission_that_takes_the_service_down_is_given_up(settings, grader):
    async with running(settings, grader) as service:
        submission_id = await submit(service)
        await done(service, submission_id)
        await service.store(Submission, job_status=JobStatus.RUNNING, tries=MAX_CLAIMS)
        await service.write(AsyncSession.execute, delete(StoredReport))
    async with running(settings, grader) as service:
        _, _, report = await done(service, submission_id)
    assert report.status == Status.INTERNAL_ERROR
    assert len(grader.graded) == 1


async def test_second_service_on_the_data_is_refused(service, settings, grader):
    with pytest.raises(DataDirInUse):
        async with running(settings, grader):
            pytest.fail("it started")


def test_lock_is_free_again_after_use(tmp_path):
    for _ in range(2):
        with hold_data_dir(tmp_path), pytest.raises(DataDirInUse), hold_data_dir(tmp_path):
            pytest.fail("it was taken twice")


@pytest.mark.parametrize(("usual", "late"), [(2.0, LATE_SECONDS), (30.0, 30.0)])
def test_report_is_late_by_the_usual_time_and_never_at_once(usual, late):
    assert Pace(usual, slots=2).late_seconds == late
