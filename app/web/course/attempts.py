"""Actions on single attempts: decide on a held one, have one graded again, or all that we failed at."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from app.access.rights import Right
from app.access.tokens import Principal
from app.courses import course as courses
from app.errors.requests import FieldsWrong
from app.errors.submissions import NotHeld
from app.http.auth.holders import PageFor
from app.http.fields import Fields, form_context
from app.http.forms import fields_of, form_of, see_other
from app.http.parameters import SubmissionId
from app.http.staff import staff_page, titles_of, words
from app.http.texts import language_of
from app.services import services
from app.storage.models import CourseAssignment, HoldDecision
from app.submissions import repository
from app.teaching import holds, regrades
from app.teaching.overview.attention import failed_ids, names_of
from app.web.course.words import reason_of_hold

Decider = Annotated[Principal, Depends(PageFor(Right.DECIDE))]
Regrader = Annotated[Principal, Depends(PageFor(Right.REGRADE))]

router = APIRouter(prefix="/courses/{course_id}")


@router.post("/submissions/{submission_id}/decision")
async def decide(request: Request, holder: Decider, submission_id: SubmissionId) -> Response:
    """Decide whether a held attempt counts."""
    async with form_of(request) as form:
        fields = Fields(fields_of(form))
    decision = fields.choice("decision", set(HoldDecision), HoldDecision.REJECTED)
    reason = words(fields, "decision_reason")
    try:
        fields.check()
    except FieldsWrong as refusal:
        return await _decision_page(request, holder, submission_id, fields, refusal)
    async with services(request).database.write() as session:
        await courses.keep_open(session, holder.course_id)
        submission = await repository.existing_submission(session, submission_id, holder)
        chosen = HoldDecision(decision)
        if not await holds.decide(session, submission, decision=chosen, reason=reason, decided_by=holder.name):
            raise NotHeld
    return see_other(f"/submissions/{submission_id}", said="attempt.decided")


@router.post("/submissions/{submission_id}/regrade")
async def regrade_one(request: Request, holder: Regrader, submission_id: SubmissionId) -> Response:
    """Have one attempt graded again. Its report stays until the new one is there."""
    async with form_of(request):
        await _regrade(request, holder, [submission_id])
    return see_other(f"/submissions/{submission_id}", said="attempt.regraded")


@router.post("/failed/regrade")
async def regrade_failed(request: Request, holder: Regrader) -> Response:
    """Have everything graded again that we failed to grade."""
    async with form_of(request), services(request).database.read() as session:
        ids = await failed_ids(session, holder.course_id)
    if ids:
        await _regrade(request, holder, list(ids))
    return see_other(f"/courses/{holder.course_id}", said="attempt.all_regraded")


async def _regrade(request: Request, holder: Principal, ids: list[str]) -> None:
    parts = services(request)
    async with parts.database.write() as session:
        await courses.keep_open(session, holder.course_id)
        for id in ids[:1]:
            await repository.existing_submission(session, id, holder)
        await regrades.begin(
            session,
            requested_by=holder.id,
            meant=ids,
            selection={"submissions": ids},
            course=holder.course_id,
        )
    parts.jobs.wake()


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
