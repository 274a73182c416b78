"""Attempts: compare two, decide on a held one, and grade some again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from starlette.concurrency import run_in_threadpool

from app.access.tokens import Principal
from app.actions import regrades, work
from app.actions.asking import Asking
from app.actions.fields import ID
from app.actions.regrades import BeginRegrade
from app.actions.work import DecideAttempt
from app.courses import course as courses
from app.errors.requests import FieldsWrong
from app.errors.submissions import SubmissionNotFound
from app.http.auth.holders import FormAsks, SessionHolder
from app.http.fields import Fields, form_context
from app.http.forms import fields_of, form_of, see_other
from app.http.parameters import SubmissionId
from app.http.staff import reason_of_hold, staff_page, titles_of
from app.http.texts import language_of
from app.http.visibility import report_for
from app.services import services
from app.storage.models import CourseAssignment
from app.submissions import repository
from app.submissions.sources import difference_of_reports, sources_side_by_side
from app.submissions.standing import Standing, standing_of
from app.teaching.grade_list import used_assignments
from app.teaching.overview.attention import names_of
from grader.report.messages import render
from grader.report.model import MEASURED

router = APIRouter()


@dataclass(frozen=True)
class Side:
    """One of the two attempts. Attributes: report: in words; None: there is none yet."""

    standing: Standing
    report: Mapping[str, Any] | None

    @property
    def points(self) -> float | None:
        """The points after lateness; None: there are none."""
        if self.standing.grade is not None:
            return self.standing.grade.points
        return self.standing.stored.points if self.standing.stored else None

    @property
    def is_measured(self) -> bool:
        return self.report is not None and self.report["status"] in MEASURED

    @property
    def causes(self) -> Mapping[str, Mapping[str, Any]]:
        """The known mistakes, by their codes."""
        return {each["code"]: each for each in self.report["diagnoses"]} if self.report else {}

    @property
    def checks(self) -> Mapping[str, Mapping[str, Any]]:
        """The checks, by their ids."""
        return {each["id"]: each for each in self.report["checks"]} if self.report else {}


@router.get("/submissions/{submission_id}/beside/{other_id}")
async def beside(request: Request, viewer: SessionHolder, submission_id: SubmissionId, other_id: str) -> Response:
    """Compare two attempts of one course that the reader may see, the earlier one on the left."""
    parts = services(request)
    if not ID.fullmatch(other_id):
        raise SubmissionNotFound
    async with parts.database.read() as session:
        found = [await standing_of(session, parts.assignments, id, viewer) for id in sorted((submission_id, other_id))]
        if len({each.submission.course_id for each in found}) > 1:
            raise SubmissionNotFound
        course = await courses.existing(session, found[0].submission.course_id)
        names = await names_of(session, [each.submission for each in found])
        uses = await used_assignments(session, parts.assignments, course.id)
    left, right = [await _side(request, each, viewer) for each in found]
    of_two = left.standing.submission.membership_id != right.standing.submission.membership_id
    hunks = rows = None
    if left.standing.stored and right.standing.stored:
        pair = left.standing.stored.id, right.standing.stored.id
        if of_two:
            rows = await sources_side_by_side(parts.database, pair)
        else:
            hunks = await difference_of_reports(parts.database, pair)
    checks = [id for id in {**left.checks, **right.checks} if _most(left, id) or _most(right, id)]
    return staff_page(
        request,
        "course/beside.html",
        viewer,
        course,
        left=left,
        right=right,
        wide=of_two,
        of_two=of_two,
        checks=checks,
        hunks=hunks,
        rows=rows,
        gone=_only(left, right) if of_two or right.is_measured else [],
        kept=[cause for code, cause in right.causes.items() if code in left.causes],
        new=_only(right, left) if of_two or left.is_measured else [],
        names=names,
        titles=titles_of(request, uses),
    )


@router.post("/courses/{course_id}/submissions/{submission_id}/decision")
async def decide(
    request: Request, asking: Annotated[Asking, Depends(FormAsks(work.decide_attempt))], submission_id: SubmissionId
) -> Response:
    """Decide whether a held attempt counts."""
    async with form_of(request) as form:
        fields = Fields(fields_of(form))
    try:
        wanted = fields.read(DecideAttempt, names={"reason": "decision_reason"})
    except FieldsWrong as refusal:
        return await _decision_page(request, asking.holder, submission_id, fields, refusal)
    await work.decide_attempt(asking, submission_id, wanted)
    return see_other(f"/submissions/{submission_id}", said="attempt.decided")


@router.post("/courses/{course_id}/submissions/{submission_id}/regrade")
async def regrade_one(
    request: Request, asking: Annotated[Asking, Depends(FormAsks(regrades.begin_regrade))], submission_id: SubmissionId
) -> Response:
    """Have one attempt graded again. Its report stays until the new one is there."""
    async with form_of(request), asking.database.read() as session:
        await repository.existing_submission(session, submission_id, asking.holder)
    await regrades.begin_regrade(asking, BeginRegrade(submissions=[submission_id]))
    return see_other(f"/submissions/{submission_id}", said="attempt.regraded")


@router.post("/courses/{course_id}/failed/regrade")
async def regrade_failed(
    request: Request, asking: Annotated[Asking, Depends(FormAsks(regrades.regrade_failed))]
) -> Response:
    """Have everything graded again that we failed to grade."""
    async with form_of(request):
        await regrades.regrade_failed(asking)
    return see_other(f"/courses/{asking.course_id}", said="attempt.all_regraded")


async def _decision_page(
    request: Request, holder: Principal, submission_id: str, fields: Fields, refusal: FieldsWrong
) -> Response:
    """Ask again for a decision, with what was typed."""
    async with services(request).database.read() as session:
        course = await courses.existing(session, holder.course_id)
        submission = await repository.existing_submission(session, submission_id, holder)
        report = await repository.newest_report(session, submission.id)
        use = await session.get_one(CourseAssignment, submission.course_assignment_id)
        names = await names_of(session, [submission])
    return staff_page(
        request,
        "course/decision.html",
        holder,
        course,
        submission=submission,
        student=names.get(submission.membership_id),
        title=titles_of(request, [use])[use.assignment_id],
        reasons=reason_of_hold(report, language_of(request)),
        **form_context(request, fields, refusal),
    )


async def _side(request: Request, standing: Standing, viewer: Principal) -> Side:
    if standing.stored is None:
        return Side(standing, None)
    report = report_for(standing.stored, viewer)
    return Side(standing, await run_in_threadpool(render, report, language_of(request)))


def _only(one: Side, other: Side) -> Sequence[Mapping[str, Any]]:
    return [cause for code, cause in one.causes.items() if code not in other.causes]


def _most(side: Side, check_id: str) -> float:
    check = side.checks.get(check_id)
    return check["max_points"] if check else 0.0
