"""The pages of a submission, and of a check before handing in: the wait, then the report."""

from dataclasses import replace
from typing import Any
from zoneinfo import ZoneInfo

from fastapi import Response
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.concurrency import run_in_threadpool

from app.access.rights import Right
from app.actions import hand_in as actions
from app.courses.assignments import in_course
from app.errors import CheckNotFound, ReportNotFound, existing
from app.http.parameters import LastEventId
from app.http.visibility import artefacts_for, as_student, report_for, steps_for, view_for
from app.http.visits import Pages, Visit
from app.http.watching import event_stream, wait_until_done
from app.queue import checks
from app.services import operations
from app.storage.models import Check, Course, CourseAssignment, JobStatus, MemberRole, Membership, Submission
from app.submissions import repository
from app.submissions.derivation import steps_in_words
from app.submissions.events import STAGES, events_after
from app.submissions.grades import may_try_again
from app.submissions.standing import Standing, standing_of
from app.teaching.overview.attention import beside, names_of
from app.teaching.own.courses import own_task
from app.web.student import assignment
from app.web.student.conversation import conversation_of
from grader import Report
from grader.execution.stages import Stage
from grader.formats import View, html
from grader.formats.source import Sources
from grader.report import artefacts
from grader.report.proof import presentation
from grader.report.proof.cells import numbers_csv

# A warm grade takes a second or two. Waiting that long saves the reader a waiting page.
PATIENCE_SECONDS = 3.0
REFRESH_SECONDS = 2
REFRESH_SECONDS_MAX = 15
#: Stages that not every grade has; they are shown once they are reached.
OPTIONAL = frozenset(STAGES) - {Stage.READING, Stage.RUNNING, Stage.CHECKING}
PATH = "/submissions/{submission_id}"
PICTURE = "/submissions/{}/pictures/{}.svg?lang={}"
NUMBERS = "/submissions/{}/numbers/"

router = Pages()


@router.page(PATH)
async def submission_page(visit: Visit, submission_id: str) -> Response:
    """Show the report, or a waiting page that follows the events and, without scripts, reloads."""
    request, viewer = visit.request, visit.holder
    await wait_until_done(visit.parts, submission_id, viewer, PATIENCE_SECONDS)
    async with visit.database.read() as session:
        standing = await standing_of(session, visit.assignments, submission_id, viewer)
        course = await session.get_one(Course, standing.submission.course_id)
        use = await session.get_one(CourseAssignment, standing.submission.course_assignment_id)
        again = await may_try_again(session, visit.assignments, standing.submission)
        looks_as_student = viewer.sees_everything and request.query_params.get("as") == "student"
        for_staff = viewer.sees_everything and not looks_as_student
        staff = await _for_staff(session, standing.submission) if for_staff else None
        reader = as_student(viewer, standing.submission) if looks_as_student else viewer
        conversation = await conversation_of(session, reader, standing.submission)
        if conversation and looks_as_student:
            conversation = replace(conversation, may_ask=False)  # It would be a request by the staff.
    acting = replace(visit, holder=viewer.in_course(course)) if for_staff else visit
    context: dict[str, Any] = {
        "here": "course" if for_staff else None,
        "course": course,
        "staff": staff,
        "looks_as_student": looks_as_student,
        "for_staff": for_staff,
        "submission": standing.submission,
        "assignment": in_course(visit.assignments, use),
        "task_title": visit.title_of(use),
        "may_try_again": again,
        "conversation": conversation,
    }
    if standing.stored is None:
        return acting.page("student/waiting.html", **context, **await _wait(visit, standing))
    view = await view_for(request, standing.stored, reader, visit.language)
    pictures = [
        html.picture_for_script(picture, PICTURE.format(submission_id, name, view.language))
        for name, picture in html.pictures_in_page(view).items()
    ]
    proofs = await run_in_threadpool(presentation.proofs, view.report, view.language, view.artefacts)
    steps = steps_for(standing.counted, reader) if standing.counted else ()
    return acting.page(
        "report.html",
        **context,
        report=view.report,
        pictures=pictures,
        sources=Sources(view),
        proofs=proofs,
        numbers_at=NUMBERS.format(submission_id),
        grade=standing.grade,
        counted=standing.counted,
        steps=steps_in_words(steps, view.language, ZoneInfo(course.time_zone)),
    )


router.act(f"{PATH}/cancel", actions.cancel_submission, PATH)


@router.page(f"{PATH}/events")
async def submission_events(visit: Visit, submission_id: str, last_event_id: LastEventId = None) -> Response:
    """Stream the events for the waiting page's script; the API's own stream takes no sessions."""
    return await event_stream(visit.parts, submission_id, visit.holder, last_event_id or 0)


