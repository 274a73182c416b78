"""Attempts with the same code: the groups at an assignment, and the students of one, to be set beside each other."""

from fastapi import Response
from sqlalchemy import select
from sqlalchemy.orm import defer

from app.errors.submissions import SubmissionNotFound
from app.http.parameters import AssignmentId, SubmissionId
from app.http.staff import Grader, the_use, titles_of
from app.http.visits import Pages
from app.storage.models import StoredReport, Submission
from app.submissions import grades, reports, repository
from app.teaching import same_code
from app.teaching.grade_list import used_assignments

router = Pages("/courses/{course_id}")


@router.get("/assignments/{assignment_id}/same-code")
async def list_groups(visit: Grader, assignment_id: AssignmentId) -> Response:
    """List the groups of students with the same code."""
    async with visit.database.read() as session:
        uses = await used_assignments(session, visit.assignments, visit.course_id, assignment_id)
        comparison = await same_code.same_code(session, the_use(uses, assignment_id).id)
    title = titles_of(visit.request, uses)[assignment_id]
    return visit.page(
        "course/same_code.html", "course", assignment_id=assignment_id, title=title, comparison=comparison
    )


@router.get("/submissions/{submission_id}/same-code")
async def group_page(visit: Grader, submission_id: SubmissionId) -> Response:
    """Show the students who have the code of this attempt."""
    async with visit.database.read() as session:
        submission = await repository.existing_submission(session, submission_id, visit.holder)
        if submission.course_id != visit.course_id:
            raise SubmissionNotFound
        uses = await used_assignments(session, visit.assignments, visit.course_id, submission.assignment_id)
        group = await same_code.group_of(session, submission)
        copies = [copy.submission_id for holder in group.holders for copy in holder.copies] if group else []
        rows = await session.execute(
            select(Submission, StoredReport)
            .outerjoin(StoredReport, StoredReport.id == reports.counting_report_id())
            .where(Submission.id.in_(copies))
            .options(defer(StoredReport.body))
        )
        listed = [(attempt, report) for attempt, report in rows]
        points = await grades.points_of(session, visit.assignments, listed)
    return visit.page(
        "course/same_code_group.html",
        "course",
        assignment_id=submission.assignment_id,
        title=titles_of(visit.request, uses)[submission.assignment_id],
        group=group,
        reports={attempt.id: report for attempt, report in listed},
        points={attempt.id: each for (attempt, _), each in zip(listed, points, strict=True)},
    )
