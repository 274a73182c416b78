"""Grades that come from an earlier assignment file or grader, on both databases."""

from app.storage.database import Database
from app.storage.models import DEFAULT_COURSE
from app.teaching.outdated import OutdatedReports, outdated_of
from grader import load_assignments
from grader.report.model import AssignmentRef
from tests.integration.app.kinds import on_both
from tests.integration.app.rows import REPORT, graded

pytestmark = on_both

ASSIGNMENTS = load_assignments()
TODAY = ASSIGNMENTS["lstm-layer"].digest


async def test_reports_of_another_file_or_grader_are_counted_once(database: Database) -> None:
    for number, (digest, version) in enumerate([(TODAY, "2"), (TODAY, "1"), ("before", "1"), ("before", "2")]):
        receipt = REPORT.receipt.model_copy(update={"grader_version": version})
        report = REPORT.model_copy(
            update={"assignment": AssignmentRef(id="lstm-layer", digest=digest), "receipt": receipt}
        )
        await graded(database, f"student-{number}", report)
    async with database.read() as session:
        outdated = await outdated_of(session, ASSIGNMENTS, DEFAULT_COURSE, "2")
        elsewhere = await outdated_of(session, ASSIGNMENTS, "1" * 26, "2")
    assert outdated == [OutdatedReports("lstm-layer", reports=4, file_changed=2, grader_changed=1)]
    assert (outdated[0].count, elsewhere) == (3, [])