@router.page(f"{PATH}/pictures/{{name}}.svg")
async def picture(visit: Visit, submission_id: str, name: str) -> Response:
    """Draw one picture of the newest report, for readers without scripts."""
    async with visit.database.read() as session:
        _, stored = await repository.existing_report(session, submission_id, visit.holder)
    view = await view_for(visit.request, stored, visit.holder, visit.language)
    picture_spec = existing(html.pictures_of(view).get(name), ReportNotFound)
    svg = await visit.parts.charts.svg(picture_spec.spec)
    return Response(svg, media_type="image/svg+xml", headers={"Content-Security-Policy": html.POLICY})


@router.page(f"{PATH}/numbers/{{case_id}}.csv")
async def numbers(visit: Visit, submission_id: str, case_id: str) -> Response:
    """Send every number of a public case of the newest report: Keras', the student's, the named mistake's."""
    async with visit.database.read() as session:
        _, stored = await repository.existing_report(session, submission_id, visit.holder)
    cases = {case.id: case.arrays for case in report_for(stored, visit.holder).cases if case.visibility == "public"}
    content = existing((await artefacts_for(visit.request, stored)).get(cases.get(case_id) or ""), ReportNotFound)
    text = await run_in_threadpool(lambda: numbers_csv(artefacts.unpack(content)))
    return Response(text, media_type="text/csv; charset=utf-8")


async def _for_staff(session: AsyncSession, submission: Submission) -> dict[str, Any]:
    """Return the context of ``course/staff_tools.html``: the student, and the neighbours that need a look, too."""
    before, after = await beside(session, submission.course_id, submission.id)
    names = await names_of(session, [submission])
    member = await session.get_one(Membership, submission.membership_id)
    return {
        "name": names.get(submission.membership_id),
        "is_student": member.role == MemberRole.STUDENT,
        "before": before,
        "after": after,
    }


async def _wait(visit: Visit, standing: Standing) -> dict[str, Any]:
    """Return the context of ``student/waiting.html``."""
    backlog, submission, position = visit.parts.backlog, standing.submission, standing.position
    async with visit.database.read() as session:
        events = [each.event for each in await events_after(session, submission.id, 0)]
    # A grade that was cut off is queued again.
    start = max((at for at, event in enumerate(events) if event == "queued"), default=0)
    reached = [event for event in events[start:] if event in STAGES]
    self_test = operations(visit.request).self_test
    return {
        "position": position,
        "refresh_seconds": min(REFRESH_SECONDS + (position or 0) // 5, REFRESH_SECONDS_MAX),
        "stages": STAGES,
        "optional": OPTIONAL,
        "reached": reached if submission.job_status == JobStatus.RUNNING else [],
        "is_first": self_test is not None and not self_test.has_ended,
        "pace": await backlog.pace(),
        "seconds_left": await backlog.seconds_left(submission),
    }


# --- a check before handing in ----------------------------------------------------------------------------------------


@router.page(f"{assignment.PATH}/checks/{{check_id}}", Right.READ_SUBMISSIONS)
async def check_page(visit: Visit, assignment_id: str, check_id: str) -> Response:
    """Show the result of the check, or a waiting page that reloads."""
    viewer = visit.holder
    await wait_until_done(visit.parts, check_id, viewer, PATIENCE_SECONDS, checks.existing)
    async with visit.database.read() as session:
        check = await checks.existing(session, check_id, viewer)
        if check.assignment_id != assignment_id:
            raise CheckNotFound
        position = await checks.position(session, check)
        task = await own_task(session, visit.assignments, viewer, check.assignment_id)
    common: dict[str, Any] = {"check": check, "task_title": visit.title_of(task.use)}
    if check.report is None:
        common |= {"position": position, "refresh_seconds": REFRESH_SECONDS}
        return visit.page("student/check_waiting.html", "course", **common)
    view = await run_in_threadpool(_view, check, visit.language)
    # The page says first that it is no grade.
    (notice, *advisories) = view.report["advisories"]
    report = {**view.report, "advisories": advisories}
    common |= {"report": report, "notice": notice["message"], "sources": Sources(view), "pictures": [], "proofs": []}
    return visit.page("student/check.html", "course", **common)


def _view(check: Check, language: str) -> View:
    report = Report.model_validate(check.report)
    artefacts = {report.source.artefact: check.source} if report.source.artefact and check.source else {}
    return View.of(report, language, artefacts)
